"""A StatsD server: a UDP socket, and what came to it."""

from __future__ import annotations

import socket
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from uuid import uuid4

from tests.waiting import wait_until

PREFIX = "airflow.genai_batch."
_OVER = b"over"


@dataclass
class StatsDServer:
    """Collects what is sent to it, without losing order.

    It reads all the time: the kernel keeps a few hundred datagrams and drops the others, and Airflow sends many.
    """

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
        mark = f"read so far {uuid4()}"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
            own.sendto(mark.encode(), ("127.0.0.1", self.port))
        wait_until(lambda: mark in self.lines, "all that was sent has been read")
        return [line for line in self.lines if line.startswith(PREFIX)]

    def read(self) -> None:
        """Read until a datagram says that it is over."""
        while (datagram := self.socket.recv(65_536)) != _OVER:
            self.lines.append(datagram.decode())

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
        server = StatsDServer(udp)
        reader = Thread(target=server.read, daemon=True)
        reader.start()
        try:
            yield server
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
                own.sendto(_OVER, ("127.0.0.1", server.port))
            reader.join()
