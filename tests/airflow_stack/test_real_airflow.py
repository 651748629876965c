"""The example DAGs on a real Airflow: processes, a triggerer, deferred tasks."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle
from airflow_provider_genai_batch.emulator.bigquery.stand_in import BigQuery
from tests.airflow_stack import AirflowStack, DagRun
from tests.shared_airflow.unscheduled import SharedAirflow
from tests.waiting import wait_until

pytestmark = pytest.mark.stack

TEXTS = [{"id": str(number), "text": f"Text {number} is good."} for number in range(20)]


@dataclass
class World:
    shared: SharedAirflow

    @property
    def airflow(self) -> AirflowStack:
        return self.shared.airflow

    @property
    def emulator(self) -> Emulator:
        return self.shared.emulator

    def run_while_it_takes_an_hour(self, dag_id: str, task_id: str = "answer") -> DagRun:
        """Start a run and come back when the task has deferred; the job ends when the clock is moved."""
        self.emulator.script(JobScript(lifecycle=Lifecycle.timed(pending=0, running=3600)))
        run = self.airflow.client.trigger(dag_id)
        self.airflow.wait_for_deferral(run, task_id)
        return run

    def the_hour_passes(self) -> None:
        self.emulator.clock.advance(3600)

    def explain(self, run: DagRun) -> str:
        return self.shared.explain(run)


@pytest.fixture(scope="module")
def world(shared_airflow: SharedAirflow, big_query: BigQuery) -> World:
    big_query.create_dataset("reviews")
    schema = [("id", "STRING"), ("text", "STRING")]
    big_query.create_and_insert("reviews.texts", schema, TEXTS)
    return World(shared_airflow)


def test_a_bigquery_table_is_answered_on_vertex_while_the_task_is_deferred(world: World) -> None:
    run = world.run_while_it_takes_an_hour("nightly_bigquery")
    links = world.airflow.client.call("GET", f"{run.path}/taskInstances/answer/links")["extra_links"]
    assert world.emulator.jobs[-1]["name"].rpartition("/")[2] in links["Batch job"]
    assert "https://console.cloud.google.com/bigquery?" in links["Rows"]
    world.the_hour_passes()
    assert world.airflow.client.wait_for(run) == "success", world.explain(run)
    manifest = world.airflow.client.xcom(run, "answer")
    assert manifest["counts"]["ok"] == manifest["counts"]["total"] == len(TEXTS)
    (table,) = manifest["output"]
    rows = list(world.emulator.bigquery.rows(table.removeprefix("bq://")))
    assert {row["id"] for row in rows} == {text["id"] for text in TEXTS}


def test_prompts_are_answered_on_gemini_while_the_task_is_deferred(world: World) -> None:
    run = world.run_while_it_takes_an_hour("inline_prompts")
    world.the_hour_passes()
    assert world.airflow.client.wait_for(run) == "success", world.explain(run)
    lines = (world.shared.results / "inline.jsonl").read_text().splitlines()
    assert [json.loads(line)["status"] for line in lines] == ["ok"] * 3
    assert world.airflow.client.xcom(run, "read_rows") == 3


def test_a_function_is_called_once_though_its_task_ends_in_another_process(world: World) -> None:
    before = len(world.emulator.jobs)
    for _ in range(2):
        world.emulator.script(JobScript(lifecycle=Lifecycle.timed(pending=0, running=3600)))
    run = world.airflow.client.trigger("prompts_from_a_function")
    world.airflow.wait_for_deferral(run, "ask", instances=2)
    world.the_hour_passes()
    assert world.airflow.client.wait_for(run) == "success", world.explain(run)
    assert world.airflow.client.xcom(run, "count") == 6
    assert len(world.emulator.jobs) == before + 2
    for number in range(2):
        path = f"{run.path}/taskInstances/ask/logs/1"
        how = {"map_index": number, "full_content": "true"}
        said = json.dumps(world.airflow.client.call("GET", path, params=how)["content"])
        assert said.count("Making prompts in") == 1


def test_a_triggerer_killed_while_a_job_is_deferred_loses_nothing_and_pays_nothing_again(
    world: World,
) -> None:
    before = len(world.emulator.jobs)
    run = world.run_while_it_takes_an_hour("jsonl_through_files_api")
    (job,) = world.emulator.jobs[before:]
    wait_until(lambda: world.emulator.jobs[before]["looks"] > 0, "the triggerer has looked at the job")
    world.airflow.kill("triggerer0")
    seen = world.emulator.jobs[before]["looks"]
    world.airflow.start("triggerer0")
    wait_until(lambda: world.emulator.jobs[before]["looks"] > seen, "the new triggerer looks at it")
    world.the_hour_passes()
    assert world.airflow.client.wait_for(run) == "success", world.explain(run)
    assert world.airflow.client.xcom(run, "answer")["job_names"] == [job["name"]]
    assert len(world.emulator.jobs) == before + 1


def test_every_other_example_runs_to_its_end(world: World) -> None:
    names = ["gcs_in_and_out", "prompts_from_rows", "rows_of_a_database", "submit_then_sense"]
    runs = [world.airflow.client.trigger(name) for name in names]
    for run in runs:
        assert world.airflow.client.wait_for(run) == "success", world.explain(run)
