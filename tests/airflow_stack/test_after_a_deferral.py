"""On a real Airflow: what a decorated function did is there at the end, and `execution_timeout` goes on counting."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import JobScript, Lifecycle
from tests.airflow_stack import DagRun
from tests.shared_airflow.unscheduled import SharedAirflow

pytestmark = pytest.mark.stack

LANGUAGES = ("Greek", "Latin")


@pytest.fixture(scope="module")
def late(shared_airflow: SharedAirflow) -> DagRun:
    """Start a run that is deferred until it is out of time; the other tests go on meanwhile."""
    shared_airflow.emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    run = shared_airflow.airflow.client.trigger("out_of_time")
    shared_airflow.airflow.client.wait_for_task(run, "ask", "deferred")
    return run


@pytest.fixture(scope="module")
def told(shared_airflow: SharedAirflow, late: DagRun) -> DagRun:
    """Let both instances of a mapped task run to their end, each in three processes."""
    for _ in LANGUAGES:
        shared_airflow.emulator.script(JobScript(lifecycle=Lifecycle.timed(pending=0, running=60)))
    run = shared_airflow.airflow.client.trigger("tells_of_itself")
    shared_airflow.airflow.wait_for_deferral(run, "ask", instances=len(LANGUAGES))
    shared_airflow.emulator.clock.advance(60)
    assert shared_airflow.airflow.client.wait_for(run) == "success", shared_airflow.explain(run)
    return run


def events(shared_airflow: SharedAirflow, run: DagRun) -> list[tuple[int, str, dict[str, Any]]]:
    """Return those that a run made: the map index of the task instance, the asset's URI, and the extra."""
    found = shared_airflow.airflow.client.call("GET", "/assets/events", params={"limit": 100})["asset_events"]
    return sorted(
        (event["source_map_index"], event["uri"], event["extra"])
        for event in found
        if event["source_run_id"] == run.run_id
    )


def test_each_instance_is_labelled_by_the_functions_arguments_and_what_it_put_into_the_context(
    shared_airflow: SharedAirflow, told: DagRun
) -> None:
    found = shared_airflow.airflow.client.call("GET", f"{told.path}/taskInstances/ask/listMapped")
    labels = {one["map_index"]: one["rendered_map_index"] for one in found["task_instances"]}
    assert labels == {number: f"{it}: Hello in {it}" for number, it in enumerate(LANGUAGES)}


def test_the_events_of_outlets_and_aliases_are_those_that_the_function_made(
    shared_airflow: SharedAirflow, told: DagRun
) -> None:
    expected = []
    for number, language in enumerate(LANGUAGES):
        path = f"{told.path}/taskInstances/ask/xcomEntries/return_value"
        how = {"map_index": number, "deserialize": "true"}
        manifest = shared_airflow.airflow.client.call("GET", path, params=how)["value"]
        assert manifest["counts"]["ok"] == 1
        expected += [
            (number, f"file:///data/{language}.jsonl", {"language": language}),
            (number, "file:///data/rows.jsonl", {"language": language, "genai_batch": manifest}),
        ]
    assert events(shared_airflow, told) == expected


def test_execution_timeout_ends_a_deferred_task_and_its_job(
    shared_airflow: SharedAirflow, late: DagRun
) -> None:
    client = shared_airflow.airflow.client
    assert client.wait_for(late) == "failed", shared_airflow.explain(late)
    log = client.call("GET", f"{late.path}/taskInstances/ask/logs/1", params={"full_content": "true"})
    assert "AirflowTaskTimeout" in json.dumps(log["content"])
    (job,) = [job for job in shared_airflow.emulator.jobs if "out_of_time" in job["display_name"]]
    assert job["looks"]
    assert job["cancel_requested"]
