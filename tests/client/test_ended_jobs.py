"""Which jobs have ended of late is told of each one, whatever the list shows when, and rounds stay cheap."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.client.jobs import CLOCK_SKEW
from airflow_provider_genai_batch.client.polling import ended_jobs as ended
from airflow_provider_genai_batch.client.polling.ended_jobs import EndedJobs
from airflow_provider_genai_batch.client.transport import retries as attempts
from airflow_provider_genai_batch.emulator import Emulator, Fault, JobScript, Lifecycle
from airflow_provider_genai_batch.exceptions import ServerError
from tests.operators.scenes import MODEL, client, lines

HOUR = 3600.0
LONG = JobScript(lifecycle=Lifecycle.timed(pending=0, running=HOUR))
NEVER = JobScript(lifecycle=Lifecycle.stuck("RUNNING"))
AT_ONCE = JobScript(lifecycle=Lifecycle.at_once())


class World:
    """An emulator, a client and a walker on its clock."""

    def __init__(self, emulator: Emulator, service: GenAIBatchClient, window: float = 0) -> None:
        self.emulator, self.service, self.jobs = emulator, service, EndedJobs(window)
        self.passed = 0.0

    def submit(self, script: JobScript, count: int = 1) -> list[str]:
        names = []
        for _ in range(count):
            self.emulator.script(script)
            names.append(self.service.create(MODEL, ["a"], display_name="one").name)
        return names

    def pass_seconds(self, seconds: float) -> None:
        self.emulator.clock.advance(seconds)
        self.passed += seconds

    def told(self) -> set[str]:
        return {one.job.name for one in self.service.run(self.jobs.round(self.service.calls, self.now))}

    @property
    def now(self) -> float:
        return time.time() + self.passed

    def calls(self) -> Counter[str]:
        """Count the calls of a round."""
        self.emulator.clear_requests()
        self.told()
        return Counter(request["method"].partition(".")[2] for request in self.emulator.requests)


@pytest.fixture
def world(gemini: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(attempts, "backoff", lambda *_: 0.0)
    with client() as service:
        yield World(gemini, service)


def test_a_job_is_told_of_whatever_the_order_of_the_list(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_genai_batch.client.polling.ended_jobs.PAGE_SIZE", 2)
    world.submit(AT_ONCE, 2)
    world.pass_seconds(100 * HOUR)
    world.submit(AT_ONCE)
    before = world.told()
    world.pass_seconds(HOUR)
    new = world.submit(AT_ONCE)
    world.emulator.faults.add("batches.list", Fault.oldest_first(times=2))
    assert world.told() - before == set(new)


def test_a_job_that_ends_is_told_of_with_all_but_its_rows(world: World) -> None:
    (name,) = world.submit(LONG)
    assert world.told() == set()
    world.pass_seconds(HOUR)
    (ended,) = world.service.run(world.jobs.round(world.service.calls, world.now))
    job = ended.job
    assert (job.name, job.display_name, job.model, job.state.value) == (
        name,
        "one",
        f"models/{MODEL}",
        "SUCCEEDED",
    )
    assert (job.counts.total, job.counts.succeeded) == (1, 1)
    assert abs(ended.at - world.now) < 60
    assert all("metadata(" in request["query"]["fields"] for request in world.emulator.requests[-2:])


def test_one_that_had_ended_before_the_window_is_not_told_of(world: World) -> None:
    late = ""
    for seconds in (2 * HOUR, HOUR / 2):
        (late,) = world.submit(AT_ONCE)
        assert world.service.get(late).done
        world.pass_seconds(seconds)
    world.jobs = EndedJobs(window=HOUR)
    assert world.told() == {late}


def test_a_job_that_was_submitted_days_ago_is_seen_to_end(world: World) -> None:
    (name,) = world.submit(JobScript(lifecycle=Lifecycle.timed(pending=0, running=47 * HOUR)))
    world.pass_seconds(46 * HOUR)
    assert world.told() == set()
    world.pass_seconds(HOUR)
    assert world.told() == {name}


def test_what_was_submitted_and_ended_while_the_service_was_away_is_told_of(world: World) -> None:
    world.told()
    (name,) = world.submit(AT_ONCE)
    assert world.service.get(name).done
    world.pass_seconds(3 * HOUR)
    world.emulator.faults.add("batches.list", Fault.error(503, times=attempts.TRIES))
    with pytest.raises(ServerError):
        world.told()
    assert world.told() == {name}


def test_each_is_told_of_for_a_while_and_never_comes_back(world: World) -> None:
    (name,) = world.submit(AT_ONCE)
    world.jobs = EndedJobs(window=HOUR)
    told = []
    for _ in range(8):
        told.append(name in world.told())
        world.pass_seconds(HOUR / 3)
    assert told[0]
    assert not told[-1]
    assert sorted(told, reverse=True) == told
    assert world.jobs._ended == {}


def test_a_list_that_shows_a_job_late_hides_it_for_as_long_only(world: World) -> None:
    world.told()
    (name,) = world.submit(JobScript(lifecycle=Lifecycle.at_once(), list_lag=2))
    assert [world.told() for _ in range(3)] == [set(), set(), {name}]


def test_a_paused_job_has_not_ended(world: World) -> None:
    (name,) = world.submit(NEVER)
    world.emulator.force(name, "PAUSED")
    assert world.told() == set()
    world.emulator.force(name, "FAILED")
    assert world.told() == {name}


def test_a_job_that_was_deleted_is_not_asked_for_any_more(world: World) -> None:
    (name,) = world.submit(LONG)
    world.told()
    world.pass_seconds(HOUR + 2 * CLOCK_SKEW)
    world.service.get(name)
    world.service.delete(name)
    assert world.told() == set()
    assert world.calls() == {"list": 1}


def test_a_round_walks_no_further_than_to_jobs_it_knows(world: World) -> None:
    world.submit(NEVER, 2)
    world.pass_seconds(2 * CLOCK_SKEW)
    world.submit(AT_ONCE, 210)
    assert world.calls() == {"list": 3}
    world.pass_seconds(2 * CLOCK_SKEW)
    (last,) = world.submit(AT_ONCE)
    assert last in world.told()
    world.pass_seconds(2 * CLOCK_SKEW)
    assert world.calls() == {"list": 1, "get": 2}


def test_a_list_in_another_order_hides_no_job(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ended, "PAGE_SIZE", 10)
    world.submit(AT_ONCE, 12)
    world.pass_seconds(2 * CLOCK_SKEW)
    world.submit(AT_ONCE, 13)
    world.told()
    world.pass_seconds(200 * HOUR)
    (name,) = world.submit(AT_ONCE)
    world.emulator.faults.add("batches.list", Fault.oldest_first(times=3))
    assert name in world.told()


def test_of_many_that_go_on_far_below_pages_tell(world: World) -> None:
    world.submit(NEVER, 20)
    world.pass_seconds(2 * CLOCK_SKEW)
    world.submit(AT_ONCE, 90)
    world.told()
    world.pass_seconds(2 * CLOCK_SKEW)
    assert world.calls() == {"list": 2}


def test_trouble_with_looks_at_some_keeps_nobody_else_from_being_told_of(world: World) -> None:
    first, *others = world.submit(LONG, 2)
    world.pass_seconds(CLOCK_SKEW)
    world.submit(AT_ONCE, 110)
    world.pass_seconds(2 * CLOCK_SKEW)
    world.submit(AT_ONCE)
    world.told()
    world.pass_seconds(HOUR)
    world.emulator.faults.add("batches.get", Fault.error(403, times=3, path=first))
    told = [world.told() for _ in range(4)]
    assert all(set(others) <= names and first not in names for names in told[:3])
    assert first in told[3]


def test_vertex_is_walked_alike_and_tells_labels(vertex: Emulator) -> None:
    with client() as service:
        vertex.script(AT_ONCE)
        source = "gs://emulator-staging/ended/in.jsonl"
        service.upload(BytesIO(lines()), source)
        job: Any = service.create(MODEL, source, dest="gs://emulator-staging/ended/", labels={"team": "red"})
        (ended,) = service.run(EndedJobs(60).round(service.calls, time.time()))
    assert (ended.job.name, ended.job.labels, ended.job.state.value) == (
        job.name,
        {"team": "red"},
        "SUCCEEDED",
    )
    assert ended.job.end_time is not None
