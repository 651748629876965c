"""The steps that flows ask their driver for."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from airflow_provider_genai_batch.flows.record import Record
from airflow_provider_genai_batch.models import BatchJob


@dataclass(frozen=True)
class Sleep:
    """Wait so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Look:
    """Look at a job by name; answers a `BatchJob`, or a `JobStatus` where many are waited for together."""

    name: str


@dataclass(frozen=True)
class Cancel:
    """Cancel a job by the one protocol for that: read it by name, then ask; answers a `Cancellation`.

    Fails where the service does not take the cancellation of a job that goes on, or cannot be asked.
    """

    name: str
    only_if: Callable[[BatchJob], bool] | None = None
    """Whether the job that was read may be cancelled; None: any may."""
    is_new: Callable[[], bool] | None = None
    """Whether the job may be too new to be known by its name; None: it is not."""
    conn_id: str = ""
    """Through which Airflow connection; empty: the task's own."""


@dataclass(frozen=True)
class Find:
    """Ask a list for the jobs of a task instance; answers a list of `BatchJob`.

    What a list shows is a hint: it may lag, hold what is gone, or jobs of others.
    """

    since: float | None = None
    """None of them is older than this, in seconds since the epoch; None: nobody knows."""


@dataclass(frozen=True)
class Recall:
    """Ask for what was written down; answers a `Record`, None where nothing is kept."""


@dataclass(frozen=True)
class RecallAll:
    """Ask for all that the task instance wrote down, of whichever jobs; answers a list of `Record`."""


@dataclass(frozen=True)
class Remember:
    """Write down; answers False where a place for it exists and is in trouble.

    Fails when this attempt is not the task's any more.
    """

    record: Record


@dataclass(frozen=True)
class Place:
    """Put the input where the service reads it."""


@dataclass(frozen=True)
class Create:
    """Send the create call, once; answers a `BatchJob`."""


@dataclass(frozen=True)
class AwaitCapacity:
    """Wait so many seconds, without a slot if that can be: there is no capacity, or no place for the input, for now."""

    seconds: float
    refusals: int
    before: Collection[str]
    """Jobs that are not to be taken up."""
    deadline: float
    """Until when it is waited for, in seconds since the epoch by the service's clock."""


@dataclass(frozen=True)
class Discard:
    """Delete the inputs that were uploaded for jobs that ended."""

    jobs: tuple[BatchJob, ...]
