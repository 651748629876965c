"""What is known before an attempt to submit a job, and the job that it found or created."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from airflow_provider_genai_batch.flows.submission.charge import Charge
from airflow_provider_genai_batch.flows.submission.room import Room
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.manifest.spent_today import SpentToday


@dataclass(frozen=True)
class Attempt:
    """Facts known before an attempt to submit."""

    look_first: bool = False
    """Whether an earlier attempt may have created the job."""
    reattach: bool = True
    """Whether to reattach to a job of an earlier attempt; else running ones are cancelled."""
    since: float | None = None
    """No job of the task instance is older than this, in seconds since the epoch; None: unknown."""
    before: Collection[str] = ()
    """Jobs not to reattach to, because they turned out to be useless."""
    mine: Collection[str] = ()
    """Jobs that this attempt found or created before it was deferred. It reattaches to them in any state."""
    refusals: int = 0
    """How often the service has had no capacity so far."""
    resumed: bool = False
    """Whether this attempt has already looked, some time ago."""
    begun: float | None = None
    """When the attempt began, in seconds of the `steady` clock of `submit`; None: now."""
    deadline: float = 0.0
    """Until when to wait for capacity, in seconds since the epoch; 0: no wait has begun."""
    whole_task: bool = False
    """Whether to check the records of the task instance's other jobs, too."""
    stalled: Callable[[BatchJob], bool] = lambda _job: False
    """Tells which jobs did not leave the queue, so that they are not submitted again in the same way."""
    room: Room | None = None
    """Enqueued tokens that the job needs, and the connection's limit; None: no limit."""
    room_since: float = 0.0
    """Since when there is room for it, see `AwaitCapacity`."""
    charge: Callable[[], Charge] | None = None
    """Returns what the job may cost; None: no limit of a day applies."""
    model: str = ""
    """Model of the job."""
    conn_id: str = ""
    """The task's Airflow connection."""
    place: str = ""
    """The place it points to, see `Record.place`."""


@dataclass(frozen=True)
class Found:
    """The job that a task found or created."""

    job: BatchJob
    reattached: bool
    """Whether it is from an earlier attempt."""
    before: Collection[str] = ()
    """Existing jobs that are useless."""
    twins: Sequence[BatchJob] = ()
    """Ended jobs with the same requests: for each request, the first good row counts."""
    spent_today: SpentToday | None = None
    """What the day's jobs may cost; None: the job was reattached to, or no limit of a day applies."""
