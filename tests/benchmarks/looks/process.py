"""A process full of triggers."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

from typing_extensions import Self

from tests.benchmarks.environment import peer_python

_ROOT = Path(__file__).resolve().parents[3]


class Watcher:
    """The process of `watcher`, seen from outside."""

    def __init__(self, who: str, jobs: int, address: str, interval: int, errors: IO[str]) -> None:
        self._who, self._errors = who, errors
        python = sys.executable if who in ("ours", "google") else str(peer_python())
        self._command = [
            python,
            "-m",
            "tests.benchmarks.looks.watcher",
            who,
            str(jobs),
            address,
            str(interval),
        ]

    def __enter__(self) -> Self:
        self._home = tempfile.TemporaryDirectory(prefix="looks-")
        environment = {**os.environ, "AIRFLOW_HOME": self._home.name, "NO_PROXY": "127.0.0.1"}
        self._process = subprocess.Popen(
            self._command,
            cwd=_ROOT,
            env=environment | {"AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._home.cleanup()

    def say(self, word: str) -> None:
        """Tell it to go on."""
        assert self._process.stdin is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()

    def expect(self, beginning: str) -> str:
        """Wait for a line."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.startswith(beginning):
            self._errors.seek(0)
            msg = f"the triggers of {self._who} failed: {line}{self._errors.read()[-3000:]}"
            raise RuntimeError(msg)
        return line

    def now(self) -> tuple[float, float]:
        """Return the time, and its CPU time so far, in seconds."""
        return time.monotonic(), time.clock_gettime(~self._process.pid << 3 | 2)

    def resident(self) -> int:
        """Return its resident memory in KiB."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])
