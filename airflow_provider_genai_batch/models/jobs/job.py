"""A batch job as Google sees it, the same for both services."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from pydantic import Field

from airflow_provider_genai_batch.models.base import Backend, Line, Noun
from airflow_provider_genai_batch.models.source import BatchDestination, BatchSource

if TYPE_CHECKING:
    from typing_extensions import Self


class Verdict(str, Enum):
    """What a job's state means for a task that waits for it."""

    WAIT = "wait"
    """It has not ended: look again."""
    ROWS = "rows"
    """It has ended, and its rows decide."""
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    PAUSED = "paused"


class Worth(str, Enum):
    """What a job is still worth to the task that submitted it."""

    RUNNING = "running"
    """It is billed, or will be if it is resumed."""
    ROWS = "rows"
    """It answers no more requests, but may have answered rows: wait for its end, and read them."""
    NOTHING = "nothing"
    """It answers no more requests, and has answered none."""


class JobState(str, Enum):
    """The twelve states of both services, without their prefixes on the wire, each with its verdict.

    An unknown state becomes ``UNSPECIFIED``; `BatchJob.raw_state` keeps its text. The order is that of
    ``google.cloud.aiplatform.v1.JobState``, because the service may send its numbers.
    """

    UNSPECIFIED = "UNSPECIFIED"
    QUEUED = "QUEUED"
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED", Verdict.ROWS
    FAILED = "FAILED", Verdict.FAILED
    CANCELLING = "CANCELLING"
    CANCELLED = "CANCELLED", Verdict.CANCELLED
    PAUSED = "PAUSED", Verdict.PAUSED
    EXPIRED = "EXPIRED", Verdict.EXPIRED
    UPDATING = "UPDATING"
    PARTIALLY_SUCCEEDED = "PARTIALLY_SUCCEEDED", Verdict.ROWS

    _value_: str
    verdict: Verdict
    """What this state means for a task that waits."""
    ended: bool
    """Whether the job has ended or is paused, so that its state does not change by itself."""

    def __new__(cls, value: str, verdict: Verdict = Verdict.WAIT) -> Self:
        """Make a member."""
        state = str.__new__(cls, value)
        state._value_ = value
        state.verdict = verdict
        state.ended = verdict is not Verdict.WAIT
        return state

    @property
    def final(self) -> bool:
        """Whether the job has ended; a paused job has not, because it can be resumed."""
        return self.ended and self is not JobState.PAUSED

    @property
    def queued(self) -> bool:
        """Whether the job waits in the queue."""
        return self is JobState.QUEUED or self is JobState.PENDING


class JobCounts(Noun):
    """Requests of a job as the service counts them; None: not given. Counters may lag, so rows decide."""

    total: int | None = None
    succeeded: int | None = None
    failed: int | None = None
    pending: int | None = None

    @property
    def finished(self) -> int:
        """The number that have succeeded or failed, as far as the service reports them."""
        return (self.succeeded or 0) + (self.failed or 0)


class JobProblem(Noun):
    """The service's own reason for an end without rows (``google.rpc.Status``)."""

    code: int | None = None
    """gRPC code, not an HTTP status."""
    message: Line = ""
    details: tuple[dict[str, Any], ...] = ()


class JobOutput(Noun):
    """Where the service wrote the rows. All None: nowhere yet, or in the job itself (``inline``)."""

    file_name: str | None = None
    """Gemini: ``files/batch-…``."""
    inline: bool = False
    """Gemini: the rows are in the job resource."""
    gcs_directory: str | None = None
    """Vertex: ``gs://…`` of the directory that holds ``*.jsonl``."""
    bigquery_table: str | None = None
    """Vertex: ``bq://project.dataset.table``."""
    journal: str | None = None
    """For immediate calls instead of a job: the folder with the answers. They may be loaded into `bigquery_table`."""

    @property
    def place(self) -> str | None:
        """The address of the rows; None if there is none yet."""
        inline = "inline" if self.inline else None
        return self.file_name or self.gcs_directory or self.bigquery_table or self.journal or inline


class BatchJob(Noun):
    """One job: ``batches/…`` on Gemini, ``projects/…/batchPredictionJobs/…`` on Vertex. Times are UTC."""

    name: Line
    backend: Backend
    model: Line | None = None
    display_name: Line | None = None
    state: JobState = JobState.UNSPECIFIED
    raw_state: str = ""
    """The state as the service wrote it."""
    create_time: datetime | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    update_time: datetime | None = None
    counts: JobCounts = JobCounts()
    problem: JobProblem | None = None
    source: BatchSource | None = None
    destination: BatchDestination | None = None
    output: JobOutput = JobOutput()
    labels: dict[Line, Line] = Field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """What the state means for a task that waits."""
        return self.state.verdict

    @property
    def done(self) -> bool:
        """Whether the job has ended or is paused, so that its state does not change by itself."""
        return self.state.ended


def worth(job: BatchJob) -> Worth:
    """Return what a job is still worth. A job that ended well may have rows even if the service counts none."""
    ending = job.state is JobState.CANCELLING
    if not job.state.final and not ending:
        return Worth.RUNNING
    unknown = job.verdict is Verdict.ROWS and job.counts.succeeded is None
    return Worth.ROWS if ending or unknown or job.counts.succeeded else Worth.NOTHING


def total_of(jobs: Iterable[BatchJob]) -> int | None:
    """Return how many requests jobs have together; None if the service did not report the number of one job."""
    totals = [job.counts.total for job in jobs]
    return None if None in totals else sum(total or 0 for total in totals)
