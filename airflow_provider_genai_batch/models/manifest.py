"""The manifest that a task leaves in XCom: where the rows are and how they turned out. Never rows, never prompts."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from airflow_provider_genai_batch.models.base import Backend, Line, Noun
from airflow_provider_genai_batch.models.checked import Checked
from airflow_provider_genai_batch.models.cost import Cost
from airflow_provider_genai_batch.models.plan import Plan
from airflow_provider_genai_batch.models.row import Usage


class RowCounts(Noun):
    """Rows by status. ``total`` counts requests: every request has one row."""

    total: int = 0
    ok: int = 0
    invalid: int = 0
    error: int = 0
    cancelled: int = 0
    missing: int = 0

    @property
    def failed(self) -> int:
        """Everything that is not ``ok``."""
        return self.total - self.ok


class Manifest(Noun):
    """The XCom of an operator or sensor of this package, a few KB of JSON. Times are UTC."""

    version: int = 1
    backend: Backend
    model: Line | None = None
    state: Line
    """`JobState` value; of several jobs the least advanced."""
    job_names: tuple[Line, ...]
    display_name: Line | None = None
    source: Line | None = None
    """Address of the input as the service read it; ``inline`` for inline requests."""
    output: tuple[Line, ...] = ()
    """Where the service put the rows, one address a job (``inline``: in the job itself)."""
    results_uri: Line | None = None
    """Where this package landed the normalised rows."""
    results_digest: str | None = None
    """Size and checksum of the file that landed there: tells it from one that was written over it."""
    media_uri: Line | None = None
    """Folder where this package wrote pictures and sound of answers; rows say which files are theirs."""
    counts: RowCounts | None = None
    """None while the job runs."""
    row_schema: int = 1
    """Version of what rows are, see `models.row.ROW_SCHEMA`."""
    finish_reasons: dict[Line, int] = Field(default_factory=dict)
    """Answers by the reason for which the model stopped; rows that were not read are not in it."""
    dropped: dict[Line, int] = Field(default_factory=dict)
    """What of answers is in no row and no file, by kind."""
    tiers: dict[Line, int] = Field(default_factory=dict)
    """Final rows by how they were served: ``batch``, ``flex``, ``standard`` or ``unknown``, without missing ones."""
    causes: dict[Line, int] = Field(default_factory=dict)
    """The commonest causes of failed rows, with their numbers."""
    checks: tuple[Checked, ...] = ()
    """What the checks of all rows have found."""
    usage: Usage | None = None
    cost: Cost | None = None
    """None where the extra ``prices`` is missing, its price list does not have the model, or no row gave tokens."""
    plan: Plan | None = None
    """What was planned before anything was paid; None where the service alone reads the requests."""
    create_time: datetime | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    rounds: int = 1
