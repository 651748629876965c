"""Room among a connection's enqueued tokens: what a list shows decides only after a reading by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_genai_batch.exceptions import NotFound, ServerError
from airflow_provider_genai_batch.flows.drive import drive
from airflow_provider_genai_batch.flows.steps import AwaitCapacity, Create, ListLive, Look
from airflow_provider_genai_batch.flows.submission.attempt import Attempt
from airflow_provider_genai_batch.flows.submission.room import Room, lacking
from airflow_provider_genai_batch.flows.submission.submit import submit
from airflow_provider_genai_batch.models import BatchJob, JobState
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.jobs.identity import DISPLAY_NAME_LIMIT, Identity, tag_of, tokens_of

MODEL = "models/gemini-2.5-flash"
OWN, STRANGER = Identity("a" * 64, "b" * 64), Identity("d" * 64, "b" * 64)
STATES = st.sampled_from([JobState.PENDING, JobState.RUNNING, JobState.SUCCEEDED, JobState.CANCELLED])


def job(number: int, tokens: int | None, state: JobState = JobState.RUNNING, model: str = MODEL) -> BatchJob:
    return BatchJob(
        name=f"batches/{number}",
        backend=Backend.GEMINI,
        model=model,
        state=state,
        display_name=STRANGER.display_name("nightly", tokens),
        create_time=datetime(2026, 11, 28, 1, 0, number, tzinfo=timezone.utc),
    )


def decided(room: Room, listed: list[BatchJob] | None, real: Mapping[str, Any]) -> tuple[str, int]:
    """Return what is said, and how many jobs were read by name."""
    looks = 0

    def act(step: Any) -> Any:
        nonlocal looks
        if isinstance(step, ListLive):
            return listed
        assert isinstance(step, Look)
        looks += 1
        found = real[step.name]
        if isinstance(found, Exception):
            raise found
        return found

    return drive(lacking(room, OWN), act), looks


@given(
    st.lists(st.tuples(st.integers(0, 50), STATES, STATES), max_size=25),
    st.integers(1, 60),
    st.integers(50, 200),
)
def test_a_job_waits_if_and_only_if_those_that_go_on_by_name_leave_no_room(jobs, tokens, limit):
    listed = [job(number, asks, shown) for number, (asks, shown, _) in enumerate(jobs)]
    # What the list shows as ended has ended: no service takes an end back.
    real = {
        one.name: one.model_copy(update={"state": one.state if one.state.final else state})
        for one, (_, _, state) in zip(listed, jobs, strict=True)
    }
    going = [one for one in real.values() if not one.state.final]
    taken = sum(tokens_of(one.display_name) or 0 for one in going)
    said, _ = decided(Room(MODEL, tokens, limit), listed, real)
    if len(going) <= 10:
        assert bool(said) == (taken > 0 and taken + tokens > limit)
        assert not said or f"{taken:,}" in said
    elif not said:
        assert taken + tokens <= limit, "nobody goes before it fits"


def test_nothing_is_read_by_name_where_the_list_leaves_room_and_nobody_waits_for_what_cannot_be_seen():
    listed = [
        job(1, 40),
        job(2, 50, JobState.SUCCEEDED),
        job(3, 90, model="models/gemini-2.5-pro"),
        job(4, None),
    ]
    assert decided(Room(MODEL, 60, 100), listed, {}) == ("", 0)
    assert decided(Room(MODEL, 60, 100), None, {}) == ("", 0)
    assert decided(Room(MODEL, 600, 100), [], {}) == ("", 0), "too large by itself, and alone"


@pytest.mark.parametrize(
    ("trouble", "waits"), [(NotFound("gone", code=404), False), (ServerError("", code=503), True)]
)
def test_a_job_that_is_gone_leaves_room_and_one_that_cannot_be_read_counts_as_listed(trouble, waits):
    said, _ = decided(Room(MODEL, 60, 100), [job(1, 80), job(2, None)], {"batches/1": trouble})
    assert bool(said) is waits
    if waits:
        assert "known: 1" in said
        assert "1 that do not state" in said


class Quota:
    """A limit of 100 tokens, jobs of 60, and tasks that wait for room on one clock."""

    def __init__(self, ends: float) -> None:
        self.now, self.live, self.order = 0.0, {"batches/0": (ends, job(0, 80))}, list[int]()

    def submit(self, priority: int, begins: float) -> Iterator[float]:
        """Give the moments at which a task wakes; it has deferred in between, so all that it knows is handed on."""
        yield begins
        own, refusals, since, deadline = Identity(f"{priority + 50:064}", "b" * 64), 0, 0.0, 0.0
        while True:
            room = Room(MODEL, 60, 100, priority)
            attempt = Attempt(room=room, refusals=refusals, room_since=since, deadline=deadline, model=MODEL)
            flow = submit(own, "name", attempt, budget=1e9, clock=lambda: self.now)
            step = next(flow)
            while not isinstance(step, AwaitCapacity):
                if isinstance(step, Create):
                    self.order.append(priority)
                    made = job(len(self.order), 60)
                    self.live[made.name] = (self.now + 2000.0, made)
                    return
                answer: Any = None
                if isinstance(step, ListLive):
                    answer = self.listed()
                elif isinstance(step, Look):
                    answer = self.live[step.name][1]
                step = flow.send(answer)
            refusals, since, deadline = step.refusals, step.room_since, step.deadline
            yield self.now + step.seconds

    def listed(self) -> list[BatchJob]:
        self.live = {name: one for name, one in self.live.items() if one[0] > self.now}
        return [one for _, one in self.live.values()]

    def run(self, tasks: list[Iterator[float]]) -> list[int]:
        wakes = {task: next(task) for task in tasks}
        while wakes:
            task = min(wakes, key=lambda one: wakes[one])
            self.now = wakes.pop(task)
            again = next(task, None)
            if again is not None:
                wakes[task] = again
        return self.order


@given(
    st.lists(st.integers(-6, 0), min_size=2, max_size=4, unique=True),
    st.lists(st.floats(0, 900), min_size=4, max_size=4),
    st.floats(1000, 5000),
)
@settings(max_examples=60, deadline=None)
def test_jobs_that_wait_take_room_in_the_order_of_their_priorities(priorities, begins, ends):
    quota = Quota(ends)
    tasks = [quota.submit(priority, begin) for priority, begin in zip(priorities, begins, strict=False)]
    assert quota.run(tasks) == sorted(priorities, reverse=True)


def test_a_job_that_finds_room_at_its_first_look_holds_off_for_nobody():
    quota = Quota(ends=0.0)
    quota.run([quota.submit(-5, 10.0)])
    assert (quota.order, quota.now) == ([-5], 10.0)


@given(st.text(max_size=200), st.integers(0, 10**15 - 1))
def test_a_display_name_says_its_tokens_and_ends_with_its_tag_whatever_stands_before(readable, tokens):
    name = OWN.display_name(readable, tokens)
    assert len(name) <= DISPLAY_NAME_LIMIT
    assert (tokens_of(name), tag_of(name)) == (tokens, OWN.tag)
    assert tokens_of(OWN.display_name(f"{readable} ~7t x")) is None
