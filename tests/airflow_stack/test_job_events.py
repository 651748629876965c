"""A real Airflow runs a DAG when a batch job ends that a plain client has submitted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle
from tests.airflow_stack import AirflowStack
from tests.shared_airflow.scheduled import ScheduledAirflow, submit
from tests.waiting import wait_until

pytestmark = pytest.mark.stack


def events(airflow: AirflowStack) -> list[str]:
    """Return the display names of the jobs that there are events of."""
    found = airflow.client.call("GET", "/assets/events", params={"limit": 100})["asset_events"]
    told = [event["extra"].get("payload") for event in found]  # those of other assets have none
    return sorted(payload["display_name"] for payload in told if payload)


def kept(airflow: AirflowStack, asset: str) -> Any:
    """Return what is in the state store of an asset."""
    (found,) = airflow.client.call("GET", "/assets", params={"name_pattern": asset})["assets"]
    return airflow.client.call("GET", f"/assets/{found['id']}/state-store")


def walks(emulator: Emulator) -> int:
    return sum(request["method"] == "batches.list" for request in emulator.requests)


def test_dags_run_when_jobs_end_and_not_again_when_the_triggerer_was_killed(
    scheduled_airflow: ScheduledAirflow,
) -> None:
    airflow, watched, folder = scheduled_airflow.airflow, scheduled_airflow.watched, scheduled_airflow.folder
    red = scheduled_airflow.early
    for team in ("red", "blue"):
        airflow.client.wait_for_dag(f"on_{team}")
    wait_until(lambda: walks(watched) > 2, "the triggerer lists jobs")
    assert not [*folder.glob("red-*.json"), *folder.glob("blue-*.json")]

    watched.clock.advance(600)
    blue = submit(
        watched, "blue-1", JobScript(lifecycle=Lifecycle.at_once(), end="FAILED", error={"code": 8})
    )
    submit(watched, "green-1", JobScript(lifecycle=Lifecycle.at_once()))
    for name, job, state in (("red-1", red, "SUCCEEDED"), ("blue-1", blue, "FAILED")):
        file = folder / f"{name}.json"
        wait_until(lambda file=file: file.exists() and file.read_text(), f"the DAG runs for {name}")
        told = json.loads(file.read_text())
        assert (told["job_name"], told["state"], told["counts"]["total"]) == (job, state, 1)

    for team, job in (("red", red), ("blue", blue)):
        wait_until(
            lambda team=team, job=job: job in json.dumps(kept(airflow, f"{team}_jobs")), f"{job} is kept"
        )
    airflow.kill("triggerer0")
    submit(watched, "red-2", JobScript(lifecycle=Lifecycle.at_once()))
    airflow.start("triggerer0")
    wait_until((folder / "red-2.json").exists, "what ended while the triggerer was away is told of")
    before = walks(watched)
    wait_until(lambda: walks(watched) > before + 2, "the triggerer lists jobs again")
    assert events(airflow) == ["blue-1", "red-1", "red-2"]
