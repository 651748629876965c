"""What is said of a task whose jobs go on, by the service's list."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from airflow_provider_genai_batch.flows.queue import queue_times
from airflow_provider_genai_batch.models import BatchJob, JobState

NIGHT = datetime(2026, 3, 1, 2, tzinfo=timezone.utc)


def job(number: int, model: str, minutes: int | None) -> BatchJob:
    ended = None if minutes is None else NIGHT + timedelta(minutes=minutes)
    return BatchJob(
        backend="gemini",
        name=f"batches/{number}",
        model=model,
        state=JobState.RUNNING if ended is None else JobState.SUCCEEDED,
        create_time=NIGHT,
        end_time=ended,
    )


def test_the_usual_time_is_that_of_jobs_of_the_same_model_however_it_is_spelled() -> None:
    progress = pytest.importorskip(
        "airflow_provider_genai_batch.pages.progress", reason="pages need Airflow 3.1"
    )
    from airflow_provider_genai_batch.pages.left import Left
    from airflow_provider_genai_batch.pages.service.lists import JobList

    of_one = [job(at, "models/gemini-a", 10 * at) for at in range(1, 6)]
    of_another = [job(at, "publishers/google/models/gemini-b", at) for at in range(11, 16)]
    running = job(21, "models/gemini-a", None)
    listed = JobList({one.name: one for one in (*of_one, *of_another, running)})

    def usual(jobs: tuple[BatchJob, ...] = (), **left: str) -> str:
        said: str = progress.Progress(Left(**left), jobs, (), listed).usual
        return said

    times = queue_times(of_one)
    assert times is not None
    assert usual((running,)) == usual(model="gemini-a") == times.words
    assert times.words.startswith("usually 30 min")
    assert usual(model="gemini-b").startswith("usually 13 min")
    assert usual((running,), usual="as the trigger knows") == "as the trigger knows"
    assert (usual(model="gemini-c"), usual()) == ("", "")
