"""Task Loops of Airflow 3.4 on its processes: iterations are told apart, and none takes another's state for its own."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle
from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage
from tests.airflow_stack import AirflowStack, DagRun
from tests.waiting import wait_until

pytest.importorskip("airflow.sdk.definitions._internal.loop", reason="Task Loops came with Airflow 3.4")

Answer = TypeVar("Answer")

DAGS = Path(__file__).parent / "loop_dags"
SECONDS = 240.0
"""For whatever is awaited: cells run on machines that are busy with other things."""


@dataclass(frozen=True)
class World:
    airflow: AirflowStack
    emulator: Emulator

    def insist(self, call: Callable[[], Answer]) -> Answer:
        """Call the API server until it does not fail: SQLite is locked now and then while all components write."""
        answers: list[Answer] = []

        def answered() -> bool:
            try:
                answers.append(call())
            except httpx.HTTPStatusError as error:
                if error.response.status_code != httpx.codes.INTERNAL_SERVER_ERROR:
                    raise
            return bool(answers)

        wait_until(answered, "the API server answers", SECONDS, every=1)
        return answers[0]

    def start(self, dag_id: str) -> DagRun:
        return self.insist(lambda: self.airflow.client.trigger(dag_id))

    def instances(self, run: DagRun, task_id: str) -> list[dict[str, Any]]:
        """Return the task instances of a task, iteration after iteration."""
        found = self.airflow.client.call("GET", f"{run.path}/taskInstances", params={"limit": 100})
        mine = [one for one in found["task_instances"] if one["task_id"] == task_id]
        return sorted(mine, key=lambda one: (one["loop_iteration"] or {}).get("iteration", 0))

    def wait_for(
        self, run: DagRun, task_id: str, iteration: int, state: str, times: int = 1
    ) -> dict[str, Any]:
        """Wait until an iteration is in a state at a try, and return it."""

        def there() -> list[dict[str, Any]]:
            of = self.instances(run, task_id)[iteration : iteration + 1]
            return [one for one in of if one["state"] == state and one["try_number"] == times]

        wait_until(there, f"{task_id} of iteration {iteration} is {state}", SECONDS, every=0.5)
        return there()[0]

    def address(self, run: DagRun, one: dict[str, Any], what: str = "") -> tuple[str, dict[str, Any]]:
        """Return where the REST API has a task instance: without its region it is none of a loop's."""
        where = {"region_id": one["region_id"], "region_index": one["region_index"]}
        return f"{run.path}/taskInstances/{one['task_id']}{what}", where

    def ends(self, job: dict[str, Any]) -> bool:
        (now,) = (it for it in self.emulator.jobs if it["name"] == job["name"])
        return bool(now["cancel_requested"])

    def explain(self) -> str:
        return self.airflow.logs()[-6000:]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, cloud_storage: CloudStorage) -> Iterator[World]:
    home = tmp_path_factory.mktemp("loops")
    with Emulator(storage=cloud_storage) as emulator:
        settings = {
            "AIRFLOW_CONN_GENAI_BATCH_DEFAULT": json.dumps(emulator.connection("gemini")),
            "AIRFLOW_CONN_GENAI_BATCH_VERTEX": json.dumps(emulator.connection("vertex")),
            "STORAGE_EMULATOR_HOST": cloud_storage.url,
        }
        with AirflowStack(home, DAGS, settings) as airflow:
            yield World(airflow, emulator)


def test_task_instances_that_differ_in_any_coordinate_have_jobs_of_their_own_and_tries_share_one(
    world: World,
) -> None:
    before = len(world.emulator.jobs)
    runs = [world.start(name) for name in ("coordinates", "more_coordinates", "coordinates")]
    for run in runs:
        assert world.airflow.client.wait_for(run, SECONDS) == "success", world.explain()
    instances = [
        one
        for run in runs
        for task in ("before", "body.one", "body.mapped", "mapped")
        for one in world.instances(run, task)
    ]
    assert len(instances) == len(runs) * (1 + 2 + 2 * 2 + 2)
    assert {one["try_number"] for one in instances} == {2}
    jobs = world.emulator.jobs[before:]
    assert len(jobs) == len({job["display_name"] for job in jobs}) == len(instances)


