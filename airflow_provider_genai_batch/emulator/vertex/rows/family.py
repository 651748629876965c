"""The protocol for the rows of one family of models: how they are read, answered and written."""

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
    """The properties of one job that its rows need.

    Attributes:
        model: The resource name of the model.
        at_ns: When its rows are processed.
        script: The job's script.
        features: Whether partner models may use the features that an organisation must allow.
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
            ImportFailed: The importer cannot read it.
        """


class Family(Protocol):
    """The rows of one job."""

    needed: Sequence[str]
    """The columns that a table must have."""

    reserved: Sequence[str]
    """The columns that only an output may have."""

    resumes: bool
    """Whether an earlier output can be the input of a job that continues it."""

    most: int
    """The most rows in one job."""

    style: Style

    def importer(self) -> RowImporter:
        """Return an importer for one source."""

    def import_row(self, row: JsonObject, number: int) -> JsonObject:
        """Return a table's row in the form in which it is processed.

        Raises:
            ImportFailed: The importer cannot read it.
        """

    def is_done(self, row: JsonObject) -> bool:
        """Return whether an earlier job answered the row."""

    def key_of(self, row: JsonObject) -> str | None:
        """Return the key by which scripts can name the row."""

    def answered(self, responder: Responder, row: JsonObject, said: Any) -> JsonObject:
        """Return the response to a row.

        Args:
            responder: The simulated model.
            row: The input row.
            said: The answer from a script, or None.

        Raises:
            RowError: The row is refused.
        """

    def line(self, row: JsonObject, verdict: Verdict) -> JsonObject:
        """Return the output row."""

    def unreached(self, row: JsonObject) -> JsonObject | None:
        """Return the row of an output table for an input row that was not processed; None: there is none."""

    def stranger(self, responder: Responder, key: str) -> JsonObject:
        """Return an output row that belongs to no request."""

    def copied(self, columns: Sequence[Column]) -> list[Column]:
        """Return the columns of a source table that are copied to its output."""

    def results(self) -> Mapping[str, str]:
        """Return the further columns of an output table, and their types."""
