"""Links are on the page of a task as soon as it has a job, and stay there."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from sqlalchemy import select

from airflow_provider_genai_batch.emulator import Emulator, JobScript
from airflow_provider_genai_batch.links.genai_batch import GenAIBatchJobLink, GenAIBatchRowsLink
from airflow_provider_genai_batch.links.pages import AI_STUDIO
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.triggers.genai_batch import GenAIBatchTrigger
from tests.dags import Ran, run_dag
from tests.operators.scenes import MODEL

Links = dict[str, str | None]


def ask(*, fails: bool = False, **settings: Any) -> Ran:
    ran = run_dag(
        lambda: GenAIBatchOperator(
            task_id="ask",
            **{"model": MODEL, "src": ["a"], "poll_interval": 0.05, "retry_delay": 0, **settings},
        )
    )
    assert (ran.state == "failed") is fails, ran.errors
    return ran


def shown() -> Links:
    """Return the links of the task that ran last, as the API server reads them."""
    with create_session() as session:
        query = select(TaskInstance).where(TaskInstance.task_id == "ask").order_by(TaskInstance.run_id.desc())
        ti = session.scalars(query).first()
        model = SerializedDagModel.get(ti.dag_id, session=session)
        task = model.dag.get_task(ti.task_id)
        return {name: task.get_extra_links(ti, name) or None for name in task.extra_links}


def stored() -> list[str]:
    """Return the XComs with links of the task that ran last."""
    with create_session() as session:
        query = select(TaskInstance).where(TaskInstance.task_id == "ask").order_by(TaskInstance.run_id.desc())
        ti = session.scalars(query).first()
        keys = (GenAIBatchJobLink.xcom_key, GenAIBatchRowsLink.xcom_key)
        return [key for key in keys if ti.xcom_pull(task_ids=ti.task_id, key=key) is not None]


@pytest.fixture
def while_deferred(monkeypatch: pytest.MonkeyPatch) -> list[Links]:
    """Note what is shown whenever a trigger begins."""
    seen: list[Links] = []
    run = GenAIBatchTrigger.run

    async def noted(self: GenAIBatchTrigger) -> AsyncIterator[Any]:
        seen.append(shown())
        async for event in run(self):
            yield event

    monkeypatch.setattr(GenAIBatchTrigger, "run", noted)
    return seen


def page_of(job: dict[str, Any]) -> str:
    name = job["name"].rpartition("/")[2]
    console = "https://console.cloud.google.com/vertex-ai/locations/us-central1/batch-predictions"
    return f"{console}/{name}?project=emulator-project"


def test_a_deferred_task_leads_to_its_job_and_to_where_its_rows_will_be(
    vertex: Emulator, while_deferred: list[Links]
) -> None:
    place = "emulator-staging/links"
    ask(dest=f"gs://{place}/out/", results_uri=f"gs://{place}/rows.jsonl", deferrable=True)
    (job,) = vertex.jobs
    browser = "https://console.cloud.google.com/storage/browser/_details"
    expected = {
        "Batch job": page_of(job),
        "Rows": f"{browser}/{place}/rows.jsonl;tab=live_object?project=emulator-project",
    }
    assert while_deferred == [expected]
    assert shown() == expected


def test_rows_that_stay_are_shown_where_the_service_puts_them(vertex: Emulator, tmp_path: Path) -> None:
    ask(dest="gs://emulator-staging/links/out/", results_uri=str(tmp_path / "rows.jsonl"), deferrable=False)
    rows = shown()["Rows"]
    assert rows is not None
    assert rows.endswith("/storage/browser/emulator-staging/links/out/;tab=objects?project=emulator-project")


def test_a_task_on_gemini_leads_to_the_list_in_ai_studio_and_stores_no_link_to_nowhere(
    gemini: Emulator,
) -> None:
    ask(deferrable=True)
    assert shown() == {"Batch job": AI_STUDIO, "Rows": None}
    assert stored() == [GenAIBatchJobLink.xcom_key]


def test_a_task_that_failed_leads_to_its_job(vertex: Emulator) -> None:
    vertex.script(JobScript(end="FAILED", error={"code": 13, "message": "internal"}))
    ask(fails=True, dest="gs://emulator-staging/links/out/")
    assert shown()["Batch job"] == page_of(vertex.jobs[0])


def test_a_task_without_a_job_leads_nowhere(vertex: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    ask(fails=True, src=[{"contents": 5}], dest="gs://emulator-staging/links/out/")
    assert shown() == {"Batch job": None, "Rows": None}
    assert stored() == []
    assert "XCom not found" not in capsys.readouterr().out


def test_a_link_that_cannot_be_stored_costs_nothing_else(
    vertex: Emulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    push = RuntimeTaskInstance.xcom_push

    def refuse(self: Any, key: str, value: Any) -> None:
        if key.endswith("_link"):
            msg = "no room for XComs"
            raise OSError(msg)
        push(self, key, value)

    monkeypatch.setattr(RuntimeTaskInstance, "xcom_push", refuse)
    with caplog.at_level(logging.WARNING):
        ask(dest="gs://emulator-staging/links/out/", deferrable=False)
    assert "no room for XComs" in caplog.text
    assert len(vertex.jobs) == 1
