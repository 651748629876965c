"""What the rows of one family of models need: how they are read, answered and written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from airflow_provider_genai_batch.emulator.jobs.rows import Style, Verdict
from airflow_provider_genai_batch.emulator.jobs.script import JobScript
from airflow_provider_genai_batch.emulator.jsontypes import JsonObject
from airflow_provider_genai_batch.emulator.model.respond import Responder

Column = tuple[str, str]
"""A column's name and its type."""


@dataclass(frozen=True)
class Task:
    """One job, as far as its rows need it.

    Attributes:
        model: Resource name of the model.
        at_ns: When its rows are processed.
        script: What a test wants of it.
        features: Whether partner models may do what an organisation has to allow.
    """

    model: str
    at_ns: int
    script: JobScript
    features: bool


class RowImporter(Protocol):
    """Reads the lines of a JSONL source."""

    def row(self, line: bytes) -> JsonObject:
        """Read one line.

        Raises:
            ImportFailed: The importer cannot take it.
        """


class Family(Protocol):
    """The rows of one job."""

    needed: Sequence[str]
    """Columns that a table must have."""

    reserved: Sequence[str]
    """Columns that only an output may have."""

    resumes: bool
    """Whether an earlier output is an input that goes on where that one ended."""

    most: int
    """Rows that one job may have."""

    style: Style

    def importer(self) -> RowImporter:
        """Return an importer for one source."""

    def import_row(self, row: JsonObject, number: int) -> JsonObject:
        """Return a table's row as it is worked on.

        Raises:
            ImportFailed: The importer cannot take it.
        """

    def is_done(self, row: JsonObject) -> bool:
        """Whether the row was answered by an earlier job."""

    def key_of(self, row: JsonObject) -> str | None:
        """Return what scripts may name the row by."""

    def answered(self, responder: Responder, row: JsonObject, said: Any) -> JsonObject:
        """Return the response to a row.

        Args:
            responder: The pretend model.
            row: The input row.
            said: What a script has it say, or None.

        Raises:
            RowError: It is refused.
        """

    def line(self, row: JsonObject, verdict: Verdict) -> JsonObject:
        """Return the output row."""

    def unreached(self, row: JsonObject) -> JsonObject | None:
        """Return what a table has of a row that the job did not come to, if it has anything."""

    def stranger(self, responder: Responder, key: str) -> JsonObject:
        """Return an output row that nobody asked for."""

    def copied(self, columns: Sequence[Column]) -> list[Column]:
        """Return the columns of a source table that its output has too."""

    def results(self) -> Mapping[str, str]:
        """Return the columns that an output table has beside those, and their types."""
