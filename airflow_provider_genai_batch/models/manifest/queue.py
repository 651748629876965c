"""How long a task's jobs took, as its manifests hand it on from run to run."""

from __future__ import annotations

from airflow_provider_genai_batch.models.answers.sparse import Sparse
from airflow_provider_genai_batch.models.base import Line, Noun


class JobTime(Sparse):
    """Of one job. Times are whole seconds."""

    created: int
    """Since the epoch."""
    took: int
    """From its creation to its end."""
    queued: int | None = None
    """Part of that before it began to run; None: the service does not say."""
    left: bool | None = None
    """True: the task cancelled it because it would have been late. It would have needed longer."""


class QueueTimes(Noun):
    """Of the last jobs of one model at one connection."""

    model: Line
    conn_id: Line
    """Airflow's connection."""
    jobs: int
    p50: int
    """Half of them had ended after so many seconds from their creation."""
    p90: int
    """Nine of ten had."""
    queued_p50: int | None = None
    """Half of them had begun to run after so many seconds; None: the service does not say when."""
    queued_p90: int | None = None
    recent: tuple[JobTime, ...]
    """They, the newest last."""
