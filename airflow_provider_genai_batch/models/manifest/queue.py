"""How long a task's jobs took; each manifest passes this on to the next run."""

from __future__ import annotations

from airflow_provider_genai_batch.models.answers.sparse import Sparse
from airflow_provider_genai_batch.models.base import Line, Noun


class JobTime(Sparse):
    """The times of one job, in whole seconds."""

    created: int
    """Creation time since the epoch."""
    took: int
    """Time from its creation to its end."""
    queued: int | None = None
    """The part of that before it began to run; None if the service does not report it."""
    left: bool | None = None
    """True if the task cancelled the job because it would have been late; it would have run longer."""


class QueueTimes(Noun):
    """The times of the last jobs of one model at one connection."""

    model: Line
    conn_id: Line
    """Airflow's connection."""
    jobs: int
    p50: int
    """Seconds from creation after which half of the jobs had ended."""
    p90: int
    """Seconds from creation after which nine of ten had ended."""
    queued_p50: int | None = None
    """Seconds from creation after which half of them had begun to run; None if the service does not report it."""
    queued_p90: int | None = None
    recent: tuple[JobTime, ...]
    """The times of each of them, the newest last."""
