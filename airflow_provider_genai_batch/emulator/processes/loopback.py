"""The common part of the stand-ins for Google's storage services: a server of other software, on loopback."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import httpx

from airflow_provider_genai_batch.emulator.processes.child import Child

if TYPE_CHECKING:
    from typing_extensions import Self


class NotInstalled(RuntimeError):
    """The package of a stand-in is not installed; the message says what to install."""


class LoopbackServer(ABC):
    """A child process that serves HTTP on 127.0.0.1; subclasses start it."""

    def __init__(self, port: int = 0, directory: str | Path | None = None) -> None:
        """Choose where to serve and where to keep contents.

        Args:
            port: Port on 127.0.0.1; 0 chooses a free one at each start.
            directory: Where contents are stored; None: in memory.
        """
        self._port = port
        self._directory = None if directory is None else Path(directory)
        self._child: Child | None = None
        self._http: httpx.Client | None = None
        self._url = ""

    @property
    def url(self) -> str:
        """The address without a final slash, as Google's clients expect it in the environment."""
        return self._url

    @abstractmethod
    def start(self) -> Self:
        """Start the server and wait until it answers."""

    def stop(self) -> None:
        """Stop the server. Calling this again does nothing."""
        if self._http is not None:
            self._http.close()
        if self._child is not None:
            self._child.stop()

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()
