"""A real Airflow runs a DAG when a batch job ends that a plain client has submitted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle
from tests.airflow_stack import AirflowStack
from tests.operators.scenes import MODEL, client
from tests.waiting import wait_until

pytestmark = pytest.mark.stack

DAGS = Path(__file__).parent / "watched_dags"


def submit(emulator: Emulator, name: str, script: JobScript) -> str:
    emulator.script(script)
    with client() as service:
        return service.create(MODEL, ["a prompt"], display_name=name).name


def events(airflow: AirflowStack) -> list[str]:
    """Return the display names of the jobs that there are events of."""
    found = airflow.client.call("GET", "/assets/events", params={"limit": 100})["asset_events"]
    return sorted(event["extra"]["payload"]["display_name"] for event in found)


def kept(airflow: AirflowStack, asset: str) -> Any:
    """Return what is in the state store of an asset."""
    (found,) = airflow.client.call("GET", "/assets", params={"name_pattern": asset})["assets"]
    return airflow.client.call("GET", f"/assets/{found['id']}/state-store")


def walks(emulator: Emulator) -> int:
    return sum(request["method"] == "batches.list" for request in emulator.requests)


def test_dags_run_when_jobs_end_and_not_again_when_the_triggerer_was_killed(
    tmp_path: Path, gemini: Emulator
) -> None:
    red = submit(gemini, "red-1", JobScript(lifecycle=Lifecycle.timed(pending=0, running=600)))
    settings = {
        "AIRFLOW_CONN_GENAI_BATCH_DEFAULT": json.dumps(gemini.connection("gemini")),
        "AIRFLOW_VAR_FOLDER": str(tmp_path),
        "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "True",
        # No task's process is killed here; on a busy machine one may be silent for a while.
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "120",
    }
    with AirflowStack(tmp_path / "home", DAGS, settings) as airflow:
        for team in ("red", "blue"):
            airflow.client.wait_for_dag(f"on_{team}")
        wait_until(lambda: walks(gemini) > 2, "the triggerer lists jobs")
        assert not [*tmp_path.glob("*.json")]

        gemini.clock.advance(600)
        blue = submit(
            gemini, "blue-1", JobScript(lifecycle=Lifecycle.at_once(), end="FAILED", error={"code": 8})
        )
        submit(gemini, "green-1", JobScript(lifecycle=Lifecycle.at_once()))
        for name, job, state in (("red-1", red, "SUCCEEDED"), ("blue-1", blue, "FAILED")):
            file = tmp_path / f"{name}.json"
            wait_until(lambda file=file: file.exists() and file.read_text(), f"the DAG runs for {name}")
            told = json.loads(file.read_text())
            assert (told["job_name"], told["state"], told["counts"]["total"]) == (job, state, 1)

        for team, job in (("red", red), ("blue", blue)):
            wait_until(
                lambda team=team, job=job: job in json.dumps(kept(airflow, f"{team}_jobs")),
                f"{job} is kept",
            )
        airflow.kill("triggerer0")
        submit(gemini, "red-2", JobScript(lifecycle=Lifecycle.at_once()))
        airflow.start("triggerer0")
        wait_until((tmp_path / "red-2.json").exists, "what ended while the triggerer was away is told of")
        before = walks(gemini)
        wait_until(lambda: walks(gemini) > before + 2, "the triggerer lists jobs again")
        assert events(airflow) == ["blue-1", "red-1", "red-2"]
