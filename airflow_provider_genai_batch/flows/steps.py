"""The steps that flows ask their driver for, and which flow asks for which.

Those of the protocols of calls (`client`) carry HTTP requests and are there.
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
class ListLive:
    """List the connection's jobs, whosever they are, that may not have ended; answers a list of `BatchJob`, or None.

    What a list shows is a hint. None: it cannot be read for now.
    """


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
    """Jobs not to reattach to."""
    deadline: float
    """Until when it is waited for, in seconds since the epoch by the service's clock."""


@dataclass(frozen=True)
class Discard:
    """Delete the inputs that were uploaded for jobs that ended."""

    jobs: tuple[BatchJob, ...]


@dataclass(frozen=True)
class Fetch:
    """Get an ended job; answers a `BatchJob`."""

    name: str


@dataclass(frozen=True)
class Land:
    """Read the rows of jobs, and write them where the task wants them; answers a `RowCounter`."""

    jobs: tuple[BatchJob, ...]
    besides: int = 0
    """How many of the task's requests other jobs had, whose rows are in BigQuery."""
    partly: bool = True
    """Write rows also if fewer came than the service has counted."""


@dataclass(frozen=True)
class CountTables:
    """Count the rows of jobs in BigQuery; answers a `bigquery_output.Counted`, None where nobody can ask BigQuery.

    Where the task writes a table of its own from them, it is written, and the answer is the `RowCounter` of its rows.
    """

    jobs: tuple[BatchJob, ...]


ReadStep: TypeAlias = Look | Sleep
"""Of whoever reads a job by its name."""
WatchStep: TypeAlias = Look | Cancel | Sleep
"""Of waiting for jobs."""
FindStep: TypeAlias = Find | Look | Sleep
"""Of looking for jobs that nobody wrote down."""
WithdrawStep: TypeAlias = Cancel | RecallAll
"""Of cancelling what is not wanted any more."""
SubmitStep: TypeAlias = (
    Recall | RecallAll | Remember | Find | ListLive | Look | Cancel | Place | Create | AwaitCapacity | Sleep
)
"""Of coming to a job."""
SettleStep: TypeAlias = Fetch | Land | CountTables | Discard | Sleep
"""Of deciding an outcome."""


def unknown(step: NoReturn) -> NoReturn:
    """Refuse what no driver has been taught; mypy sees to it that this is never called.

    Raises:
        TypeError: always.
    """
    msg = f"no such step: {step!r}"
    raise TypeError(msg)
