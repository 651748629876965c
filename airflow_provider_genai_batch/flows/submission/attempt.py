"""The facts that an attempt to submit a job begins with, and the job that it came to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from airflow_provider_genai_batch.flows.submission.room import Room
from airflow_provider_genai_batch.models import BatchJob


@dataclass(frozen=True)
class Attempt:
    """What is known before an attempt to submit."""

    look_first: bool = False
    """An earlier attempt may have created the job."""
    reattach: bool = True
    """Whether to reattach to a job of an earlier attempt; else running ones are cancelled."""
    since: float | None = None
    """No job of the task instance is older than this, in seconds since the epoch; None: nobody knows."""
    before: Collection[str] = ()
    """Jobs not to reattach to: they turned out to be of no use."""
    mine: Collection[str] = ()
    """Jobs that this attempt came to before it was deferred. It reattaches to them whatever became of them."""
    refusals: int = 0
    """How often the service had no capacity so far."""
    resumed: bool = False
    """This attempt looked already, some time ago."""
    begun: float | None = None
    """When the attempt began, by the clock of `submit` that never jumps; None: now."""
    deadline: float = 0.0
    """Until when a lack of capacity is waited out, in seconds since the epoch; 0: none has been met yet."""
    whole_task: bool = False
    """Whether what was written down of the task instance's other jobs is gone through too."""
    stalled: Callable[[BatchJob], bool] = lambda _job: False
    """Tells which jobs are not asked again in the same way, for they did not leave the queue."""
    room: Room | None = None
    """What the job needs and may have of the connection's enqueued tokens; None: there is no limit."""
    conn_id: str = ""
    """The task's Airflow connection."""
    place: str = ""
    """Where it points to, see `Record.place`."""


@dataclass(frozen=True)
class Found:
    """The job that a task came to."""

    job: BatchJob
    reattached: bool
    """It is of an earlier attempt."""
    before: Collection[str] = ()
    """Jobs that were there and are of no use."""
    twins: Sequence[BatchJob] = ()
    """Jobs that asked the same and have ended: of each request the first good row counts."""
