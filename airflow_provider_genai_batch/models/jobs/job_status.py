"""The status of a job, as small as waiting for ten thousand of them needs it."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from airflow_provider_genai_batch.models.jobs.job import BatchJob, JobState


class JobStatus(Struct, frozen=True, gc=False):
    """The part of a job that changes while it runs.

    Ten thousand running jobs produce as many of these every few seconds. The garbage collector counts a `BatchJob` as
    five objects, and stops the program to visit all objects once there are enough new ones; it does not count this one.
    """

    name: str
    state: JobState
    raw_state: str
    """The state as the service wrote it."""
    create_time: datetime | None = None
    total: int | None = None
    """Requests of the job as the service counts them; None: not given."""
    finished: int = 0
    """The number of them that have succeeded or failed."""

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
