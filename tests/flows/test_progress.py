"""What is told of a job in the task's log: what changed, and nothing else."""

from __future__ import annotations

import logging

import pytest

from airflow_provider_genai_batch.flows.progress import Progress
from airflow_provider_genai_batch.models import JobState
from airflow_provider_genai_batch.models.jobs.job_status import JobStatus
from tests.flows.jobs import BEGIN, job


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, logger="airflow_provider_genai_batch")
    return caplog


def test_a_look_that_finds_nothing_new_says_nothing(told: pytest.LogCaptureFixture) -> None:
    progress = Progress()
    for minute in range(30):
        progress.tell(job(JobState.PENDING), BEGIN + 60 * minute)
    assert told.messages == [
        "Job batches/a is PENDING: 0 of 1000 requests done (0 %); 0 s since its creation."
    ]


def test_of_a_job_that_does_not_move_the_log_has_a_line_every_half_hour(
    told: pytest.LogCaptureFixture,
) -> None:
    progress = Progress(deadline=BEGIN + 50 * 3600, pending_deadline=BEGIN + 4 * 3600)
    for minute in range(24 * 60 + 1):
        state = JobState.PENDING if minute < 120 else JobState.RUNNING
        progress.tell(job(state, 400 if minute >= 180 else 0), BEGIN + 60 * minute)
    assert len(told.messages) == 1 + 3 + 1 + 1 + 1 + 42  # states and progress are told when they come
    assert told.messages[3] == (
        "Job batches/a is still PENDING: 0 of 1000 requests done (0 %); 1 h 30 min since its creation; "
        "nothing new for 1 h 30 min, last look at 23:43:20 UTC; it is waited for until 2023-11-15 02:13 UTC."
    )
    assert told.messages[-1] == (
        "Job batches/a is still RUNNING: 400 of 1000 requests done (40 %); 1 d since its creation; "
        "nothing new for 21 h, last look at 22:13:20 UTC; it is waited for until 2023-11-17 00:13 UTC."
    )


def test_a_long_wait_is_told_beside_what_is_usual(told: pytest.LogCaptureFixture) -> None:
    progress = Progress(usual="usually 12 min, 9 of 10 within 55 min (40 recent jobs)")
    for minute in range(31):
        progress.tell(job(JobState.RUNNING), BEGIN + 60 * minute)
    assert told.messages[-1].endswith(
        "last look at 22:43:20 UTC; jobs of its model: usually 12 min, 9 of 10 within 55 min (40 recent jobs)."
    )


def test_what_is_done_is_told_where_nobody_knows_of_how_many(told: pytest.LogCaptureFixture) -> None:
    table = JobStatus("batches/a", JobState.RUNNING, "JOB_STATE_RUNNING", finished=250)
    Progress().tell(table, BEGIN)
    assert told.messages == ["Job batches/a is RUNNING: 250 requests done."]


def test_the_rate_is_that_of_running_and_not_of_queueing(told: pytest.LogCaptureFixture) -> None:
    progress = Progress()
    progress.tell(job(JobState.PENDING), BEGIN)
    progress.tell(job(JobState.RUNNING), BEGIN + 36_000)
    progress.tell(job(JobState.RUNNING, 90, failed=10), BEGIN + 36_060)
    assert told.messages[-1] == (
        "Job batches/a is RUNNING: 100 of 1000 requests done (10 %), 100 a minute, about 9 min to go; "
        "10 h 1 min since its creation."
    )


def test_little_progress_is_told_after_a_while(told: pytest.LogCaptureFixture) -> None:
    progress = Progress()
    progress.tell(job(JobState.RUNNING), BEGIN)
    for minute in range(1, 25):
        progress.tell(job(JobState.RUNNING, minute), BEGIN + 60 * minute)
    assert len(told.messages) == 3  # the state, and after more than ten minutes each


def test_counters_that_go_back_are_borne(told: pytest.LogCaptureFixture) -> None:
    progress = Progress()
    progress.tell(job(JobState.RUNNING, 500), BEGIN)
    progress.tell(job(JobState.RUNNING, 100), BEGIN + 60)
    progress.tell(job(JobState.SUCCEEDED, 1000), BEGIN + 120)
    assert "1000 of 1000 requests done (100 %);" in told.messages[-1]
