"""The manifest that a task leaves in XCom: where the rows are and how they turned out. Never rows, never prompts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from airflow_provider_genai_batch.models.base import Backend, Line, Noun
from airflow_provider_genai_batch.models.manifest.checked import Checked
from airflow_provider_genai_batch.models.manifest.cost import Cost
from airflow_provider_genai_batch.models.manifest.plan import Plan
from airflow_provider_genai_batch.models.manifest.queue import QueueTimes
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
    """Part of `total` whose request is equal to that of another row, so it was not asked itself. Left out likewise."""

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
    """Tokens of these answers when they were asked."""
    usd: float | None = None
    """An estimate at today's batch prices; None: the price list is not installed, or has no price for the model."""


class AnsweredBy(Noun):
    """Whom a part of the rows was asked of."""

    model: Line | None = None
    conn_id: Line
    """Airflow's connection."""
    ok: int
    """Rows with a good answer."""


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
    results_digest: str | None = None
    """Size and checksum of the file that landed there, to recognise that somebody has overwritten it."""
    media_uri: Line | None = None
    """Folder where this package wrote pictures and sound of answers; rows say which files are theirs."""
    counts: RowCounts | None = None
    """None while the job runs."""
    row_schema: int = 1
    """Version of what rows are, see `models.row.ROW_SCHEMA`."""
    finish_reasons: dict[Line, int] = Field(default_factory=dict)
    """Answers by the reason why the model stopped, without rows that were not read."""
    dropped: dict[Line, int] = Field(default_factory=dict)
    """Parts of answers that are in no row and no file, by kind."""
    tiers: dict[Line, int] = Field(default_factory=dict)
    """Final rows by how they were served: ``batch``, ``flex``, ``standard`` or ``unknown``, without missing ones."""
    answered_by: tuple[AnsweredBy, ...] = ()
    """Final rows by the model and connection that answered them; empty where no fallback was asked."""
    causes: dict[Line, int] = Field(default_factory=dict)
    """The commonest causes of failed rows, with their numbers."""
    checks: tuple[Checked, ...] = ()
    """What the checks of all rows have found."""
    usage: Usage | None = None
    cost: Cost | None = None
    """None where the extra ``prices`` is missing, its price list does not have the model, or no row gave tokens."""
    plan: Plan | None = None
    """What was planned before anything was paid; None where the service alone reads the requests."""
    versions: Versions | None = None
    """Of prompt, schema and defaults; None: the task knows of nothing that all requests share."""
    saved: Saved | None = None
    """By earlier results and equal requests; None: the task uses no earlier answers."""
    bigquery: TableJobs | None = None
    """What was done in BigQuery beside the model's jobs; None: nothing."""
    queue: tuple[QueueTimes, ...] = ()
    """How long the last jobs of this task took, in this run and those before it, by model and connection."""
    create_time: datetime | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    rounds: int = 1
