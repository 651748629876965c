"""A limit of a day: what a list shows decides only where it says enough, and tasks that begin together agree."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_genai_batch.exceptions import DailyCostExceeded, NotFound, ServerError
from airflow_provider_genai_batch.flows.drive import drive
from airflow_provider_genai_batch.flows.steps import Cancel, ListToday, Look, Sleep
from airflow_provider_genai_batch.flows.submission.charge import Charge, DayLimit
from airflow_provider_genai_batch.flows.submission.today import refuse_beyond, withdraw_beyond
from airflow_provider_genai_batch.models import BatchJob, JobState
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.jobs.cancellation import Cancellation, CancelOutcome
from airflow_provider_genai_batch.models.jobs.identity import DISPLAY_NAME_LIMIT, Identity, tag_of, tokens_of
from airflow_provider_genai_batch.models.jobs.job import JobCounts
from airflow_provider_genai_batch.models.jobs.stated_cost import StatedCost, short_dag, stated_cost

NOON = datetime(2026, 11, 28, 12, 0, tzinfo=timezone.utc)
OWN, OTHER = short_dag("etl"), short_dag("else")
HUNDRED = DayLimit(100.0)
CENTS = st.integers(1, 5000).map(lambda cents: cents / 100)


def now() -> float:
    return NOON.timestamp()


def job(
    number: int,
    usd: float | None,
    *,
    dag: str = OTHER,
    state: JobState = JobState.RUNNING,
    made: datetime = NOON - timedelta(hours=1),
) -> BatchJob:
    cost = "" if usd is None else str(StatedCost(usd, dag))
    return BatchJob(
        name=f"batches/{number:03}",
        backend=Backend.GEMINI,
        state=state,
        display_name=Identity(f"{number:064x}", "b" * 64).display_name("nightly", cost=cost),
        create_time=made,
    )


def decided(charge: Charge, listed: list[BatchJob], real: Mapping[str, Any] | None = None) -> Any:
    """Return what the task is said, or the refusal; with how many jobs were read by name."""
    looks = 0

    def act(step: Any) -> Any:
        nonlocal looks
        if isinstance(step, ListToday):
            return listed
        assert isinstance(step, Look)
        looks += 1
        found = (real or {}).get(step.name) or next(one for one in listed if one.name == step.name)
        if isinstance(found, Exception):
            raise found
        return found

    try:
        return drive(refuse_beyond(charge, now), act), looks
    except DailyCostExceeded as refusal:
        return refusal, looks


@given(
    st.lists(st.tuples(CENTS, st.booleans(), st.sampled_from([-13, -1, 0]), st.booleans()), max_size=20),
    CENTS,
    st.booleans(),
)
def test_a_job_is_refused_if_and_only_if_the_days_jobs_that_may_cost_something_leave_too_little(
    jobs, asked, of_dag
):
    listed = [
        job(number, usd, dag=OWN if own else OTHER, made=NOON + timedelta(hours=hours))
        for number, (usd, own, hours, _) in enumerate(jobs)
    ]
    # The list may show a job as running that has ended without an answer; it is the reading by name that counts.
    real = {
        one.name: one.model_copy(update={"state": JobState.FAILED})
        for one, (_, _, _, nothing) in zip(listed, jobs, strict=True)
        if nothing
    }
    counts = [usd for usd, own, hours, nothing in jobs if hours > -12 and not nothing and (own or not of_dag)]
    found, _ = decided(Charge((DayLimit(100.0, OWN if of_dag else ""),), asked), listed, real)
    assert isinstance(found, DailyCostExceeded) == (sum(counts) + asked > 100.0 * (1 + 1e-9))


def test_nothing_is_read_by_name_where_there_is_room_and_what_states_no_cost_is_said_to_be_uncounted():
    listed = [job(1, 30), job(2, None), job(3, 40, made=NOON - timedelta(days=1))]
    said, looks = decided(Charge((HUNDRED,), 60), listed)
    assert (said.date, said.usd, said.uncounted, looks) == ("2026-11-28", 60, 1, 0)
    (one,) = said.limits
    assert (one.of, one.max_cost_per_day, one.usd, one.jobs) == ("connection", 100, 30, 1)
    assert str(said) == (
        "2026-11-28 (UTC): 1 job of this connection may cost 30.000000 of max_cost_per_day=100 USD, 1 other job not "
        "counted; with this task's next jobs 60.000000 USD more"
    )


@pytest.mark.parametrize("made", [None, NOON - timedelta(hours=11, minutes=59)])
def test_a_job_counts_from_midnight_on_and_one_whose_time_is_unknown_counts_too(made):
    listed = [job(1, 60).model_copy(update={"create_time": made})]
    refusal, _ = decided(Charge((HUNDRED,), 50), listed)
    assert isinstance(refusal, DailyCostExceeded)
    assert (refusal.spent, refusal.expected, refusal.jobs) == (60, 50, 1)


def test_a_job_that_is_gone_or_has_answered_something_goes_on_counting():
    cancelled = {"state": JobState.CANCELLED, "counts": JobCounts(total=9, succeeded=1)}
    answered = job(1, 60).model_copy(update=cancelled)
    assert isinstance(decided(Charge((HUNDRED,), 50), [answered])[0], DailyCostExceeded)
    gone = {"batches/001": NotFound("gone", code=404)}
    assert isinstance(decided(Charge((HUNDRED,), 50), [job(1, 60)], gone)[0], DailyCostExceeded)
    with pytest.raises(ServerError):
        decided(Charge((HUNDRED,), 50), [job(1, 60)], {"batches/001": ServerError("", code=503)})


def test_own_jobs_count_once_and_settled_ones_with_what_they_have_cost():
    listed = [job(1, 40), job(2, 30), job(3, 20)]
    charge = Charge(
        (HUNDRED,),
        10,
        further=5,
        created={"batches/002": 30, "batches/009": 7},
        covers=lambda one: one.name == "batches/003",
        settled=["batches/001", "batches/000"],
        paid=4,
    )
    said, _ = decided(charge, listed)
    assert said.usd == 15
    assert (said.limits[0].usd, said.limits[0].jobs) == (4 + 30 + 7, 3)
    assert decided(replace(charge, paid=0.0), listed)[0].limits[0].usd == 40 + 30 + 7, (
        "unknown: what was stated"
    )
    yesterday = [job(1, 40, made=NOON - timedelta(days=1))]
    assert decided(replace(charge, created={}), yesterday)[0].limits[0].usd == 0


def test_a_settled_job_that_has_cost_nothing_leaves_room_for_the_next_one():
    refused = {"state": JobState.SUCCEEDED, "counts": JobCounts(total=9, succeeded=0, failed=9)}
    listed = [job(1, 60).model_copy(update=refused)]
    said, looks = decided(Charge((HUNDRED,), 60, settled=["batches/001"], paid=0.0), listed)
    assert (said.limits[0].usd, looks) == (0, 1)
    answered = [listed[0].model_copy(update={"counts": JobCounts(total=9)})]
    refusal, _ = decided(Charge((HUNDRED,), 60, settled=["batches/001"], paid=0.0), answered)
    assert isinstance(refusal, DailyCostExceeded), "what it has cost is unknown"


def test_all_jobs_that_the_list_shows_as_ended_without_answers_are_read_until_there_is_room():
    failed = [job(number, 10, state=JobState.FAILED) for number in range(30)]
    said, looks = decided(Charge((HUNDRED,), 50), failed)
    assert (said.limits[0].usd, looks) == (50, 25)
    running = [job(number, 10) for number in range(30, 60)]
    real = {one.name: one.model_copy(update={"state": JobState.FAILED}) for one in running}
    refusal, looks = decided(Charge((HUNDRED,), 50), [*failed, *running], real)
    assert isinstance(refusal, DailyCostExceeded)
    assert (refusal.spent, looks) == (100, 30 + 20), "the list says nothing of these"


def test_for_the_limit_of_a_dag_no_jobs_of_other_dags_are_read():
    others = [
        job(number, 70, state=JobState.FAILED if number < 5 else JobState.RUNNING) for number in range(30)
    ]
    own = job(30, 60, dag=OWN)
    real = {own.name: own.model_copy(update={"state": JobState.FAILED})}
    said, looks = decided(Charge((DayLimit(100.0, OWN),), 50), [*others, own], real)
    assert (said.limits[0].usd, looks) == (0, 1)
    roomy = DayLimit(10_000.0)
    said, looks = decided(Charge((roomy, DayLimit(100.0, OWN)), 50), [*others, own], real)
    assert ([one.usd for one in said.limits], looks) == ([2100, 0], 1)


def test_the_error_of_a_withdrawn_job_names_the_jobs_that_its_task_created_before_it():
    first, own = job(1, 90, made=NOON), job(3, 10, made=NOON + timedelta(seconds=2))

    def act(step: Any) -> Any:
        if isinstance(step, ListToday):
            return [first, own]
        if isinstance(step, Cancel):
            return Cancellation(CancelOutcome.ASKED, own)
        return first if isinstance(step, Look) else None

    charge = Charge((HUNDRED,), 10, created={"batches/002": 10, own.name: 10})
    with pytest.raises(DailyCostExceeded, match="Before it, this task had created batches/002") as refused:
        drive(withdraw_beyond(charge, own, lambda _: True, now, 1.0), act)
    assert f"created {own.name}" not in str(refused.value)


@given(st.lists(CENTS, min_size=2, max_size=8), st.integers(60, 200), st.data())
def test_of_tasks_that_all_have_found_room_those_whose_jobs_came_first_keep_them(costs, limit, data):
    """Each has looked before any has created; a job is created, and its task looks again, in any order."""
    world: dict[str, BatchJob] = {}
    cancelled: set[str] = set()
    flows: list[Generator[Any, Any, None]] = []

    def act(step: Any) -> Any:
        if isinstance(step, ListToday):
            return [*world.values()]
        if isinstance(step, Cancel):
            cancelled.add(step.name)
            world[step.name] = world[step.name].model_copy(update={"state": JobState.CANCELLED})
            return Cancellation(CancelOutcome.ASKED, world[step.name])
        return world[step.name] if isinstance(step, Look) else None

    def looks_again(flow: Generator[Any, Any, None]) -> None:
        with suppress(DailyCostExceeded):
            drive(flow, act)

    for number, usd in enumerate(costs):
        made = job(number, usd, made=NOON + timedelta(seconds=number))
        world[made.name] = made
        flows.append(withdraw_beyond(Charge((DayLimit(limit),), usd), made, lambda _: True, now, 1.0))
        while flows and data.draw(st.booleans()):
            looks_again(flows.pop(data.draw(st.integers(0, len(flows) - 1))))
    for flow in data.draw(st.permutations(flows)):
        looks_again(flow)
    kept = {number: usd for number, usd in enumerate(costs) if f"batches/{number:03}" not in cancelled}
    assert sum(kept.values()) <= limit * (1 + 1e-9)
    assert 0 in kept or costs[0] > limit


def test_where_the_second_look_fails_the_job_stays_and_the_log_says_so(caplog):
    def act(step: Any) -> Any:
        if isinstance(step, Sleep):
            return None
        raise ServerError("", code=503)

    drive(withdraw_beyond(Charge((HUNDRED,), 1), job(1, 1), lambda _: True, now, 1.0), act)
    assert "max_cost_per_day may be exceeded" in caplog.text


@given(st.floats(0.0, 1e9), st.one_of(st.none(), st.integers(0, 10**9)), st.text(max_size=300))
def test_a_display_name_states_its_cost_beside_tokens_and_tag(usd, tokens, readable):
    own = Identity("a" * 64, "b" * 64)
    name = own.display_name(readable, tokens, str(StatedCost(usd, OWN)))
    assert len(name) <= DISPLAY_NAME_LIMIT
    assert (tag_of(name), tokens_of(name)) == (own.tag, tokens)
    found = stated_cost(name)
    assert found is not None
    assert found.dag == OWN
    assert found.usd == pytest.approx(usd, abs=1.1e-6, rel=1e-9)
    assert found.usd >= usd - 1e-9 * max(1.0, usd)


@pytest.mark.parametrize(
    "name", [None, "", "~5usd-aaaaaaaa", "nightly ~5usd-aaaaaaaa x", f"~5usd {'a' * 16}"]
)
def test_a_name_of_somebody_else_states_no_cost(name):
    assert stated_cost(name) is None
