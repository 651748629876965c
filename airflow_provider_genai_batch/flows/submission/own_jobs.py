"""Jobs of one task instance with the same requests: each is read by name, and one of them is kept."""

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
"""Seconds after a job's creation during which the service may still answer that it does not exist."""
_PAUSE = 2.0
"""Seconds between looks for a job that cannot be read yet."""


def read_job(
    name: str, created: float | None, clock: Callable[[], float]
) -> Generator[ReadStep, Any, BatchJob | None]:
    """Read a job by its name; wait for one that was just created to appear.

    Args:
        name: the job.
        created: when it was created, in seconds since the epoch by the service's clock; None: unknown.
        clock: returns those seconds.

    Returns:
        The job, or None if it does not exist (any more).

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
    """Return a function that tells whether a job created then may still be unknown by its name."""
    return lambda: created is not None and clock() < created + APPEARS_WITHIN


def created_at(job: BatchJob) -> float | None:
    """Return when a job was created, in seconds since the epoch; None if unknown."""
    return None if job.create_time is None else job.create_time.timestamp()


@dataclass(frozen=True)
class Choice:
    """What to do with jobs that have the same requests."""

    kept: BatchJob | None
    """The one to keep; None: none is useful."""
    twins: tuple[BatchJob, ...] = ()
    """Ended jobs whose rows count in addition to its own."""
    surplus: tuple[BatchJob, ...] = ()
    """Jobs that run although they are not needed."""


def choose(jobs: Iterable[BatchJob], mine: Collection[str] = ()) -> Choice:
    """Choose among jobs with the same requests, as read by name.

    In order of preference: a job that has answered everything, a running one, one that is being cancelled, one that
    left rows. Among equals, the one with the most answers, then the oldest. A running job is preferred to one that
    ended early, because it will answer everything, and the other may be the twin that was cancelled in its favour.

    Args:
        jobs: jobs of one identity.
        mine: jobs that this attempt found or created before. One of these is kept in any state if no other is better.
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
    """Whether a later attempt can use a job: it runs, or has left rows."""
    return choose([job]).kept is not None


def followed(
    identity: Identity,
    own: Iterable[BatchJob],
    kin: Iterable[BatchJob],
    stalled: Callable[[BatchJob], bool] = lambda _job: False,
) -> BatchJob | None:
    """Return the job without rows that a later round follows; the later round can only be found through it.

    Likewise return a job that has stalled, because its requests are not submitted again in the same way.

    Args:
        identity: identity of the round.
        own: its jobs, none of which is useful by itself.
        kin: jobs of the task instance.
        stalled: tells whether a job has stalled.
    """
    later = [job for job in kin if identity.is_family(job) and round_of(job.display_name) > identity.round]
    ended = [job for job in own if job.state in (JobState.CANCELLED, JobState.EXPIRED)]
    ended = [job for job in ended if later or stalled(job)]
    return max(ended, key=lambda job: job.create_time.timestamp() if job.create_time else 0.0, default=None)


def goes_on(job: BatchJob) -> bool:
    """Whether a job is billed, or will be when somebody resumes it."""
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
