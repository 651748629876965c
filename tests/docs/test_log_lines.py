"""The log that the reference shows is the log that is written."""

from __future__ import annotations

import logging
from datetime import datetime, timezone

import pytest

from airflow_provider_genai_batch.flows import progress
from airflow_provider_genai_batch.flows.watch import BUDGET
from airflow_provider_genai_batch.models import BatchJob, JobCounts, JobState
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.jobs.job_status import JobStatus
from tests.docs.pages import Page

CREATED = datetime(2026, 1, 1, tzinfo=timezone.utc)
LOOKS = (
    (5, JobState.PENDING, 0),
    (60, JobState.PENDING, 0),
    (120, JobState.RUNNING, 0),
    (180, JobState.RUNNING, 12),
    (725, JobState.RUNNING, 120),
    (2525, JobState.RUNNING, 120),
    (3600, JobState.SUCCEEDED, 400),
)
"""Seconds since the job's creation, its state, and how many of its requests are done."""


def test_the_log_reads_as_the_reference_shows(caplog: pytest.LogCaptureFixture) -> None:
    told = progress.Progress(deadline=CREATED.timestamp() + BUDGET[Backend.GEMINI])
    with caplog.at_level(logging.INFO, progress.__name__):
        for seconds, state, done in LOOKS:
            job = BatchJob(
                name="batches/123",
                backend=Backend.GEMINI,
                state=state,
                raw_state=f"BATCH_STATE_{state.value}",
                counts=JobCounts(total=400, succeeded=done),
                create_time=CREATED,
            )
            told.tell(JobStatus.of(job), CREATED.timestamp() + seconds)
    texts = [block.text for block in Page("docs/reference/operators.md").blocks if block.language == "text"]
    (shown,) = [text for text in texts if text.startswith("Job ")]
    assert caplog.messages == shown.splitlines()


def test_it_is_told_as_often_as_the_reference_says() -> None:
    section = " ".join(Page("docs/reference/operators.md").section("### In the log").split())
    assert f"{100 * progress.STEP:.0f} % more of the requests" in section
    assert f"every {progress.HEARTBEAT / 60:.0f} minutes" in section
    assert f"any progress after {progress.LONGEST_SILENCE / 60:.0f} minutes" in section
