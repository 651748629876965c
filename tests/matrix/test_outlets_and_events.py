"""Outlets get the manifest, and the trigger of asset watchers fires, on every Airflow."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import Asset

from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.sensors.genai_batch import GenAIBatchSensor
from airflow_provider_genai_batch.triggers.job_events import GenAIBatchJobsTrigger
from tests.dags import run_dag
from tests.operators.scenes import MODEL, client


@pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])
def test_the_event_of_an_outlet_has_the_manifest_beside_what_the_user_put_there(
    gemini: Emulator, deferrable: bool
) -> None:
    rows = Asset("file:///data/rows.jsonl")
    extras: list[dict[str, Any]] = []

    def put(context: Any) -> None:
        context["outlet_events"][rows].extra["mine"] = 1

    def see(context: Any, _: Any = None) -> None:
        extras.append(context["outlet_events"][rows].extra)

    ran = run_dag(
        lambda: GenAIBatchOperator(
            task_id="ask",
            model=MODEL,
            src=["one", "two"],
            poll_interval=0.05,
            deferrable=deferrable,
            outlets=[rows],
            pre_execute=put,
            post_execute=see,
        )
    )
    assert ran.state == "success", ran.errors
    assert extras == [{"mine": 1, "genai_batch": ran.xcom["ask"]}]


def test_a_sensor_tells_its_outlets_too(gemini: Emulator) -> None:
    rows = Asset("file:///data/rows.jsonl")
    extras: list[dict[str, Any]] = []

    def see(context: Any, _: Any = None) -> None:
        extras.append(context["outlet_events"][rows].extra)

    with client() as service:
        job = service.create(MODEL, ["one"]).name
    how = {"job_names": job, "poke_interval": 0.05, "timeout": 60, "outlets": [rows], "post_execute": see}
    ran = run_dag(lambda: GenAIBatchSensor(task_id="wait", **how))
    assert ran.state == "success", ran.errors
    assert extras == [{"genai_batch": ran.xcom["wait"]}]


async def test_the_trigger_fires_for_a_job_that_ended(gemini: Emulator) -> None:
    with client() as service:
        gemini.script(JobScript(lifecycle=Lifecycle.at_once()))
        job = service.create(MODEL, ["one"], display_name="mine")
        gemini.script(JobScript(lifecycle=Lifecycle.at_once()))
        service.create(MODEL, ["one"], display_name="other")
    events = GenAIBatchJobsTrigger(display_name="mine").run()
    event = await anext(events)
    await events.aclose()
    assert (event.payload["job_name"], event.payload["state"]) == (job.name, "SUCCEEDED")
