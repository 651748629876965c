"""The emulator as its users start it: by its command, in a process of its own."""

from __future__ import annotations

import re
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any

import httpx

from airflow_provider_genai_batch.emulator.processes.child import Child

if TYPE_CHECKING:
    from typing_extensions import Self

_URL = re.compile(r"^(http://\S+)$", re.MULTILINE)
_EXPORT = re.compile(r"^export (\w+)=(\S+)$", re.MULTILINE)
_START_SECONDS = 240


class EmulatorCommand:
    """``python -m airflow_provider_genai_batch.emulator``."""

    url: str
    storage: str
    bigquery: str

    def __init__(self, *, pending: float, running: float) -> None:
        """Choose how long jobs take.

        Args:
            pending: Seconds in the queue.
            running: Seconds of work.
        """
        command = [sys.executable, "-m", "airflow_provider_genai_batch.emulator", "--port", "0"]
        command += ["--pending", str(pending), "--running", str(running)]
        self._child = Child("the emulator", command)

    def __enter__(self) -> Self:
        """Start it and read where it serves.

        Raises:
            ChildFailedError: It did not start; the message holds its log.
        """
        self._child.start(lambda: "AIRFLOW_CONN_GENAI_BATCH_VERTEX" in self._child.log(), _START_SECONDS)
        said = self._child.log()
        exports = dict(_EXPORT.findall(said))
        self.url = _URL.findall(said)[0]
        self.storage = exports["STORAGE_EMULATOR_HOST"]
        self.bigquery = exports["BIGQUERY_EMULATOR_HOST"]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it and what it started."""
        self._child.stop(timeout=120)

    def connection(self, backend: str) -> dict[str, Any]:
        """Return the fields of an Airflow connection.

        Args:
            backend: ``gemini`` or ``vertex``.
        """
        reply = httpx.get(f"{self.url}/_emulator/connection/{backend}", trust_env=False, timeout=120)
        found: dict[str, Any] = reply.raise_for_status().json()
        return found
