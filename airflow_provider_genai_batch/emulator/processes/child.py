"""A child process whose start is awaited, and which cannot outlive its owner."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

_WATCH = Path(__file__).with_name("parent_watch.py")
_INTERVAL = 0.02
_LOG_TAIL = 4000


class ChildFailedError(RuntimeError):
    """A child did not become ready; the message ends with the child's log."""


class Child:
    """One process of other software."""

    def __init__(self, name: str, command: Sequence[str]) -> None:
        """Set the command.

        Args:
            name: A name for error messages.
            command: Program and arguments.
        """
        self.name = name
        self.command = list(command)
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        self._last_words = ""

    def start(self, ready: Callable[[], bool], timeout: float) -> None:
        """Start the process and wait until it is ready.

        Args:
            ready: Returns whether the process is ready; called repeatedly, and must not raise.
            timeout: Seconds.

        Raises:
            ChildFailedError: It ended, or was not ready in time; no process is left running.
        """
        # The file has no name, so a killed owner leaves nothing behind.
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the child lives
        self._process = subprocess.Popen(  # noqa: S603 - the command is ours
            [sys.executable, "-I", "-S", str(_WATCH), *self.command],
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            # A Ctrl-C in the terminal must only reach the owner, which ends its children in order.
            start_new_session=True,
        )
        end = time.monotonic() + timeout
        while not ready():
            if self._process.poll() is not None:
                self.stop()
                raise self._failed(f"ended with status {self._process.returncode}")
            if time.monotonic() > end:
                self.stop()
                raise self._failed(f"was not ready after {timeout:g} s")
            time.sleep(_INTERVAL)
        if self._process.poll() is not None:
            # Another process answered on its port.
            self.stop()
            raise self._failed(f"ended with status {self._process.returncode}")

    @property
    def running(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id of the watch, whose only child is the command."""
        if self._process is None:
            message = f"{self.name} was not started"
            raise RuntimeError(message)
        return self._process.pid

    def log(self) -> str:
        """Return what the process has written, or after its stop the end of that."""
        if self._log is None:
            return self._last_words
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), size, 0).decode(errors="replace")

    def stop(self, timeout: float = 10) -> None:
        """End the process. Calling this again does nothing.

        Args:
            timeout: Seconds until it is killed.
        """
        if self._process is None or self._process.stdin is None:
            return
        self._process.stdin.close()
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._log is not None:
            self._last_words = self.log()[-_LOG_TAIL:]
            self._log.close()
            self._log = None

    def _failed(self, what: str) -> ChildFailedError:
        return ChildFailedError(f"{self.name} {what}. Its log ends:\n{self.log()[-_LOG_TAIL:]}")


def free_port() -> int:
    """Return a free port of 127.0.0.1, for a server that takes seconds to start.

    It is below the ports that systems use for outgoing connections (from 32768 on Linux, 49152 elsewhere), because such
    a connection could take it in the meantime.
    """
    while True:
        port = 10_000 + secrets.randbelow(22_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
