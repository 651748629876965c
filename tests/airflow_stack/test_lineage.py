"""A real Airflow tells OpenLineage of tasks, in a file, starts a DAG on their assets, and sends their spans."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle
from tests.airflow_stack import AirflowStack, DagRun
from tests.operators.scenes import PROMPTS
from tests.shared_airflow.scheduled import ScheduledAirflow
from tests.span_server import SpanServer
from tests.waiting import wait_until

pytestmark = pytest.mark.stack

MINUTE = 60


@dataclass
class World:
    airflow: AirflowStack
    emulator: Emulator
    folder: Path
    spans: SpanServer

    def run(self, dag_id: str, expected: str = "success", deferred: str = "") -> DagRun:
        """Run a DAG to its end; the job of a task that is deferred meanwhile ends when Airflow knows that it is."""
        run = self.airflow.client.trigger(dag_id)
        if deferred:
            self.airflow.wait_for_deferral(run, deferred)
            self.emulator.clock.advance(MINUTE)
        client = self.airflow.client
        state = client.wait_for(run)
        assert state == expected, client.logs(run)
        return run

    def event(self, task: str, kind: str) -> dict[str, Any]:
        """Return the last event of a kind that OpenLineage was told of a task."""
        wait_until(lambda: self._events(task, kind), f"OpenLineage is told {kind} of {task}", every=0.2)
        return self._events(task, kind)[-1]

    def _events(self, task: str, kind: str) -> list[dict[str, Any]]:
        told = self.folder / "events.jsonl"
        events = [json.loads(line) for line in told.read_text().splitlines()] if told.exists() else []
        return [event for event in events if event["job"]["name"] == task and event["eventType"] == kind]


@pytest.fixture(scope="module")
def world(scheduled_airflow: ScheduledAirflow) -> World:
    here = scheduled_airflow
    return World(here.airflow, here.emulator, here.folder, here.spans)


def datasets(event: dict[str, Any], kind: str) -> list[tuple[str, str]]:
    return [(dataset["namespace"], dataset["name"]) for dataset in event[kind]]


def test_a_deferred_task_is_told_of_from_start_to_end_and_its_outlets_carry_the_manifest(
    world: World,
) -> None:
    world.emulator.script(JobScript(lifecycle=Lifecycle.timed(pending=0, running=MINUTE)))
    run = world.run("told", deferred="deferred")
    here = str(world.folder)
    manifest = world.airflow.client.xcom(run, "deferred")

    began = world.event("told.deferred", "START")
    assert datasets(began, "inputs") == [("file", f"{here}/in.jsonl")]
    assert datasets(began, "outputs") == [("file", f"{here}/deferred.jsonl")]
    assert began["run"]["facets"]["genaiBatch"]["model"] == "gemini-2.5-flash"

    ended = world.event("told.deferred", "COMPLETE")
    assert datasets(ended, "inputs") == [("file", f"{here}/in.jsonl")]
    assert datasets(ended, "outputs") == [("file", f"{here}/deferred.jsonl")]
    assert ended["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"] == len(PROMPTS)
    facets = ended["run"]["facets"]
    (job,) = manifest["job_names"]
    assert (facets["externalQuery"]["externalQueryId"], facets["externalQuery"]["source"]) == (job, "gemini")
    told = facets["genaiBatch"]
    assert (told["jobs"], told["jobCount"], told["backend"], told["state"]) == (
        [job],
        1,
        "gemini",
        "SUCCEEDED",
    )
    assert (told["rows"], told["usage"]) == (manifest["counts"], manifest["usage"])
    assert told["rows"]["ok"] == len(PROMPTS)

    landed = world.event("told.land", "COMPLETE")
    assert datasets(landed, "inputs") == [("gemini", manifest["output"][0])]
    assert datasets(landed, "outputs") == [("file", f"{here}/landed.jsonl")]

    names = [f"genai_batch.{step}" for step in ("submit", "wait", "land")]
    wait_until(lambda: all(map(world.spans.named, names)), "the spans of each step have come")
    for name, expected in zip(names, ("worker.deferred", "trigger.deferred", "worker.deferred"), strict=True):
        (span, *_) = world.spans.named(name)
        wait_until(
            lambda span=span, above=expected: above in world.spans.above(span), f"{name} is below {expected}"
        )
    assert len({world.spans.named(name)[0].trace_id for name in names}) == 1

    wait_until((world.folder / "extra.json").exists, "the DAG that is scheduled on both assets runs")
    wait_until((world.folder / "extra.json").read_text, "it has written what it got")
    extra = json.loads((world.folder / "extra.json").read_text())
    assert extra["answers"]["genai_batch"] == manifest
    assert extra["landed"]["genai_batch"] == world.airflow.client.xcom(run, "land")


def test_a_task_that_waits_in_place_on_vertex_reads_each_of_its_sources(world: World) -> None:
    world.run("told_of_vertex")
    for kind in ("START", "COMPLETE"):
        event = world.event("told_of_vertex.in_place", kind)
        sources = [("gs://emulator-staging", f"lineage/{number}.jsonl") for number in (1, 2)]
        assert datasets(event, "inputs") == sources
        assert datasets(event, "outputs") == [("gs://emulator-staging", "lineage/out")]
    facets = event["run"]["facets"]
    assert facets["externalQuery"]["source"] == "vertex"
    assert facets["genaiBatch"]["output"][0].startswith("gs://emulator-staging/lineage/out/")
    assert event["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"] == 2 * len(PROMPTS)


@pytest.mark.parametrize("way", ["in_place", "deferred"])
def test_a_task_whose_rows_failed_tells_how_many_and_nothing_of_what_was_asked(
    world: World, way: str
) -> None:
    deferred = way == "deferred"
    lifecycle = Lifecycle.timed(pending=0, running=MINUTE) if deferred else Lifecycle.at_once()
    world.emulator.script(JobScript(lifecycle=lifecycle, row_errors={1: 13}))
    world.run(f"told_of_failing_{way}", "failed", "ask" if deferred else "")
    event = world.event(f"told_of_failing_{way}.ask", "FAIL")
    told = event["run"]["facets"]["genaiBatch"]
    assert (told["rows"]["ok"], told["rows"]["error"], told["state"]) == (1, 1, "SUCCEEDED")
    assert told["jobs"]
    assert "TooManyFailedRows" in json.dumps(event["run"]["facets"]["errorMessage"])


def test_no_prompt_and_no_secret_is_in_any_event(world: World) -> None:
    events = (world.folder / "events.jsonl").read_text()
    assert "COMPLETE" in events
    secrets = [world.emulator.connection("gemini")["password"], "secret prompt", *PROMPTS.values()]
    assert [secret for secret in secrets if secret in events] == []
