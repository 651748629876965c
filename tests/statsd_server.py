"""A StatsD server: a UDP socket, and what came to it."""

from __future__ import annotations

import socket
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

PREFIX = "airflow.genai_batch."


@dataclass
class StatsDServer:
    """Collects what is sent to it, without losing order."""

    socket: socket.socket
    lines: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    @property
    def settings(self) -> dict[str, str]:
        """What makes Airflow send its metrics here, with tags."""
        return {
            "AIRFLOW__METRICS__STATSD_ON": "True",
            "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
            "AIRFLOW__METRICS__STATSD_PORT": str(self.port),
            "AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED": "True",
        }

    def received(self) -> list[str]:
        """Return all of this package's lines so far."""
        while True:
            try:
                self.lines.append(self.socket.recv(65_536).decode())
            except BlockingIOError:
                return [line for line in self.lines if line.startswith(PREFIX)]

    def counters(self, tags: str = "") -> dict[str, int]:
        """Return the sums of counters by name, without prefix and tags.

        Args:
            tags: only of those that have them, spelled ``backend=gemini,model=…``.
        """
        sums: dict[str, int] = defaultdict(int)
        for line in self.received():
            name, _, value = line.rpartition(":")
            number, kind = value.split("|")[:2]
            name, _, told = name.removeprefix(PREFIX).partition(",")
            if kind == "c" and tags in told:
                sums[name] += int(float(number))
        return dict(sums)

    def timers(self) -> dict[str, list[float]]:
        """Return timings by name, in seconds."""
        found: dict[str, list[float]] = defaultdict(list)
        for line in self.received():
            name, _, value = line.rpartition(":")
            number, kind = value.split("|")[:2]
            if kind == "ms":
                found[name.removeprefix(PREFIX).partition(",")[0]].append(float(number) / 1000)
        return dict(found)


@contextmanager
def statsd_server() -> Iterator[StatsDServer]:
    """Open one on a free port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)
        udp.bind(("127.0.0.1", 0))
        udp.setblocking(False)
        yield StatsDServer(udp)
