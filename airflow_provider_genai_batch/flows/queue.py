"""How long recent jobs of a model took, by the service's own list or by a task's own jobs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from airflow_provider_genai_batch.clock import in_words
from airflow_provider_genai_batch.models import BatchJob, JobState
from airflow_provider_genai_batch.models.jobs.job import Verdict
from airflow_provider_genai_batch.models.manifest.queue import JobTime, QueueTimes

_Number = TypeVar("_Number", int, float)

_TELLING = 3
"""Fewest jobs from which to draw a conclusion about the next one."""


@dataclass(frozen=True)
class Usual:
    """Times of ended jobs, in seconds.

    Attributes:
        p50: median time from creation to end.
        p90: 90th percentile of the same.
        n: number of jobs.
        queued: median time from creation to start; None: the service does not report starts.
        whose: what to call the jobs in the text.
    """

    p50: float
    p90: float
    n: int
    queued: float | None = None
    whose: str = "jobs"

    @property
    def words(self) -> str:
        """The times as text for a log; empty if there are too few jobs."""
        if self.n < _TELLING:
            return ""
        waited = f", {in_words(self.queued)} of it in the queue" if self.queued is not None else ""
        p50, p90 = in_words(self.p50), in_words(self.p90)
        return f"usually {p50}{waited}, 9 of 10 within {p90} ({self.n} recent {self.whose})"


def queue_times(jobs: Iterable[BatchJob], model: str | None = None) -> Usual | None:
    """Return how long jobs took.

    Jobs count if they answered rows or expired (these took at least that long). Failed and cancelled jobs say nothing
    about the queue.

    Args:
        jobs: jobs of a connection, in any order.
        model: count only jobs of this model, however its name is spelled; None: all jobs.

    Returns:
        None if no job counts.
    """
    these = [job for job in jobs if tells(job) and (model is None or short(job.model) == short(model))]
    took = sorted(seconds for job in these if (seconds := _seconds(job, job.end_time)) is not None)
    if not took:
        return None
    queued = sorted(seconds for job in these if (seconds := _seconds(job, job.start_time)) is not None)
    return Usual(
        percentile(took, 0.5), percentile(took, 0.9), len(took), percentile(queued, 0.5) if queued else None
    )


def tells(job: BatchJob) -> bool:
    """Whether the time of a job says something of the queue."""
    return job.verdict is Verdict.ROWS or job.state is JobState.EXPIRED


def short(model: str | None) -> str:
    """Return the name of a model without its place."""
    return (model or "").rpartition("/")[2]


def job_time(job: BatchJob, *, left: bool = False) -> JobTime | None:
    """Return the time of an ended job; None where the service does not say.

    Args:
        job: as it was read.
        left: the task cancelled it because it would have been late.
    """
    took, queued = _seconds(job, job.end_time or job.update_time), _seconds(job, job.start_time)
    if job.create_time is None or took is None:
        return None
    created, begun = round(job.create_time.timestamp()), None if queued is None else round(queued)
    return JobTime(created=created, took=round(took), queued=begun, left=left or None)


def summed_up(model: str, conn_id: str, times: Sequence[JobTime]) -> QueueTimes:
    """Sum up times of jobs, of which there is one at least. One that was left counts as if it had ended then."""
    took = sorted(one.took for one in times)
    queued = sorted(one.queued for one in times if one.queued is not None)
    return QueueTimes(
        model=model,
        conn_id=conn_id,
        jobs=len(times),
        p50=percentile(took, 0.5),
        p90=percentile(took, 0.9),
        queued_p50=percentile(queued, 0.5) if queued else None,
        queued_p90=percentile(queued, 0.9) if queued else None,
        recent=tuple(times),
    )


def share_within(times: Iterable[JobTime], seconds: float) -> tuple[int, int]:
    """Return how many jobs ended within so many seconds, and of how many that is known.

    One that the task left before half of that time may have done so or not.
    """
    known = [one for one in times if not one.left or one.took >= seconds / 2]
    return sum(not one.left and one.took <= seconds for one in known), len(known)


def _seconds(job: BatchJob, until: datetime | None) -> float | None:
    """Return the seconds from a job's creation to `until`; None if one of them is missing or impossible."""
    if job.create_time is None or until is None or until < job.create_time:
        return None
    return (until - job.create_time).total_seconds()


def percentile(ordered: Sequence[_Number], share: float) -> _Number:
    """Return the least of the values that so many of all do not exceed."""
    return ordered[math.ceil(share * len(ordered)) - 1]
