"""How long jobs of a model took of late: what its queue is like, by the service's own list."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from airflow_provider_genai_batch.models import BatchJob, JobState
from airflow_provider_genai_batch.models.jobs.job import Verdict

_TELLING = 3
"""Jobs from which on they say something about the next one."""


@dataclass(frozen=True)
class QueueTimes:
    """Times of ended jobs, in seconds.

    Attributes:
        p50: half of them had ended after so long from their creation.
        p90: nine of ten had.
        n: how many there were.
        queued: half of them had begun to run after so long; None: the service does not tell when.
    """

    p50: float
    p90: float
    n: int
    queued: float | None = None

    @property
    def words(self) -> str:
        """For a log; empty where there are too few to say something."""
        if self.n < _TELLING:
            return ""
        waited = f", {_minutes(self.queued)} of it in the queue" if self.queued is not None else ""
        return f"usually {_minutes(self.p50)}{waited}, 9 of 10 within {_minutes(self.p90)} ({self.n} jobs of late)"


def queue_times(jobs: Iterable[BatchJob], model: str | None = None) -> QueueTimes | None:
    """Tell how long jobs took.

    Those count that answered rows, or expired: then it took at least so long. One that failed, or that somebody
    cancelled, tells nothing of the queue.

    Args:
        jobs: of a connection, in any order.
        model: only jobs of it count, however its name is spelled; None: all of them.

    Returns:
        None where no job tells.
    """
    these = [job for job in jobs if _tells(job) and (model is None or _short(job.model) == _short(model))]
    took = sorted(seconds for job in these if (seconds := _seconds(job, job.end_time)) is not None)
    if not took:
        return None
    queued = sorted(seconds for job in these if (seconds := _seconds(job, job.start_time)) is not None)
    return QueueTimes(
        percentile(took, 0.5), percentile(took, 0.9), len(took), percentile(queued, 0.5) if queued else None
    )


def _tells(job: BatchJob) -> bool:
    return job.verdict is Verdict.ROWS or job.state is JobState.EXPIRED


def _short(model: str | None) -> str:
    return (model or "").rpartition("/")[2]


def _seconds(job: BatchJob, until: datetime | None) -> float | None:
    """Return the seconds from a job's creation to a moment; None where one of both is missing, or cannot be."""
    if job.create_time is None or until is None or until < job.create_time:
        return None
    return (until - job.create_time).total_seconds()


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the least of the values that so many of all do not exceed."""
    return ordered[math.ceil(share * len(ordered)) - 1]


def _minutes(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
