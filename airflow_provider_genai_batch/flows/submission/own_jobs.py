"""The jobs of one task instance that ask the same: each is read by its name, and one of them is gone on with."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Generator, Iterable
from dataclasses import dataclass
from typing import Any

from airflow_provider_genai_batch.exceptions import NotFound
from airflow_provider_genai_batch.flows.steps import Look, ReadStep, Sleep
from airflow_provider_genai_batch.models import BatchJob, JobState
from airflow_provider_genai_batch.models.jobs.identity import Identity, round_of
from airflow_provider_genai_batch.models.jobs.job import Verdict, Worth, worth

log = logging.getLogger(__name__)

APPEARS_WITHIN = 60.0
"""Seconds after a job's creation in which the service may yet answer that there is no such job."""
_PAUSE = 2.0
"""Seconds between looks for a job that does not appear yet."""


def read_job(
    name: str, created: float | None, clock: Callable[[], float]
) -> Generator[ReadStep, Any, BatchJob | None]:
    """Read a job by its name; one that was created a moment ago is given time to appear.

    Args:
        name: the job.
        created: when it was created, in seconds since the epoch by the service's clock; None: nobody knows.
        clock: tells those seconds.

    Returns:
        The job; None where there is none (any more).

    Raises:
        CallError: the service refused, or gave no answer.
    """
    left: float | None = None
    while True:
        try:
            job: BatchJob = yield Look(name)
        except NotFound:
            if left is None:
                age = APPEARS_WITHIN if created is None else clock() - created
                left = min(APPEARS_WITHIN - age, APPEARS_WITHIN)
            if left <= 0:
                return None
            log.info("Job %s was just created and cannot be read by its name yet; trying again.", name)
            pause = min(_PAUSE, left)
            left -= pause
            yield Sleep(pause)
        else:
            return job


def newness(created: float | None, clock: Callable[[], float]) -> Callable[[], bool]:
    """Return what tells whether a job that was created at a time may still be unknown by its name."""
    return lambda: created is not None and clock() < created + APPEARS_WITHIN


def created_at(job: BatchJob) -> float | None:
    """Return when a job was created, in seconds since the epoch; None: nobody knows."""
    return None if job.create_time is None else job.create_time.timestamp()


@dataclass(frozen=True)
class Choice:
    """What becomes of jobs that ask the same."""

    kept: BatchJob | None
    """The one to go on with; None: none of them is of use."""
    twins: tuple[BatchJob, ...] = ()
    """Those that have ended and answered rows, which count beside its own."""
    surplus: tuple[BatchJob, ...] = ()
    """Those that go on without need."""


def choose(jobs: Iterable[BatchJob], mine: Collection[str] = ()) -> Choice:
    """Choose among jobs that ask the same, as they were read by name.

    One that has answered all is kept, then one that goes on, then one that is being cancelled, then one that left rows;
    among several of a kind the one that has answered most, else the oldest. One that goes on comes before one that
    ended early: it will answer all, and the other may be the twin that was cancelled for its sake.

    Args:
        jobs: of one identity.
        mine: those that this attempt came to before. One is kept whatever became of it, if there is no better.
    """
    jobs = [*jobs]
    good = [job for job in jobs if goes_on(job) or job.verdict is Verdict.ROWS]
    kept = max(good, key=_rank, default=None) or next((job for job in jobs if job.name in mine), None)
    if kept is None:
        kept = max((job for job in jobs if worth(job) is Worth.ROWS), key=_rank, default=None)
    others = [job for job in jobs if job is not kept]
    surplus = tuple(job for job in others if goes_on(job))
    if kept is None or _is_complete(kept):
        return Choice(kept, surplus=surplus)
    return Choice(kept, tuple(job for job in others if answered(job)), surplus)


def usable(job: BatchJob) -> bool:
    """Whether a later attempt goes on with a job: it moves, or left rows."""
    return choose([job]).kept is not None


def followed(
    identity: Identity,
    own: Iterable[BatchJob],
    kin: Iterable[BatchJob],
    stalled: Callable[[BatchJob], bool] = lambda _job: False,
) -> BatchJob | None:
    """Return the job without a row that a job of a later round completes: only through it that round is found again.

    Likewise one that has stalled: what it asks is not asked once more in the same way.

    Args:
        identity: of the round.
        own: its jobs, none of which is of use by itself.
        kin: jobs of the task instance.
        stalled: tells which jobs have.
    """
    later = [job for job in kin if identity.is_family(job) and round_of(job.display_name) > identity.round]
    ended = [job for job in own if job.state in (JobState.CANCELLED, JobState.EXPIRED)]
    ended = [job for job in ended if later or stalled(job)]
    return max(ended, key=lambda job: job.create_time.timestamp() if job.create_time else 0.0, default=None)


def goes_on(job: BatchJob) -> bool:
    """Whether a job bills, or will when somebody resumes it."""
    return worth(job) is Worth.RUNNING


def answered(job: BatchJob) -> bool:
    """Whether a job has ended and may have rows."""
    return job.state.final and worth(job) is Worth.ROWS


def _is_complete(job: BatchJob) -> bool:
    """Whether an ended job is not known to lack a row."""
    counts = job.counts
    if job.verdict is not Verdict.ROWS or counts.succeeded is None or counts.total is None:
        return job.verdict is Verdict.ROWS
    return counts.succeeded >= counts.total > 0


def _rank(job: BatchJob) -> tuple[bool, bool, bool, int, float]:
    created = job.create_time.timestamp() if job.create_time else 0.0
    moves, paused = not job.state.final, job.state is JobState.PAUSED
    return _is_complete(job), moves, not paused, job.counts.succeeded or 0, -created
