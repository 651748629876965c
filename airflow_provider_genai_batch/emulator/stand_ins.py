"""Starts the stand-ins for Cloud Storage and BigQuery, or uses stand-ins that were started elsewhere."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self


class StandIns:
    """The stand-ins of one emulator; only those started here are stopped here."""

    def __init__(self, storage: Any, bigquery: Any, directory: Path | None = None) -> None:
        """Choose the stand-ins.

        Args:
            storage: ``True`` starts one, ``False`` means none, a started one is used.
            bigquery: The same for BigQuery.
            directory: Where stand-ins started here keep their contents, so that these survive a restart.
        """
        self._wanted = (storage, bigquery)
        self._directory = directory
        self._stack = ExitStack()
        self.storage: Any = None
        self.bigquery: Any = None

    @property
    def storage_url(self) -> str:
        """Endpoint of Cloud Storage, or empty."""
        return str(self.storage.url) if self.storage is not None else ""

    @property
    def bigquery_url(self) -> str:
        """Endpoint of BigQuery, or empty."""
        return str(self.bigquery.url) if self.bigquery is not None else ""

    def _folder(self, name: str) -> Path | None:
        return None if self._directory is None else self._directory / name

    def __enter__(self) -> Self:
        """Start the chosen stand-ins."""
        storage, bigquery = self._wanted
        with ExitStack() as stack:
            if storage is True:
                # Imported late: the stand-ins come with their own requirements.
                from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage

                storage = CloudStorage(directory=self._folder("storage"))
                storage.start()
                stack.callback(storage.stop)
            if bigquery is True:
                from airflow_provider_genai_batch.emulator.bigquery.stand_in import BigQuery

                bigquery = BigQuery(directory=self._folder("bigquery"))
                bigquery.start()
                stack.callback(bigquery.stop)
            self._stack = stack.pop_all()
        self.storage, self.bigquery = storage or None, bigquery or None
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the stand-ins that were started here."""
        self._stack.close()
