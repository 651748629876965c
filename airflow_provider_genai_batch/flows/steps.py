"""The steps that flows yield to their driver, and which flow yields which.

The steps that carry HTTP requests belong to `client`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

from airflow_provider_genai_batch.flows.record import Record
from airflow_provider_genai_batch.models import BatchJob


@dataclass(frozen=True)
class Sleep:
    """Wait so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Look:
    """Look at a job by name; returns a `BatchJob`, or a `JobStatus` if many jobs are polled together."""

    name: str


@dataclass(frozen=True)
class Cancel:
    """Cancel a job by the one protocol for that: read it by name, then request it; returns a `Cancellation`.

    Fails if the service refuses to cancel a running job, or cannot be reached.
    """

    name: str
    only_if: Callable[[BatchJob], bool] | None = None
    """Whether the job that was read may be cancelled; None: any may."""
    is_new: Callable[[], bool] | None = None
    """Tells whether the job may be too new to be found by its name; None: it is not."""
    conn_id: str = ""
    """The Airflow connection to use; empty: the task's own."""


@dataclass(frozen=True)
class Find:
    """List the jobs of a task instance; returns a list of `BatchJob`.

    A list is only a hint: it may lag, or show deleted jobs and jobs of others.
    """

    since: float | None = None
    """No job is older than this, in seconds since the epoch; None: unknown."""


@dataclass(frozen=True)
class Recall:
    """Read the record of the job; returns a `Record`, or None if there is no store."""


@dataclass(frozen=True)
class RecallAll:
    """Read the records of all jobs of the task instance; returns a list of `Record`."""


@dataclass(frozen=True)
class Remember:
    """Write a record; returns False if there is a store but it does not work.

    Fails if this attempt is no longer the task's current one.
    """

    record: Record


@dataclass(frozen=True)
class ListLive:
    """List all jobs of the connection that may not have ended; returns a list of `BatchJob`, or None.

    A list is only a hint. None: it cannot be read for now.
    """


@dataclass(frozen=True)
class ListToday:
    """List all jobs of the connection that were created today (UTC), from all submitters; returns a list of `BatchJob`.

    A list is only a hint. Fails if it cannot be read.
    """


@dataclass(frozen=True)
class Place:
    """Upload or stage the input."""


@dataclass(frozen=True)
class Create:
    """Send the create call, once; returns a `BatchJob`."""


@dataclass(frozen=True)
class AwaitCapacity:
    """Wait for capacity, or until the input can be uploaded, without a slot if possible."""

    seconds: float
    refusals: int
    before: Collection[str]
    """Jobs not to reattach to."""
    deadline: float
    """End of the wait, in seconds since the epoch by the service's clock."""
    room_since: float = 0.0
    """Since when there is room for the job, which gives way to others; by that clock. 0: there is none."""


@dataclass(frozen=True)
class Discard:
    """Delete the inputs that were uploaded for ended jobs."""

    jobs: tuple[BatchJob, ...]


@dataclass(frozen=True)
class Fetch:
    """Get an ended job; returns a `BatchJob`."""

    name: str


@dataclass(frozen=True)
class Land:
    """Read the rows of jobs and write them to their destination; returns a `RowCounter`."""

    jobs: tuple[BatchJob, ...]
    besides: int = 0
    """Number of requests that belong to other jobs, whose rows stay in BigQuery."""
    partly: bool = True
    """Whether to write rows even if fewer came than the service has counted."""


@dataclass(frozen=True)
class CountTables:
    """Count the rows of jobs in BigQuery; returns a `bigquery_output.Counted`, or None if BigQuery cannot be queried.

    If the task writes a typed table, this step writes it and returns the `RowCounter` of its rows.
    """

    jobs: tuple[BatchJob, ...]


ReadStep: TypeAlias = Look | Sleep
"""Steps of reading a job by its name."""
WatchStep: TypeAlias = Look | Cancel | Sleep
"""Steps of waiting for jobs."""
FindStep: TypeAlias = Find | Look | Sleep
"""Steps of looking for jobs without a record."""
WithdrawStep: TypeAlias = Cancel | RecallAll
"""Steps of cancelling jobs that are no longer wanted."""
TodayStep: TypeAlias = ListToday | Look
"""Steps of adding up what the jobs of a day may cost."""
SubmitStep: TypeAlias = (
    Recall
    | RecallAll
    | Remember
    | Find
    | ListLive
    | ListToday
    | Look
    | Cancel
    | Place
    | Create
    | AwaitCapacity
    | Sleep
)
"""Steps of finding or creating a job."""
SettleStep: TypeAlias = Fetch | Land | CountTables | Discard | Sleep
"""Steps of deciding an outcome."""


def unknown(step: NoReturn) -> NoReturn:
    """Refuse a step that no driver knows; mypy makes sure that this is never called.

    Raises:
        TypeError: always.
    """
    msg = f"no such step: {step!r}"
    raise TypeError(msg)
