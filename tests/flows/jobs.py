"""A job as looks find it on its way."""

from __future__ import annotations

from datetime import datetime, timezone

from airflow_provider_genai_batch.models import BatchJob, JobCounts, JobState
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.jobs.job_status import JobStatus

BEGIN = 1_700_000_000.0


def job(state: JobState, done: int = 0, *, total: int = 1000, failed: int = 0) -> JobStatus:
    whole = BatchJob(
        name="batches/a",
        backend=Backend.GEMINI,
        state=state,
        raw_state=f"BATCH_STATE_{state.value}",
        create_time=datetime.fromtimestamp(BEGIN, timezone.utc),
        counts=JobCounts(total=total, succeeded=done, failed=failed),
    )
    return JobStatus.of(whole)
