"""The status of a job, as small as waiting for ten thousand of them needs it."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from airflow_provider_genai_batch.models.jobs.job import BatchJob, JobState


class JobStatus(Struct, frozen=True, gc=False):
    """The part of a job that changes while it runs.

    Ten thousand running jobs produce as many of these every few seconds. A `BatchJob` is five objects to the garbage
    collector, which stops everything to go through all there are once enough have come; this is none.
    """

    name: str
    state: JobState
    raw_state: str
    """The state as the service spelled it."""
    create_time: datetime | None = None
    total: int | None = None
    """Requests of the job as the service counts them; None: it did not say."""
    finished: int = 0
    """How many of them have succeeded or failed."""

    @classmethod
    def of(cls, job: BatchJob | JobStatus) -> JobStatus:
        """Return the status of a job."""
        if isinstance(job, JobStatus):
            return job
        counts = job.counts
        return cls(job.name, job.state, job.raw_state, job.create_time, counts.total, counts.finished)

    @property
    def done(self) -> bool:
        """Whether the job has ended or is paused."""
        return self.state.ended
