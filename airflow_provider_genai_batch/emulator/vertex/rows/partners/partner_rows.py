"""The common part of the rows of partner and open models; their lines and answers differ."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from airflow_provider_genai_batch.emulator.jobs.rows import Verdict
from airflow_provider_genai_batch.emulator.jsontypes import JsonObject
from airflow_provider_genai_batch.emulator.model.respond import Responder
from airflow_provider_genai_batch.emulator.vertex.rows.family import Task
from airflow_provider_genai_batch.emulator.vertex.rows.importer import ImportFailed
from airflow_provider_genai_batch.emulator.vertex.rows.partners.importer import PartnerImporter


class PartnerRows(ABC):
    """The rows of one job of a model that is not Google's."""

    reserved: Sequence[str]
    resumes = False
    most = 200_000

    def __init__(self, task: Task) -> None:
        """Process the rows of one job."""
        self._task = task

    @abstractmethod
    def foreign(self, row: JsonObject) -> str:
        """Return why a row is not one of this family's; empty if it is."""

    @abstractmethod
    def answered(self, responder: Responder, row: JsonObject, said: Any) -> JsonObject:
        """Return the response to a row.

        Raises:
            RowError: The row is refused.
        """

    @abstractmethod
    def line(self, row: JsonObject, verdict: Verdict) -> JsonObject:
        """Return the output row."""

    @abstractmethod
    def asks(self, text: str) -> JsonObject:
        """Return the members of a row with a prompt, without its ``custom_id``."""

    def importer(self) -> PartnerImporter:
        """Return an importer that checks only columns."""
        return PartnerImporter(self.import_row, self.reserved)

    def import_row(self, row: JsonObject, number: int) -> JsonObject:
        """Accept a row of this family. A row of another one fails the job, unless a script makes it fail the row.

        Raises:
            ImportFailed: The row is of another family.
        """
        if self._task.script.foreign_lines != "row" and (why := self.foreign(row)):
            raise ImportFailed(why, number)
        return row

    def is_done(self, _row: JsonObject) -> bool:
        """Return False for every row, because no page mentions that a job can continue an earlier output."""
        return False

    def key_of(self, row: JsonObject) -> str | None:
        """Return the row's ``custom_id``."""
        custom_id = row.get("custom_id")
        return None if custom_id is None else str(custom_id)

    def unreached(self, _row: JsonObject) -> JsonObject | None:
        """Return None, because rows of a cancelled or expired job were never captured."""
        return None

    def stranger(self, responder: Responder, key: str) -> JsonObject:
        """Return an output row that belongs to no request."""
        row = {"custom_id": key, **self.asks("Nobody asked.")}
        return self.line(row, Verdict(response=self.answered(responder, row, "Nobody asked.")))
