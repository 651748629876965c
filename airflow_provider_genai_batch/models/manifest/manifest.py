"""The manifest that a task leaves in XCom: where the rows are and how they turned out. Never rows, never prompts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from airflow_provider_genai_batch.models.base import Backend, Line, Noun
from airflow_provider_genai_batch.models.manifest.checked import Checked
from airflow_provider_genai_batch.models.manifest.cost import Cost
from airflow_provider_genai_batch.models.manifest.plan import Plan
from airflow_provider_genai_batch.models.manifest.queue import QueueTimes
from airflow_provider_genai_batch.models.manifest.spent_today import SpentToday
from airflow_provider_genai_batch.models.manifest.table_jobs import TableJobs
from airflow_provider_genai_batch.models.manifest.versions import Versions
from airflow_provider_genai_batch.models.row import Usage


class RowCounts(Noun):
    """Rows by status. ``total`` counts requests: every request has one row."""

    total: int = 0
    ok: int = 0
    invalid: int = 0
    error: int = 0
    cancelled: int = 0
    missing: int = 0
    reused: int | None = None
    """Part of `total` that earlier results answer. None, and left out, if the task uses no earlier answers."""
    same: int | None = None
    """Part of `total` whose request is equal to that of another row and was not sent. Left out in the same cases."""

    @property
    def asked(self) -> int:
        """Requests that were sent to the service."""
        return self.total - (self.reused or 0) - (self.same or 0)

    @model_serializer(mode="wrap")
    def _written(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: number for name, number in write(self).items() if number is not None}

    @property
    def failed(self) -> int:
        """Everything that is not ``ok``."""
        return self.total - self.ok


class Saved(Noun):
    """What was not paid, because the answers already existed."""

    usage: Usage
    """Tokens of these answers when they were created."""
    usd: float | None = None
    """An estimate at today's batch prices; None: the price list is not installed, or has no price for the model."""


class AnsweredBy(Noun):
    """The model and connection that answered a part of the rows."""

    model: Line | None = None
    conn_id: Line
    """Airflow's connection."""
    ok: int
    """Rows with a valid answer."""

    @classmethod
    def add_up(cls, answered: Iterable[AnsweredBy]) -> tuple[AnsweredBy, ...]:
        """Add up the rows of each model and connection.

        The Gemini API writes ``models/`` before the name of a job's model, which immediate calls have without it.
        """
        found: dict[tuple[str, str], AnsweredBy] = {}
        for one in answered:
            whom = (one.model or "").removeprefix("models/"), one.conn_id
            first = found.setdefault(whom, one.model_copy(update={"ok": 0}))
            found[whom] = first.model_copy(update={"ok": first.ok + one.ok})
        return tuple(found.values())


class Manifest(Noun):
    """The XCom of an operator or sensor of this package, a few KB of JSON. Times are UTC."""

    version: int = 1
    backend: Backend
    model: Line | None = None
    state: Line
    """A `JobState` value; for several jobs that of the least advanced one."""
    job_names: tuple[Line, ...]
    display_name: Line | None = None
    source: Line | None = None
    """Address of the input as the service read it; ``inline`` for inline requests."""
    output: tuple[Line, ...] = ()
    """Where the service wrote the rows, one address for each job (``inline``: in the job itself)."""
    results_uri: Line | None = None
    """Where this package landed the normalised rows."""
    last_results_uri: Line | None = None
    """Only in a plan of a task with ``reuse``: where the rows of its last earlier run landed, for the run after it."""
    results_digest: str | None = None
    """Size and checksum of the file that landed there, to recognise that it has been overwritten."""
    media_uri: Line | None = None
    """Folder where this package wrote pictures and sound of answers; rows say which files are theirs."""
    counts: RowCounts | None = None
    """None while the job runs."""
    row_schema: int = 1
    """Version of the row format, see `models.row.ROW_SCHEMA`."""
    finish_reasons: dict[Line, int] = Field(default_factory=dict)
    """Number of answers by the reason why the model stopped, without rows that were not read."""
    dropped: dict[Line, int] = Field(default_factory=dict)
    """Number of parts of answers that are in no row and no file, by kind."""
    tiers: dict[Line, int] = Field(default_factory=dict)
    """Number of final rows by tier: ``batch``, ``flex``, ``standard`` or ``unknown``, without missing rows."""
    answered_by: tuple[AnsweredBy, ...] = ()
    """Number of final rows by the model and connection that answered them; empty if no fallback was used."""
    causes: dict[Line, int] = Field(default_factory=dict)
    """The most common causes of failed rows, with the number of rows."""
    checks: tuple[Checked, ...] = ()
    """Results of the checks of all rows."""
    usage: Usage | None = None
    cost: Cost | None = None
    """None if the extra ``prices`` is missing, its price list does not have the model, or no row has token counts."""
    plan: Plan | None = None
    """The plan before anything was paid; None if only the service reads the requests."""
    spent_today: SpentToday | None = None
    """What the day's jobs may cost; None if no `max_cost_per_day` applies, or this attempt created no job."""
    versions: Versions | None = None
    """Versions of prompt, schema and defaults; None if the requests are not known to have any of these in common."""
    saved: Saved | None = None
    """Savings by earlier results and equal requests; None if the task uses no earlier answers."""
    bigquery: TableJobs | None = None
    """Jobs in BigQuery, apart from batch jobs of the model; None if there were none."""
    queue: tuple[QueueTimes, ...] = ()
    """How long the last jobs of this task took, in this run and those before it, by model and connection."""
    create_time: datetime | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    rounds: int = 1
