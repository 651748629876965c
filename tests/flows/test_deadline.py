"""When jobs are left for a deadline: never too late for what is left to ask, and not without need."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_genai_batch.emulator import JobScript, Lifecycle
from airflow_provider_genai_batch.flows.deadline import Deadline, FlexTrial, expected_rate, landing_seconds
from airflow_provider_genai_batch.flows.watch import Why
from airflow_provider_genai_batch.models.jobs.job import JobState
from airflow_provider_genai_batch.models.jobs.job_status import JobStatus
from tests.flows.desk import HOUR, Desk

LEFT = st.integers(0, 10_000_000)
DEADLINES = st.builds(
    Deadline,
    at=st.floats(1e9, 3e9),
    rate=st.floats(0.01, 10_000),
    requests=LEFT,
    landing=LEFT.map(landing_seconds),
    flex=st.booleans(),
)


@given(DEADLINES, LEFT, LEFT)
def test_the_more_is_left_the_earlier_jobs_are_left_and_always_before_the_deadline(
    deadline: Deadline, one: int, other: int
) -> None:
    more, fewer = max(one, other), min(one, other)
    assert deadline.switch(more) <= deadline.switch(fewer) < deadline.at
    assert deadline.latest(fewer) < deadline.at
    # Asking all of it in the standard tier and writing the rows fits between the moment and the deadline.
    assert deadline.switch(more) + more / deadline.rate + deadline.landing < deadline.at


@given(DEADLINES, LEFT, st.floats(1.0, 100.0))
def test_a_faster_tier_lets_jobs_have_more_time_and_a_try_in_flex_less(
    deadline: Deadline, left: int, factor: float
) -> None:
    faster = replace(deadline, rate=deadline.rate * factor)
    assert faster.switch(left) >= deadline.switch(left)
    assert replace(deadline, flex=True).switch(left) < replace(deadline, flex=False).switch(left)


@given(st.lists(st.tuples(st.one_of(st.none(), LEFT), LEFT), max_size=5), LEFT)
def test_what_counters_say_never_makes_more_answers_than_requests(
    counters: list[tuple[int | None, int]], requests: int
) -> None:
    seen = [JobStatus(f"j{n}", JobState.RUNNING, "", None, *pair) for n, pair in enumerate(counters)]
    assert 0 <= Deadline(requests=requests).left(seen) <= requests
    assert Deadline(requests=requests).left([]) == requests


@given(st.floats(0, 1e6), st.floats(0, 1e5), st.floats(1e-6, 10))
def test_longer_and_dearer_requests_are_not_expected_to_be_faster(
    asked: float, answered: float, usd: float
) -> None:
    rate = expected_rate(asked, answered, usd=usd)
    assert 0 < rate <= expected_rate(asked, answered)
    assert expected_rate(asked * 2, answered, usd=usd) <= rate
    assert expected_rate(asked, answered * 2, usd=usd) <= rate
    assert expected_rate(asked, answered, usd=usd * 2) <= rate


def test_a_job_that_stays_in_the_queue_is_left_when_its_requests_can_just_be_asked_otherwise(
    gemini_desk: Desk,
) -> None:
    gemini_desk.emulator.script(JobScript(lifecycle=Lifecycle.stuck()))
    job = gemini_desk.submit()
    deadline = Deadline(at=gemini_desk.now() + 3 * HOUR, rate=0.01, requests=3)
    ending = gemini_desk.watch(
        job.name, poll_interval=900.0, deadline=deadline.at, pending_deadline=deadline.at, ready_by=deadline
    )
    assert ending.why is Why.SWITCH
    assert "3 of 3 requests have no answer yet" in ending.detail
    assert 0 <= gemini_desk.now() - deadline.switch(3) < 5  # it was not overslept
    assert "Cancel" not in gemini_desk.steps


def test_a_job_that_is_nearly_through_keeps_its_time_and_is_not_left(gemini_desk: Desk) -> None:
    gemini_desk.emulator.script(JobScript(lifecycle=Lifecycle.timed(running=2900)))
    job = gemini_desk.submit()
    begin = gemini_desk.now()
    # With all three requests to ask it would be left after 2200 s; by then two of them are answered.
    deadline = Deadline(at=begin + 3600, rate=0.003, requests=3)
    assert deadline.switch(3) < begin + 2200 < deadline.switch(1)
    ending = gemini_desk.watch(
        job.name, deadline=deadline.at, pending_deadline=deadline.at, ready_by=deadline
    )
    assert ending.why is Why.ENDED


def test_flex_that_refuses_more_than_it_answers_is_given_up_after_two_minutes() -> None:
    trial = FlexTrial(Deadline(at=1e9), standard=True)
    assert not trial.verdict(0.0, left=90, answered=0, refused=0)
    assert not trial.verdict(5.0, left=90, answered=4, refused=16)  # it may be a short spell
    assert "4 of 40 calls" in trial.verdict(120.0, left=90, answered=4, refused=36)


def test_flex_that_has_served_well_is_given_up_when_it_fills_up() -> None:
    trial = FlexTrial(Deadline(at=1e9), standard=True)
    assert not trial.verdict(0.0, left=900, answered=100, refused=3)
    assert not trial.verdict(200.0, left=700, answered=300, refused=30)
    assert trial.verdict(400.0, left=690, answered=310, refused=60)


def test_flex_is_given_up_while_standard_can_still_ask_the_rest_in_time() -> None:
    deadline = Deadline(at=1e6, rate=1.0)
    trial = FlexTrial(deadline, standard=True)
    assert not trial.verdict(deadline.latest(500) - 1, left=500, answered=10, refused=0)
    assert "late" in trial.verdict(deadline.latest(500), left=500, answered=10, refused=0)


def test_flex_is_not_given_up_where_nothing_comes_after_it() -> None:
    trial = FlexTrial(Deadline(at=1e6, rate=1.0), standard=False)
    assert not trial.verdict(2e6, left=500, answered=0, refused=1000)
