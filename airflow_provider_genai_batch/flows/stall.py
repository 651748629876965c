"""Jobs that did not leave the queue in time, recognised by the service's own times."""

from __future__ import annotations

from airflow_provider_genai_batch.models import BatchJob, JobState

_INEXACT = 5.0
"""Seconds by which whoever cancelled it may have been early: the service's time is known to about half a second."""


def is_stalled(job: BatchJob, most: float) -> bool:
    """Whether a job ended early after it had been queued for too long, whoever ended it.

    Every attempt gets the same result, even if the process that cancelled the job died.

    Args:
        job: the job, as read by name.
        most: seconds that it was allowed to be queued.
    """
    if job.state is JobState.EXPIRED:
        return True
    if job.state is not JobState.CANCELLED or job.create_time is None:
        return False
    # Gemini does not report when a job starts, but a job with an answer has left the queue.
    left = job.start_time or (None if job.counts.succeeded else job.end_time or job.update_time)
    return left is not None and (left - job.create_time).total_seconds() >= most - _INEXACT
