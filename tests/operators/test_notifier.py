"""Callbacks and tasks after a failure learn what became of the rows."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import task

from airflow_provider_genai_batch.emulator import Emulator, JobScript
from airflow_provider_genai_batch.notifications.genai_batch import GenAIBatchNotifier
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from tests.dags import run_dag
from tests.operators.scenes import MODEL


@pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])
def test_a_failure_is_told_with_its_causes_and_its_manifest_is_there_for_whoever_comes_after(
    gemini: Emulator, deferrable: bool
) -> None:
    gemini.script(JobScript(row_errors={"#1": {"code": 13, "message": "no luck"}}))
    sent: list[str] = []
    found: list[Any] = []

    def fill() -> None:
        ask = GenAIBatchOperator(
            task_id="ask",
            model=MODEL,
            src=["secret one", "secret two"],
            poll_interval=0.05,
            deferrable=deferrable,
            on_failure_callback=GenAIBatchNotifier(sent.append),
        )

        @task(trigger_rule="all_done")
        def after(ti: Any = None) -> None:
            found.append(ti.xcom_pull(task_ids="ask", key="manifest"))

        ask >> after()

    ran = run_dag(fill)
    assert ran.states["ask"] == "failed"
    (manifest,) = found
    assert (manifest["counts"]["ok"], manifest["counts"]["error"]) == (1, 1)
    (text,) = sent
    assert f"{ran.dag_id}.ask (" in text
    assert "failed: TooManyFailedRows" in text
    assert "1 ok, 1 error" in text
    assert "Cause: 1 x 13 INTERNAL: no luck" in text
    assert f"Jobs: {gemini.jobs[0]['name']}" in text
    assert "USD" in text
    assert "secret" not in text


def test_a_success_is_told_from_its_manifest(gemini: Emulator) -> None:
    sent: list[str] = []
    how = {"model": MODEL, "src": ["one"], "poll_interval": 0.05}
    ran = run_dag(
        lambda: GenAIBatchOperator(task_id="ask", on_success_callback=GenAIBatchNotifier(sent.append), **how)
    )
    assert ran.state == "success", ran.errors
    (text,) = sent
    assert "success" in text.splitlines()[0]
    assert "Rows: " in text


def test_a_task_whose_process_died_is_not_told_as_a_success(gemini: Emulator) -> None:
    runner = pytest.importorskip(
        "airflow.sdk.execution_time.task_runner", reason="Airflow 3 calls back like this"
    )
    sent: list[str] = []

    @task
    def call_back(ti: Any = None) -> None:
        # As Airflow's DAG processor does: without an error and without a state.
        given = {
            name: getattr(ti, name)
            for name in ("id", "task_id", "dag_id", "run_id", "try_number", "map_index")
        }
        died = runner.RuntimeTaskInstance.model_construct(**given, task=ti.task)
        GenAIBatchNotifier(sent.append).notify({"ti": died})

    ran = run_dag(call_back)
    assert ran.state == "success", ran.errors
    (text,) = sent
    assert "failed: its process ended without an error" in text.splitlines()[0]


def test_airflows_own_text_stands_for_an_error(gemini: Emulator) -> None:
    sent: list[str] = []

    @task
    def call_back(ti: Any = None) -> None:
        GenAIBatchNotifier(sent.append).notify({"ti": ti, "exception": "No heartbeat"})

    ran = run_dag(call_back)
    assert ran.state == "success", ran.errors
    assert "failed: No heartbeat" in sent[0].splitlines()[0]
