"""The last lines of a task's log."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator, JobScript
from airflow_provider_genai_batch.flows.submission import create
from airflow_provider_genai_batch.models import Manifest, RowCounts
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.task.jobs import settler
from airflow_provider_genai_batch.task.jobs.summary import rows_summary
from tests.dags import run_dag


def manifest(**more: Any) -> Manifest:
    return Manifest(backend=Backend.VERTEX, state="SUCCEEDED", job_names=("j",), **more)


@pytest.mark.parametrize(
    ("ended", "told"),
    [
        (
            manifest(
                counts=RowCounts(total=3, ok=3), output=("gs://b/raw/",), results_uri="gs://b/rows.jsonl"
            ),
            "3 of 3 ok; they are in gs://b/rows.jsonl.",
        ),
        (
            manifest(
                counts=RowCounts(total=400, ok=397, error=2, missing=1),
                causes={"13 INTERNAL: no luck": 2, "missing": 1},
            ),
            "397 of 400 ok (99.2 %), 2 error, 1 missing (2 x 13 INTERNAL: no luck; 1 x missing).",
        ),
        (
            manifest(output=("bq://p.d.t1", "bq://p.d.t2", "bq://p.d.t3")),
            "not counted; they are in bq://p.d.t1 and 2 more.",
        ),
        (manifest(counts=RowCounts(total=1, ok=1), output=("inline",)), "1 of 1 ok."),
    ],
    ids=["landed", "failed", "not counted", "in the job"],
)
def test_rows_are_told_with_their_causes_and_their_place(ended: Manifest, told: str) -> None:
    assert rows_summary(ended) == told


def test_the_log_begins_with_the_job_that_is_paid_for_and_ends_with_its_rows(
    gemini: Emulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gemini.script(JobScript(row_errors={"b": {"code": 13, "message": "no luck"}}))
    to = f"{tmp_path}/rows.jsonl"
    src = [{"key": key, "contents": key} for key in "abc"]
    how: dict[str, Any] = {"results_uri": to, "max_failed_rows": 1, "poll_interval": 0.05}
    with caplog.at_level(logging.INFO):
        run_dag(lambda: GenAIBatchOperator(task_id="ask", model="gemini-2.5-flash", src=src, **how))
    messages = [
        record.getMessage() for record in caplog.records if record.name in (create.__name__, settler.__name__)
    ]
    assert messages[0] == f"Created job {gemini.jobs[0]['name']}."
    assert messages[-1] == f"Rows: 2 of 3 ok (66.7 %), 1 error (1 x 13 INTERNAL: no luck); they are in {to}."
