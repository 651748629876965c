"""Work that goes from one process to another, on a real Airflow: nothing is lost, nothing is paid twice."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from datetime import timedelta
from time import monotonic

import pytest

from airflow_provider_genai_batch.emulator import Capacity, Fault, JobScript, Lifecycle
from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage
from tests.crash.takeover_world import PATIENCE, TRIGGERERS, World
from tests.crash.takeover_world import world as start_world
from tests.waiting import wait_until

pytestmark = pytest.mark.stack

DEFERRED = dict.fromkeys((f"ask_{number}" for number in range(4)), "deferred")
BOTH = {"gemini": "deferred", "vertex": "deferred"}
ROWS, CALLS, LINES = 120, 8, 16
"""Of a task with a deadline: its rows, its calls under way, the lines of one part of its journal."""
LEFT = {"gemini": 780, "vertex": 200}
"""Seconds before the moment, too few for its job: flex, which is tried first on the Gemini API, takes ten minutes."""
BOTH_SERVICES = "READY_BY_ON_BOTH"
GIVES_UP = "Too many failed heartbeats"
Record = Callable[[str, object], None]


@pytest.fixture(scope="session")
def record(record_testsuite_property: Record) -> Record:
    """Note a figure; ``--junitxml`` writes it."""
    return record_testsuite_property


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, cloud_storage: CloudStorage) -> Iterator[World]:
    with start_world(tmp_path_factory.mktemp("takeovers"), cloud_storage) as world:
        yield world


@pytest.fixture
def world(running: World) -> Iterator[World]:
    """Give the one Airflow of this module, with all its parts alive, and leave no job behind."""
    for name in ("api-server", "scheduler", *TRIGGERERS):
        if not running.airflow.runs(name):
            running.airflow.start(name)
    running.wait_for_both_triggerers()
    yield running
    running.end_all_jobs()


def test_a_triggerer_that_is_killed_is_taken_over_from_and_may_come_back(
    world: World, record: Record
) -> None:
    run = world.start("deferred", **DEFERRED)
    victim = world.triggerer_of(run, "ask_0")
    moved = [task_id for task_id in DEFERRED if world.triggerer_of(run, task_id) == victim]
    world.airflow.kill(victim)
    killed = monotonic()
    world.wait_for_looks(run, *moved)
    record("triggerer killed: seconds until the other looked at its jobs", round(monotonic() - killed, 1))
    assert victim not in {world.triggerer_of(run, task_id) for task_id in DEFERRED}
    world.airflow.start(victim)
    world.wait_for_both_triggerers()
    world.wait_for_looks(run, *DEFERRED)
    world.finish(run)
    world.assert_paid_once(run)


def test_a_trigger_that_two_triggerers_run_at_once_neither_cancels_nor_repeats_its_job(world: World) -> None:
    run = world.start("deferred", **DEFERRED)
    victim = world.triggerer_of(run, "ask_0")
    moved = [task_id for task_id in DEFERRED if world.triggerer_of(run, task_id) == victim]
    world.airflow.signal(victim, signal.SIGSTOP)
    world.wait(
        run,
        lambda: victim not in {world.airflow.client.triggerer_of(run, task_id) for task_id in moved},
        f"the triggers of {victim} are with the other",
    )
    world.wait_for_looks(run, *moved)
    world.airflow.signal(victim, signal.SIGCONT)
    for task_id in moved:
        world.wait_for_stopped_trigger(run, task_id)
    world.wait_for_looks(run, *moved)
    world.finish(run)
    world.assert_paid_once(run)


def test_triggers_outlive_the_death_of_the_triggerers_own_child(world: World, record: Record) -> None:
    run = world.start("deferred", **DEFERRED)
    victim = world.triggerer_of(run, "ask_0")
    (other,) = set(TRIGGERERS) - {victim}
    world.airflow.kill(other)  # so that nobody takes over
    os.kill(world.child_of_triggerer(victim).pid, signal.SIGKILL)
    assert world.airflow.wait_for_end(victim) == 0
    world.airflow.start(victim)
    started = monotonic()
    world.wait_for_looks(run, *DEFERRED)
    record(
        "triggerer's child killed: seconds from the restart to a look at all jobs",
        round(monotonic() - started, 1),
    )
    world.finish(run)
    world.assert_paid_once(run)


def test_a_task_process_without_its_supervisor_waits_on_beside_the_retry_and_changes_nothing(
    world: World, record: Record
) -> None:
    run = world.start("in_place", ask="running")
    orphan, killed = world.orphan(run, "ask"), monotonic()
    world.wait_for_attempt(run, "ask", 2)
    record("supervisor killed: seconds until the retry ran", round(monotonic() - killed, 1))
    assert world.lives(orphan)
    world.wait_for_looks(run, "ask")
    world.finish(run)
    world.wait(run, lambda: not world.lives(orphan), "the orphan has ended")
    world.assert_paid_once(run)


def test_a_task_process_without_its_supervisor_creates_no_job_once_the_retry_has(world: World) -> None:
    ticket = world.emulator.faults.add("files.upload", Fault.hold())
    run = world.airflow.client.trigger("from_file")
    try:
        assert ticket.wait_held(PATIENCE)
        orphan = world.orphan(run, "ask")
        world.wait_for_looks(run, "ask")
        assert world.lives(orphan)
    finally:
        ticket.release()
    world.wait(
        run, lambda: not world.lives(orphan) or world.creates(run, "ask") > 1, "the orphan has decided"
    )
    world.finish(run)
    world.wait(run, lambda: not world.lives(orphan), "the orphan has ended")
    world.assert_paid_once(run)


def test_a_task_that_airflow_stops_because_the_api_server_is_away_keeps_its_job(
    world: World, record: Record
) -> None:
    run = world.start("in_place_patient", ask="running")
    process = world.process_of(run, "ask")
    log = world.airflow.home / "scheduler.log"
    before = log.read_text().count(GIVES_UP)
    world.airflow.kill("api-server")
    killed = monotonic()
    wait_until(lambda: log.read_text().count(GIVES_UP) > before, "the supervisor gives the task up", PATIENCE)
    record("API server away: seconds until the task was killed", round(monotonic() - killed, 1))
    world.airflow.start("api-server")
    wait_until(lambda: not world.lives(process), "the task has been killed", PATIENCE)
    wait_until(world.airflow.health, "the API server answers", PATIENCE)
    world.wait_for_attempt(run, "ask", 2)
    record("API server away: seconds until the retry ran", round(monotonic() - killed, 1))
    world.finish(run)
    world.assert_paid_once(run)


def test_a_scheduler_lost_with_its_workers_costs_nothing_in_place_or_deferred(
    world: World, record: Record
) -> None:
    run = world.start("both_ways", in_place="running", deferred="deferred")
    world.airflow.kill("scheduler")
    world.wait_for_looks(run, "deferred")
    world.airflow.start("scheduler")
    started = monotonic()
    world.wait_for_attempt(run, "in_place", 2)
    record("scheduler killed: seconds from the restart to the next attempt", round(monotonic() - started, 1))
    world.finish(run)
    world.assert_paid_once(run)


@pytest.mark.parametrize("state", ["failed", "success"])
def test_a_deferred_task_that_a_user_marks_has_its_job_cancelled(world: World, state: str) -> None:
    run = world.start("both_services", **BOTH)
    for task_id in BOTH:
        world.airflow.client.mark(run, task_id, state)
    for task_id in BOTH:
        world.wait(
            run, lambda t=task_id: world.cancelled(run, t) == [True], f"the job of {task_id} is cancelled"
        )
    assert world.airflow.client.wait_for(run) == state
    for task_id in BOTH:
        assert world.cancelled(run, task_id) == [True], world.explain(run)


def test_a_deferred_task_that_a_user_clears_has_its_job_cancelled_and_asks_again(world: World) -> None:
    run = world.start("both_services", **BOTH)
    # Otherwise the task may wait for its job again before the triggerer has cancelled it.
    world.airflow.client.resize_pool(0)
    try:
        world.airflow.client.clear(run, *BOTH)
        for task_id in BOTH:
            world.wait(run, lambda t=task_id: world.cancelled(run, t) == [True], "the job is cancelled")
    finally:
        world.airflow.client.resize_pool(10)
    for task_id in BOTH:
        world.wait(run, lambda t=task_id: len(world.jobs(run, t)) > 1, "there is a new job")
    world.wait_for_looks(run, *BOTH)
    world.finish(run)
    for task_id in BOTH:
        assert world.cancelled(run, task_id) == [True, False], world.explain(run)


def test_a_deferred_task_that_runs_again_as_soon_as_it_is_cleared_ends_with_one_job_uncancelled(
    world: World, record: Record
) -> None:
    run = world.start("both_services", **BOTH)
    world.airflow.client.clear(run, *BOTH)
    cleared = monotonic()
    for task_id in BOTH:
        world.wait_for_stopped_trigger(run, task_id)
        world.wait(run, lambda t=task_id: world.waits_again(run, t), "it waits for a job nobody cancelled")
    record("deferred task cleared: seconds until it waited again", round(monotonic() - cleared, 1))
    world.finish(run)
    for task_id in BOTH:
        # The job of before was either cancelled or taken up.
        assert world.cancelled(run, task_id) in ([True, False], [False]), world.explain(run)


def test_with_cancel_on_kill_off_a_marked_task_leaves_its_job_alone(world: World) -> None:
    run = world.start("both_services_uncancelled", **BOTH)
    for task_id in BOTH:
        world.airflow.client.mark(run, task_id, "failed")
    for task_id in BOTH:
        world.wait_for_stopped_trigger(run, task_id)
    assert world.airflow.client.wait_for(run) == "failed"
    for task_id in BOTH:
        assert world.cancelled(run, task_id) == [False], world.explain(run)


def test_with_cancel_on_kill_off_a_cleared_task_takes_its_job_up_again(world: World) -> None:
    run = world.start("both_services_uncancelled", **BOTH)
    world.airflow.client.clear(run, *BOTH)
    for task_id in BOTH:
        world.wait_for_stopped_trigger(run, task_id)
        world.wait(
            run, lambda t=task_id: world.airflow.client.task(run, t)["try_number"] == 2, "it runs again"
        )
        world.airflow.client.wait_for_task(run, task_id, "deferred")
    world.finish(run)
    world.assert_paid_once(run)


@pytest.mark.parametrize("name", [*LEFT] if BOTH_SERVICES in os.environ else ["gemini"])
def test_a_worker_that_dies_while_it_asks_for_a_deadline_loses_only_what_was_under_way(
    world: World, name: str
) -> None:
    """``READY_BY_ON_BOTH=1 pytest tests/crash/test_takeovers.py -k deadline`` has it on Vertex AI, too."""
    stuck = JobScript(lifecycle=Lifecycle.stuck("RUNNING"), served=0.25, cancel_looks=2)
    world.emulator.script(stuck, backend=name)
    world.emulator.capacity = Capacity(latency=0.3)
    world.emulator.clear_requests()
    clock = world.emulator.clock
    at = clock.now() + timedelta(hours=2)
    run = world.airflow.client.trigger(f"ready_by_{name}", {"at": at.isoformat()})
    world.wait(run, lambda: bool(world.jobs(run, "ask")), "its job is there")
    world.wait_for_looks(run, "ask")
    clock.advance((at - clock.now()).total_seconds() - LEFT[name])
    try:
        world.wait(run, lambda: world.answers().total() >= ROWS // 3, "a third of its rows are asked at once")
        os.kill(world.process_of(run, "ask").pid, signal.SIGKILL)
        before = world.answers()
        assert world.airflow.client.wait_for(run) == "success", world.explain(run)
    finally:
        world.emulator.capacity = Capacity()
    lines, answers = world.lines(run, "ask"), world.answers()
    assert {key: line["status"] for key, line in lines.items()} == {f"r{n}": "ok" for n in range(ROWS)}
    assert world.airflow.client.task(run, "ask")["try_number"] > 1
    (job,) = world.jobs(run, "ask")
    assert (job["live"], job["cancel_requested"]) == (False, True)
    by_job = {f"Ask {key[1:]}" for key, line in lines.items() if line["tier"] == "batch"}
    assert len(by_job) == ROWS // 4
    assert answers.keys() == {f"Ask {n}" for n in range(ROWS)} - by_job  # nothing that the job has answered
    assert before.total() < len(answers)  # it died in the middle
    assert answers.total() - len(answers) <= CALLS + LINES
