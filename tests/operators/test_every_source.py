"""Every source on both services, in place, deferred, and submitted first and sensed later."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator, GenAIBatchResultsOperator
from airflow_provider_genai_batch.sensors.genai_batch import GenAIBatchSensor
from tests.dags import run_dag
from tests.operators.scenes import MODEL, PROMPTS, Scene


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def expect_all_rows(path: Path) -> None:
    landed = rows(path)
    assert {row["key"]: row["status"] for row in landed} == dict.fromkeys(PROMPTS, "ok")
    by_key = {row["key"]: row["text"] for row in landed}
    assert "{{ ds }}" in by_key["gamma"], "a prompt that looks like a template was rendered"
    assert len(landed) == len(PROMPTS)


@pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])
def test_a_job_is_submitted_once_waited_for_and_its_rows_land(
    scene: Scene, tmp_path: Path, deferrable: bool
) -> None:
    out = tmp_path / "rows.jsonl"
    landing = {} if scene.rows_stay else {"results_uri": str(out)}
    ran = run_dag(
        lambda: GenAIBatchOperator(
            task_id="ask",
            model=MODEL,
            poll_interval=0.05,
            deferrable=deferrable,
            **landing,
            **scene.arguments,
        )
    )
    assert ran.state == "success"
    manifest = ran.xcom["ask"]
    assert manifest["state"] == "SUCCEEDED"
    assert manifest["counts"] == {"total": 3, "ok": 3, "invalid": 0, "error": 0, "cancelled": 0, "missing": 0}
    (job,) = scene.jobs
    assert job["name"] == manifest["job_names"][0]
    if not scene.rows_stay:
        assert manifest["results_uri"] == str(out)
        assert manifest["usage"]["total"] > 0
        expect_all_rows(out)


@pytest.mark.parametrize("mode", ["poke", "reschedule", "deferrable"])
def test_a_submitted_job_is_sensed_and_its_rows_are_landed_later(
    scene: Scene, tmp_path: Path, mode: str
) -> None:
    out = tmp_path / "rows.jsonl"
    how = {"deferrable": True} if mode == "deferrable" else {"mode": mode, "deferrable": False}

    def fill() -> None:
        submit = GenAIBatchOperator(task_id="submit", model=MODEL, wait=False, **scene.arguments)
        sense = GenAIBatchSensor(task_id="sense", job_names=submit.output, poke_interval=0.05, **how)
        submit >> sense
        if not scene.rows_stay:
            sense >> GenAIBatchResultsOperator(task_id="land", job_names=submit.output, results_uri=str(out))

    ran = run_dag(fill)
    assert ran.state == "success"
    assert ran.xcom["submit"]["counts"] is None
    assert ran.xcom["sense"]["counts"]["ok"] == 3
    assert ran.xcom["sense"]["job_names"] == ran.xcom["submit"]["job_names"]
    assert len(scene.jobs) == 1
    if not scene.rows_stay:
        expect_all_rows(out)
