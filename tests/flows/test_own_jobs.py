"""Lists are hints: jobs are read by name before one is taken up, cancelled or replaced; of twins one is kept."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone

import pytest

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.emulator import Fault, JobScript, Lifecycle
from airflow_provider_genai_batch.flows.record import Record
from airflow_provider_genai_batch.flows.submission.own_jobs import APPEARS_WITHIN, choose
from airflow_provider_genai_batch.flows.submission.search import (
    LONGEST_CREATE,
    LOOKS_AFTER_LOSS,
    NOTE_SKEW,
    STALE,
)
from airflow_provider_genai_batch.models import BatchJob, JobCounts, JobState
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.jobs.identity import Identity
from airflow_provider_genai_batch.models.jobs.job import Worth, worth
from tests.client.places import BUCKET, MODEL, lines, vertex_config
from tests.flows.desk import HOUR, IDENTITY, Desk

RUNS = JobScript(lifecycle=Lifecycle.stuck("RUNNING"))
OTHER_INPUT = Identity("a" * 64, "c" * 64)
STRANGER = Identity("d" * 64, "b" * 64)


@pytest.fixture
def vertex_desk(make_desk) -> Desk:
    return make_desk("vertex")


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.WARNING):
        yield caplog


def cancelled(desk: Desk) -> list[bool]:
    return [job["cancel_requested"] for job in desk.emulator.jobs]


def names(desk: Desk) -> list[str]:
    return [job["name"] for job in desk.emulator.jobs]


def run(desk: Desk, identity: Identity = IDENTITY, **script) -> BatchJob:
    """Submit a job that goes on, as an attempt that knows of no other does."""
    desk.emulator.script(replace(RUNS, **script))
    record, desk.record = desk.record, None
    job = desk.submit(identity=identity)
    desk.record = record
    return job


# ------------------------------------------------------------ nothing of anybody else's


def test_jobs_of_strangers_are_left_alone_where_the_service_ignores_the_filter(vertex_desk: Desk) -> None:
    for number in range(5):
        run(vertex_desk, Identity(f"{number}" * 64, "b" * 64))
    vertex_desk.emulator.faults.add("batchPredictionJobs.list", Fault.ignored_filter(times=9))
    vertex_desk.submit(look_first=True)
    assert cancelled(vertex_desk) == [False] * 6
    vertex_desk.emulator.faults.clear()


@pytest.mark.parametrize("reattach", [True, False])
def test_a_job_that_only_a_list_calls_the_tasks_own_is_left_alone(desk: Desk, reattach: bool) -> None:
    run(desk, STRANGER)
    other = OTHER_INPUT.display_name("nightly")
    desk.shown = lambda _: [
        desk.client.get(name).model_copy(update={"display_name": other, "labels": {}})
        for name in names(desk)[:1]
    ]
    desk.submit(look_first=True, reattach=reattach)
    assert cancelled(desk) == [False, False]


def test_a_flow_takes_no_job_of_a_stranger_from_whoever_lists_for_it(desk: Desk) -> None:
    stranger = run(desk, STRANGER)
    desk.shown = lambda _: [desk.client.get(stranger.name)]
    assert desk.submit(look_first=True).name != stranger.name
    assert cancelled(desk) == [False, False]


# ------------------------------------------------------------ stale entries


@pytest.mark.parametrize("end", ["FAILED", "CANCELLED"])
def test_a_list_that_says_running_of_a_job_that_ended_without_rows_does_not_keep_a_new_one_away(
    desk: Desk, end: str
) -> None:
    desk.emulator.script(JobScript(lifecycle=Lifecycle.at_once(), end=end, served=0.0, stale_entries=True))
    old = desk.submit()
    desk.client.get(old.name)
    new = desk.find(look_first=True)
    assert (new.job.name != old.name, new.reattached) == (True, False)
    assert desk.posts() == 2


def test_a_list_that_goes_on_showing_a_deleted_job_does_not_keep_a_new_one_away(desk: Desk) -> None:
    desk.emulator.script(JobScript(lifecycle=Lifecycle.at_once(), stale_entries=True))
    old = desk.submit()
    desk.client.get(old.name)
    desk.client.delete(old.name)
    desk.emulator.clock.advance(APPEARS_WITHIN)
    assert desk.submit(look_first=True).name != old.name


def test_a_job_that_ended_well_is_reattached_though_the_list_says_that_it_runs(desk: Desk) -> None:
    desk.emulator.script(JobScript(lifecycle=Lifecycle.at_once(), stale_entries=True))
    old = desk.submit()
    desk.client.get(old.name)
    found = desk.find(look_first=True)
    assert (found.job.name, found.job.state) == (old.name, JobState.SUCCEEDED)


# ------------------------------------------------------------ a job that does not appear yet


@pytest.mark.parametrize("noted", [True, False], ids=["by its note", "by the list"])
def test_a_job_that_its_name_does_not_find_for_twenty_seconds_is_reattached(desk: Desk, noted: bool) -> None:
    desk.record = Record() if noted else None
    desk.emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING"), get_lag_seconds=20))
    first = desk.submit()
    assert desk.find(look_first=True).job.name == first.name
    assert desk.posts() == 1


def test_nor_is_it_asked_again_where_its_create_gave_no_answer_and_the_clock_is_ahead_of_its_times(
    desk: Desk,
) -> None:
    desk.ahead = 600.0
    desk.emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING"), get_lag_seconds=30))
    desk.emulator.faults.add(f"{desk.place.service}.create", Fault.lost_reply())
    desk.submit()
    assert desk.posts() == 1


def test_a_job_that_its_name_does_not_find_for_twenty_seconds_is_waited_for(desk: Desk) -> None:
    desk.emulator.script(JobScript(get_lag_seconds=20))
    job = desk.submit()
    assert desk.watch(job.name, appear_until=desk.now() + APPEARS_WITHIN).why.value == "ended"
    assert max(desk.naps[:10]) <= 2.0  # it is looked for often


def test_a_job_that_is_not_wanted_any_more_is_cancelled_as_soon_as_it_appears(desk: Desk) -> None:
    old = run(desk, OTHER_INPUT, get_lag_seconds=20)
    desk.record = Record(OTHER_INPUT.tag, desk.now(), old.name)
    desk.submit(look_first=True)
    assert cancelled(desk) == [True, False]
    desk.record = None
    run(desk, OTHER_INPUT, get_lag_seconds=20)
    desk.submit(look_first=True)  # now by the list
    assert cancelled(desk) == [True, False, True]


def test_a_job_that_never_appears_is_lost_after_a_bounded_time(desk: Desk) -> None:
    desk.emulator.script(JobScript(get_lag_seconds=9 * HOUR))
    job, begun = desk.submit(), desk.now()
    ending = desk.watch(job.name, appear_until=begun + APPEARS_WITHIN)
    assert (ending.why.value, "404" in ending.detail) == ("lost", True)
    assert APPEARS_WITHIN <= desk.now() - begun <= APPEARS_WITHIN + 3


# ------------------------------------------------------------ twins


def test_two_jobs_of_one_post_become_one_and_the_log_names_the_other(
    desk: Desk, warnings: pytest.LogCaptureFixture
) -> None:
    desk.emulator.faults.add(f"{desk.place.service}.create", Fault.twice())
    desk.emulator.script(RUNS)
    desk.emulator.script(RUNS)
    desk.submit()
    oldest, other = names(desk)
    assert desk.find(look_first=True).job.name == oldest
    assert cancelled(desk) == [False, True]
    assert f"Job {other} asks the same requests as job {oldest}" in warnings.text
    assert desk.find(look_first=True).job.name == oldest
    assert desk.posts() == 1


def test_of_three_jobs_that_ask_the_same_one_goes_on(desk: Desk) -> None:
    jobs = [run(desk) for _ in range(3)]
    assert desk.find(look_first=True).job.name == jobs[0].name
    assert cancelled(desk) == [False, True, True]


def test_a_twin_that_cannot_be_cancelled_is_named_as_billed(
    desk: Desk, warnings: pytest.LogCaptureFixture
) -> None:
    first, twin = run(desk), run(desk)
    desk.emulator.faults.add(f"{desk.place.service}.cancel", Fault.error(403))
    assert desk.find(look_first=True).job.name == first.name
    assert twin.name in warnings.text
    assert "could not be cancelled and is billed" in warnings.text


def job(
    name: str, state: JobState, ok: int | None = None, total: int | None = 10, created: int = 0
) -> BatchJob:
    return BatchJob(
        name=f"batches/{name}",
        backend=Backend.GEMINI,
        state=state,
        counts=JobCounts(succeeded=ok, total=total),
        create_time=datetime.fromtimestamp(1_800_000_000 + created, timezone.utc),
    )


RUNNING, SUCCEEDED, CANCELLED = JobState.RUNNING, JobState.SUCCEEDED, JobState.CANCELLED


@pytest.mark.parametrize(
    ("jobs", "kept", "twins", "surplus"),
    [
        ([job("a", RUNNING, 1), job("b", RUNNING, 5)], "b", "", "a"),
        ([job("a", RUNNING, 3, created=9), job("b", RUNNING, 3)], "b", "", "a"),
        ([job("a", SUCCEEDED, 10), job("b", RUNNING, 9)], "a", "", "b"),
        ([job("a", SUCCEEDED, None, None), job("b", RUNNING, 9)], "a", "", "b"),
        ([job("a", SUCCEEDED, 5), job("b", RUNNING, 2)], "b", "a", ""),
        ([job("a", SUCCEEDED, 0), job("b", RUNNING)], "b", "", ""),
        ([job("a", SUCCEEDED, 4), job("b", SUCCEEDED, 7)], "b", "a", ""),
        ([job("a", SUCCEEDED, 10), job("b", SUCCEEDED, 10, created=9)], "a", "", ""),
        ([job("a", CANCELLED, 4), job("b", RUNNING, 0)], "b", "a", ""),
        ([job("a", CANCELLED, 4), job("b", JobState.CANCELLING, 1)], "b", "a", ""),
        ([job("a", JobState.PAUSED, 0), job("b", RUNNING, 0, created=9)], "b", "", "a"),
        ([job("a", JobState.FAILED, 0), job("b", CANCELLED, 0)], "", "", ""),
    ],
)
def test_of_twins_the_one_that_has_answered_most_is_kept_else_the_oldest(
    jobs: list[BatchJob], kept: str, twins: str, surplus: str
) -> None:
    choice = choose(jobs)
    assert (choice.kept.name.rpartition("/")[2] if choice.kept else "") == kept
    assert "".join(one.name[-1] for one in choice.twins) == twins
    assert "".join(one.name[-1] for one in choice.surplus) == surplus


def test_a_twin_that_no_list_shows_before_the_create_is_found_after_it(
    desk: Desk, warnings: pytest.LogCaptureFixture
) -> None:
    desk.record = Record()
    older = run(desk, list_lag_seconds=sum(LOOKS_AFTER_LOSS) + 5)
    desk.record = Record(IDENTITY.tag, desk.now())  # its sender died before it knew of the answer
    desk.emulator.script(RUNS)
    assert desk.find(look_first=True).job.name == older.name
    assert cancelled(desk) == [False, True]
    assert desk.record.job == older.name
    assert names(desk)[1] in warnings.text


def test_a_twin_of_a_create_whose_outcome_stayed_unknown_is_found_after_the_next(desk: Desk) -> None:
    desk.emulator.script(replace(RUNS, list_lag_seconds=sum(LOOKS_AFTER_LOSS) + 5))
    desk.emulator.script(RUNS)
    desk.emulator.faults.add(f"{desk.place.service}.create", Fault.lost_reply())
    found = desk.submit()
    assert desk.posts() == 2
    assert found.name == names(desk)[0]
    assert cancelled(desk) == [False, True]


# ------------------------------------------------------------ what notes tell


def test_an_attempt_that_goes_by_its_note_still_looks_for_the_job_of_an_unclear_create(desk: Desk) -> None:
    desk.record = Record(OTHER_INPUT.tag, desk.now())  # that attempt was given up, and lives on
    desk.emulator.script(RUNS)
    own = desk.submit(look_first=True)
    run(desk, OTHER_INPUT)  # now its create call is acted upon
    assert desk.find(look_first=True).job.name == own.name
    assert cancelled(desk) == [False, True]


def test_an_unclear_create_is_forgotten_when_its_job_would_be_seen(desk: Desk) -> None:
    desk.record = Record(OTHER_INPUT.tag, desk.now())
    desk.emulator.script(RUNS)
    desk.submit(look_first=True)
    assert desk.record.doubt
    desk.emulator.clock.advance(STALE + LONGEST_CREATE + NOTE_SKEW + HOUR)
    desk.submit(look_first=True)
    assert not desk.record.doubt
    desk.steps.clear()
    desk.submit(look_first=True)
    assert desk.deeds == ["Look"]


@pytest.mark.parametrize("ahead", [400, -400])
def test_a_note_of_a_machine_whose_clock_is_wrong_makes_no_second_job(desk: Desk, ahead: float) -> None:
    first = run(desk, list_lag_seconds=10)
    desk.record = Record(IDENTITY.tag, desk.now())
    desk.ahead = ahead
    assert desk.submit(look_first=True).name == first.name
    assert desk.posts() == 1


@pytest.mark.parametrize("reattach", [True, False])
def test_a_job_in_the_notes_that_is_not_asked_any_more_is_cancelled_where_no_list_shows_it(
    vertex_desk: Desk, reattach: bool, warnings: pytest.LogCaptureFixture
) -> None:
    """The connection points to another location."""
    with GenAIBatchClient(vertex_config(vertex_desk.emulator, location="europe-west4")) as elsewhere:
        source = f"{BUCKET}/moved/in.jsonl"
        vertex_desk.place.storage.write(source, [lines("a")])
        vertex_desk.emulator.script(RUNS)
        old = elsewhere.create(
            MODEL,
            source,
            dest=f"{BUCKET}/moved/out/",
            display_name=OTHER_INPUT.display_name("nightly"),
            labels=OTHER_INPUT.labels(),
        )
    vertex_desk.record = Record(OTHER_INPUT.tag, vertex_desk.now(), old.name)
    vertex_desk.submit(look_first=True, reattach=reattach)
    assert cancelled(vertex_desk) == [True, False]
    assert f"Job {old.name} of an earlier attempt is no longer wanted" in warnings.text


def test_a_job_in_the_notes_that_this_connection_cannot_reach_is_named_as_billed(
    desk: Desk, warnings: pytest.LogCaptureFixture
) -> None:
    there = "batches/abc" if desk.place.vertex else "projects/p/locations/l/batchPredictionJobs/1"
    desk.record = Record(OTHER_INPUT.tag, desk.now(), there)
    desk.submit(look_first=True)
    assert there in warnings.text
    assert "if it still runs, it is billed" in warnings.text
    assert desk.posts() == 1


def test_a_job_of_another_key_is_named_as_billed_if_it_goes_on_there(
    gemini_desk: Desk, warnings: pytest.LogCaptureFixture
) -> None:
    gemini_desk.record = Record(OTHER_INPUT.tag, gemini_desk.now(), "batches/of-another-project")
    gemini_desk.submit(look_first=True, place="gemini")
    assert "batches/of-another-project" in warnings.text
    assert "still runs in the old one and is billed" in warnings.text


def test_a_stranger_in_the_notes_is_left_alone(desk: Desk, warnings: pytest.LogCaptureFixture) -> None:
    stranger = run(desk, STRANGER)
    desk.record = Record(OTHER_INPUT.tag, desk.now(), stranger.name)
    desk.submit(look_first=True)
    assert cancelled(desk) == [False, False]
    assert "its owner is unknown" in warnings.text


def test_all_jobs_in_the_notes_of_a_task_whose_input_changed_are_cancelled(desk: Desk) -> None:
    pieces = [OTHER_INPUT.piece(number, 0) for number in (0, 1)]
    jobs = [run(desk, piece) for piece in pieces]
    first, second = (Record(p.tag, desk.now(), j.name) for p, j in zip(pieces, jobs, strict=True))
    desk.record, desk.other_records = first, [second]
    desk.shown = lambda _: []  # the list shows none of them
    desk.submit(look_first=True, whole_task=True)
    assert cancelled(desk) == [True, True, False]


def test_an_unclear_create_at_a_place_that_cannot_be_listed_is_told(
    desk: Desk, warnings: pytest.LogCaptureFixture
) -> None:
    desk.record = Record(OTHER_INPUT.tag, desk.now(), place="projects/old/locations/l", conn_id="old")
    desk.submit(look_first=True, place="projects/new/locations/l", conn_id="new")
    assert f"{OTHER_INPUT.tag} at projects/old/locations/l" in warnings.text
    assert "it is billed" in warnings.text


def test_the_log_says_that_all_is_paid_again_where_the_job_is_long_gone(
    desk: Desk, warnings: pytest.LogCaptureFixture
) -> None:
    desk.record = Record()
    desk.emulator.script(JobScript(lifecycle=Lifecycle.at_once()))
    old = desk.submit()
    desk.client.get(old.name)
    desk.client.delete(old.name)
    desk.emulator.clock.advance(30 * 24 * HOUR)
    assert desk.submit(look_first=True).name != old.name
    assert f"Job {old.name} of an earlier attempt does not exist any more" in warnings.text
    assert "are submitted and paid for again" in warnings.text.replace("\n", " ")


def test_without_notes_the_log_says_that_all_may_be_paid_again(
    desk: Desk, warnings: pytest.LogCaptureFixture
) -> None:
    desk.submit(look_first=True)
    assert "No job of an earlier attempt was found" in warnings.text


def test_a_create_whose_answer_names_no_job_is_looked_for(desk: Desk) -> None:
    desk.emulator.faults.add(f"{desk.place.service}.create", Fault.misnamed("operations/abc"))
    found = desk.submit()
    assert found.name == names(desk)[0]
    assert desk.posts() == 1


@pytest.mark.parametrize("state", JobState)
def test_what_a_job_is_still_worth_follows_from_its_state_and_its_answers(state: JobState) -> None:
    ended_well = state in (JobState.SUCCEEDED, JobState.PARTIALLY_SUCCEEDED)
    ended = ended_well or state in (JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED)
    found = {
        succeeded: worth(
            BatchJob(
                name="batches/a", backend=Backend.GEMINI, state=state, counts=JobCounts(succeeded=succeeded)
            )
        )
        for succeeded in (None, 0, 1)
    }
    if state is JobState.CANCELLING:
        assert {*found.values()} == {Worth.ROWS}
    elif not ended:
        assert {*found.values()} == {Worth.RUNNING}
    else:
        assert found == {
            None: Worth.ROWS if ended_well else Worth.NOTHING,
            0: Worth.NOTHING,
            1: Worth.ROWS,
        }
