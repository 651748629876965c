"""Jobs that did not leave the queue in time, known by what the service itself says of them."""

from __future__ import annotations

from airflow_provider_genai_batch.models import BatchJob, JobState

_INEXACT = 5.0
"""Seconds by which whoever cancelled it may have been early: the service's time is known to about half a second."""


def is_stalled(job: BatchJob, most: float) -> bool:
    """Whether a job ended early after it had been queued for too long, whoever ended it.

    Every attempt sees the same, whatever became of the process that cancelled it.

    Args:
        job: as it was read.
        most: seconds that it might be queued.
    """
    if job.state is JobState.EXPIRED:
        return True
    if job.state is not JobState.CANCELLED or job.create_time is None:
        return False
    # Gemini does not tell when a job begins: one with an answer had left the queue.
    left = job.start_time or (None if job.counts.succeeded else job.end_time or job.update_time)
    return left is not None and (left - job.create_time).total_seconds() >= most - _INEXACT
