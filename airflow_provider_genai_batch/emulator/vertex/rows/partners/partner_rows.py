"""What the rows of partner and open models have in common; their lines and their answers differ."""

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
        """Work on one job."""
        self._task = task

    @abstractmethod
    def foreign(self, row: JsonObject) -> str:
        """Return why a row is none of this family's; empty for one that is."""

    @abstractmethod
    def answered(self, responder: Responder, row: JsonObject, said: Any) -> JsonObject:
        """Return the response to a row.

        Raises:
            RowError: It is refused.
        """

    @abstractmethod
    def line(self, row: JsonObject, verdict: Verdict) -> JsonObject:
        """Return the output row."""

    @abstractmethod
    def asks(self, text: str) -> JsonObject:
        """Return the members of a row that ask a text, without its ``custom_id``."""

    def importer(self) -> PartnerImporter:
        """Return an importer that looks at columns only."""
        return PartnerImporter(self.import_row, self.reserved)

    def import_row(self, row: JsonObject, number: int) -> JsonObject:
        """Take a row of this family; one of another fails the job unless a script has it fail the row.

        Raises:
            ImportFailed: It is of another family.
        """
        if self._task.script.foreign_lines != "row" and (why := self.foreign(row)):
            raise ImportFailed(why, number)
        return row

    def is_done(self, _row: JsonObject) -> bool:
        """Ask every row: no page speaks of going on from an earlier output."""
        return False

    def key_of(self, row: JsonObject) -> str | None:
        """Return the row's ``custom_id``."""
        custom_id = row.get("custom_id")
        return None if custom_id is None else str(custom_id)

    def unreached(self, _row: JsonObject) -> JsonObject | None:
        """Return nothing: rows of a cancelled or expired job were never captured."""
        return None

    def stranger(self, responder: Responder, key: str) -> JsonObject:
        """Return an output row that nobody asked for."""
        row = {"custom_id": key, **self.asks("Nobody asked.")}
        return self.line(row, Verdict(response=self.answered(responder, row, "Nobody asked.")))
