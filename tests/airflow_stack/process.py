"""One component of Airflow as a process, with whatever processes it starts itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from airflow_provider_genai_batch.emulator.processes import parent_watch

_INTERVAL = 0.1


@dataclass(frozen=True)
class Process:
    """One live process."""

    pid: int
    parent: int
    title: str
    """Its command line; Airflow writes there what it is doing."""


class Component:
    """Runs ``airflow ...`` in a session of its own.

    Its processes are found by their session: a task's process has a process group of its own, and would
    survive the end of its supervisor's group as an orphan that goes on running the operator.
    """

    def __init__(self, arguments: list[str], environment: Mapping[str, str], log: Path) -> None:
        """Start it.

        Args:
            arguments: Of the ``airflow`` command.
            environment: All of its variables.
            log: File that its output is added to.
        """
        with log.open("ab") as out:
            # The watch ends it should the owner be killed.
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-I",
                    "-S",
                    parent_watch.__file__,
                    sys.executable,
                    "-m",
                    "airflow",
                    *arguments,
                ],
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    @property
    def status(self) -> int | None:
        """Exit status of its main process, None while that runs."""
        return self._process.poll()

    def processes(self) -> list[Process]:
        """Return the live processes of its session."""
        found = (self._read(entry) for entry in Path("/proc").iterdir() if entry.name.isdigit())
        return [process for process in found if process is not None]

    def pids(self) -> list[int]:
        """Return the ids of its live processes."""
        return [process.pid for process in self.processes()]

    def kill(self) -> None:
        """Kill all its processes at once, as the loss of a machine would."""
        self.signal(signal.SIGKILL)
        self._close()

    def ask_to_stop(self) -> None:
        """Ask its processes to end."""
        self.signal(signal.SIGTERM)

    def wait(self, timeout: float) -> None:
        """Wait until its processes have ended; kill those that have not.

        Args:
            timeout: Seconds.
        """
        end = time.monotonic() + timeout
        while self.pids() and time.monotonic() < end:
            self._process.poll()
            time.sleep(_INTERVAL)
        self.kill()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all its processes."""
        for pid in self.pids():
            # It may have ended since it was listed.
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _close(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(120)

    def _read(self, entry: Path) -> Process | None:
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            title = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except (FileNotFoundError, ProcessLookupError):
            return None
        state, parent, session = fields[0], int(fields[1]), int(fields[3])
        if state == "Z" or session != self._process.pid:
            return None
        return Process(int(entry.name), parent, title)