def waits_again(world: World, dag_id: str, state: str) -> tuple[DagRun, dict[str, Any], dict[str, Any]]:
    """Let two iterations succeed, clear the first alone, and wait until it waits for another job."""
    for lifecycle in (Lifecycle.at_once(), Lifecycle.at_once(), Lifecycle.stuck("RUNNING")):
        world.emulator.script(JobScript(lifecycle=lifecycle))
    run = world.start(dag_id)
    assert world.airflow.client.wait_for(run, SECONDS) == "success", world.explain()
    first, _ = world.instances(run, "waiting.ask")
    which = {"task_instance_ids": [first["id"]], "include_later_loop_iterations": False}
    body = {"dag_run_id": run.run_id, "dry_run": False, "only_failed": False, **which}
    jobs = len(world.emulator.jobs)
    path = f"/dags/{run.dag_id}/clearTaskInstances"
    world.insist(lambda: world.airflow.client.call("POST", path, json=body))
    one = world.wait_for(run, "waiting.ask", 0, state, times=2)
    wait_until(lambda: len(world.emulator.jobs) > jobs, "it has another job", SECONDS)
    assert world.instances(run, "waiting.ask")[1]["state"] == "success"
    return run, one, world.emulator.jobs[-1]


def test_a_process_that_is_stopped_in_an_earlier_iteration_does_not_take_a_later_ones_success_for_its_own(
    world: World,
) -> None:
    run, one, job = waits_again(world, "waits_in_place", "running")
    path, where = world.address(run, one, "/logs/2")

    def said(text: str) -> bool:
        answer = world.airflow.client.call("GET", path, params={**where, "full_content": "true"})
        return text in json.dumps(answer["content"])

    (process,) = (
        it for it in world.airflow.processes("scheduler") if it.title.endswith(f"worker -- {one['id']}")
    )
    os.kill(process.pid, signal.SIGTERM)
    wait_until(lambda: said("is left alone"), "the task says what becomes of its job", SECONDS, every=0.5)
    assert not world.ends(job)
    mark_failed(world, run, one)
    world.wait_for(run, "waiting.ask", 0, "failed", times=2)


@pytest.mark.parametrize(
    ("dag_id", "state"),
    [("waits_in_place", "running"), ("waits_deferred", "deferred")],
    ids=["in place", "deferred"],
)
def test_a_task_that_a_user_marks_in_an_iteration_has_its_job_cancelled(
    world: World, dag_id: str, state: str
) -> None:
    run, one, job = waits_again(world, dag_id, state)
    is_looked_at(world)
    assert not world.ends(job)
    mark_failed(world, run, one)
    wait_until(lambda: world.ends(job), "the job is cancelled", SECONDS)


def is_looked_at(world: World) -> None:
    """Wait until the last job is looked at by whoever waits for it now."""
    looked = world.emulator.jobs[-1]["looks"]
    wait_until(lambda: world.emulator.jobs[-1]["looks"] > looked + 1, "the job is looked at", SECONDS)


def mark_failed(world: World, run: DagRun, one: dict[str, Any]) -> None:
    path, where = world.address(run, one)
    how = {"params": where, "json": {"new_state": "failed"}}
    world.insist(lambda: world.airflow.client.call("PATCH", path, **how))


def test_a_triggerer_that_is_killed_beside_an_earlier_iteration_leaves_its_job(world: World) -> None:
    run, one, job = waits_again(world, "waits_deferred", "deferred")
    world.airflow.kill("triggerer0")
    world.airflow.start("triggerer0")
    is_looked_at(world)
    assert not world.ends(job)
    mark_failed(world, run, one)
    wait_until(lambda: world.ends(job), "the job is cancelled with its task", SECONDS)


def test_every_iteration_links_to_its_own_job(world: World) -> None:
    for _ in range(2):
        world.emulator.script(JobScript(lifecycle=Lifecycle.at_once()))
    run = world.start("links")
    assert world.airflow.client.wait_for(run, SECONDS) == "success", world.explain()
    linked = []
    for one in world.instances(run, "linked.ask"):
        path, where = world.address(run, one, "/links")
        links = world.airflow.client.call("GET", path, params=where)["extra_links"]
        path, where = world.address(run, one, "/xcomEntries/return_value")
        answer = world.airflow.client.call("GET", path, params={**where, "deserialize": "true"})
        (name,) = answer["value"]["job_names"]
        assert name.rpartition("/")[2] in links["Batch job"]
        linked.append(links["Batch job"])
    assert len({*linked}) == 2
