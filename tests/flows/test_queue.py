"""What the service's list tells of a model's queue."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_genai_batch.flows.queue import Usual, queue_times
from airflow_provider_genai_batch.models import BatchJob, JobState
from airflow_provider_genai_batch.models.base import Backend

NIGHT = datetime(2026, 11, 28, 1, 0, tzinfo=timezone.utc)
SECONDS = st.integers(0, 200_000)


def job(
    took: float | None,
    queued: float | None = None,
    state: JobState = JobState.SUCCEEDED,
    model: str = "models/gemini-2.5-flash",
) -> BatchJob:
    def after(seconds: float | None) -> datetime | None:
        return None if seconds is None else NIGHT + timedelta(seconds=seconds)

    times = {"create_time": NIGHT, "start_time": after(queued), "end_time": after(took)}
    return BatchJob(name="batches/a", backend=Backend.GEMINI, model=model, state=state, **times)


@given(st.lists(SECONDS, min_size=1, max_size=40), st.randoms())
def test_half_ended_within_p50_and_nine_of_ten_within_p90_in_whatever_order_they_are_listed(took, chance):
    jobs = [job(seconds) for seconds in took]
    times = queue_times(jobs)
    assert times is not None
    assert times.n == len(took)
    for share, within in ((0.5, times.p50), (0.9, times.p90)):
        assert within in took
        assert sum(seconds <= within for seconds in took) >= share * len(took)
        assert sum(seconds < within for seconds in took) < share * len(took)
    chance.shuffle(jobs)
    assert queue_times(jobs) == times


@given(st.lists(SECONDS, max_size=10), st.lists(st.sampled_from(list(JobState)), max_size=20))
def test_only_jobs_that_answered_or_expired_tell_of_the_queue(took, states):
    telling = {JobState.SUCCEEDED, JobState.PARTIALLY_SUCCEEDED, JobState.EXPIRED}
    jobs = [job(seconds) for seconds in took]
    others = [job(5, state=state) for state in states if state not in telling]
    assert queue_times([*others, *jobs]) == queue_times(jobs)


def test_the_model_counts_however_its_name_is_spelled_and_times_that_cannot_be_do_not():
    vertex = "publishers/google/models/gemini-2.5-flash"
    jobs = [
        job(60, 20),
        job(120, 40, model=vertex),
        job(9, model="models/gemini-2.5-pro"),
        job(None),
        job(-5),
    ]
    assert queue_times(jobs, "gemini-2.5-flash") == Usual(60.0, 120.0, 2, 20.0)
    assert queue_times(jobs[2:3], vertex) is None


def test_words_say_nothing_of_too_few_jobs_and_minutes_of_more():
    assert queue_times([job(60), job(70)]).words == ""
    times = queue_times([job(700, 300), job(720, 600), job(3300, 2400)])
    assert times.words == "usually 12 min, 10 min of it in the queue, 9 of 10 within 55 min (3 recent jobs)"
    assert Usual(45, 9000, 12).words == "usually 45 s, 9 of 10 within 2 h 30 min (12 recent jobs)"
