"""Finding what a list shows of a task instance's jobs, whatever its order and whether or not it filters."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_genai_batch.client import jobs, pages
from airflow_provider_genai_batch.emulator import Emulator, Fault
from airflow_provider_genai_batch.models.jobs.identity import Identity
from tests.client.places import Either

IDENTITY = Identity("a" * 64, "b" * 64)
STRANGER = Identity("d" * 64, "b" * 64)
HOUR = 3600.0


def now(emulator: Emulator) -> float:
    return emulator.clock.now_ns() / 1e9


def find(either: Either, since: float | None = None) -> list[str]:
    found = either.client.run(jobs.find_jobs(either.client.calls, IDENTITY, since))
    return [job.name for job in found]


def create(either: Either, identity: Identity) -> str:
    labels = {"labels": identity.labels()} if either.vertex else {}
    name: str = either.create("a", display_name=identity.display_name("nightly"), **labels).name
    return name


def pages_read(either: Either) -> int:
    return sum(1 for one in either.emulator.requests if one["method"] == f"{either.service}.list")


@pytest.fixture(autouse=True)
def _short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "PAGE_SIZE", 4)


def test_jobs_of_others_are_not_found_where_the_service_ignores_the_filter(on_vertex: Either) -> None:
    create(on_vertex, STRANGER)
    own = create(on_vertex, IDENTITY)
    on_vertex.create("a", display_name="somebody's")
    on_vertex.emulator.faults.add("batchPredictionJobs.list", Fault.ignored_filter())
    assert find(on_vertex) == [own]


@pytest.mark.parametrize("oldest_first", [False, True], ids=["newest first", "oldest first"])
def test_a_job_is_found_whatever_the_order_of_the_list(either: Either, oldest_first: bool) -> None:
    begin = now(either.emulator) + HOUR
    for _ in range(6):
        create(either, STRANGER)
    either.emulator.clock.advance(HOUR)
    own = create(either, IDENTITY)
    if oldest_first:
        either.emulator.faults.add(
            f"{either.service}.list", Fault.oldest_first(times=2 if not either.vertex else 1)
        )
    assert find(either, begin) == [own]


def test_a_list_that_shows_itself_newest_first_is_left_at_jobs_older_than_the_run(
    emulator: Emulator, gem: Any
) -> None:
    either = Either("batches", emulator, gem)
    for _ in range(pages.NEWEST_FIRST_AFTER + 13):
        create(either, STRANGER)
    emulator.clock.advance(HOUR)
    assert find(either, now(emulator)) == []
    assert pages_read(either) == (pages.NEWEST_FIRST_AFTER + 1 + 3) // 4


def test_a_walk_in_circles_finds_what_it_saw(either: Either, caplog: pytest.LogCaptureFixture) -> None:
    own = create(either, IDENTITY)
    either.emulator.faults.add(f"{either.service}.list", Fault.same_token(times=2))
    assert find(either) == [own]
    assert "repeats a page token" in caplog.text


def test_recent_jobs_are_those_of_anybody_and_pages_of_old_ones_are_not_asked_for(
    either: Either, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "NEWEST_FIRST_AFTER", 3)
    for identity in (STRANGER,) * 8:
        create(either, identity)
        either.emulator.clock.advance(1)
    either.emulator.clock.advance(HOUR)
    new = [create(either, IDENTITY) for _ in range(3)]
    found = either.client.run(jobs.recent_jobs(either.client.calls, now(either.emulator) - HOUR / 2, 9))
    assert {job.name for job in found} >= {*new}
    assert len(found) == 8, "the second page has none of the time that is asked about"
    assert all(job.create_time and job.display_name and job.model for job in found)
    assert len(either.client.run(jobs.recent_jobs(either.client.calls, 0.0))) == 4, "one page"
