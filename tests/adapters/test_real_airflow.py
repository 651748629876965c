"""``@task.llm_batch`` on a real Airflow, where the triggerer has nothing but the batch id to tell the connection by."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle
from airflow_provider_genai_batch.emulator.storage import CloudStorage
from tests.airflow_stack import AirflowStack
from tests.waiting import wait_until

pytestmark = pytest.mark.stack

SERVICES = ("gemini", "vertex")


@dataclass
class World:
    airflow: AirflowStack
    emulator: Emulator


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, cloud_storage: CloudStorage) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("llm-batch")
    with Emulator(storage=cloud_storage, lifecycle=Lifecycle.at_once()) as emulator:
        variables = {
            "AIRFLOW_CONN_GENAI_BATCH_DEFAULT": json.dumps(emulator.connection("gemini")),
            "AIRFLOW_CONN_GENAI_BATCH_VERTEX": json.dumps(emulator.connection("vertex")),
            "LLM_BATCH_RESULTS": str(folder / "results"),
        }
        with AirflowStack(folder / "home", Path(__file__).parent / "dags", variables) as airflow:
            yield World(airflow, emulator)


def test_deferred_tasks_on_both_services_land_their_rows(world: World) -> None:
    client = world.airflow.client
    runs = [client.trigger(f"llm_batch_{service}") for service in SERVICES]
    for run in runs:
        assert client.wait_for(run) == "success", client.log(run, "ask")
        assert client.xcom(run, "ask")["counts"]["succeeded"] == 2


@pytest.mark.parametrize("service", SERVICES)
def test_a_deferred_task_that_a_user_fails_has_its_job_cancelled(world: World, service: str) -> None:
    before = len(world.emulator.jobs)
    world.emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    client = world.airflow.client
    run = client.trigger(f"llm_batch_{service}")
    client.wait_for_task(run, "ask", "deferred")
    wait_until(lambda: world.emulator.jobs[before]["looks"], "the triggerer has looked at the job", 30)
    client.mark(run, "ask", "failed")
    wait_until(lambda: world.emulator.jobs[before]["cancel_requested"], "the job is cancelled", 30)
