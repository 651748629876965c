"""An error of a task that submits nothing does not promise what its next attempt cannot do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle
from airflow_provider_genai_batch.exceptions import (
    JobCancelled,
    JobError,
    JobExpired,
    JobFailed,
    ResultsNotWritten,
    TooManyFailedRows,
)
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchResultsOperator
from airflow_provider_genai_batch.sensors.genai_batch import GenAIBatchSensor
from tests.dags import run_dag
from tests.operators.scenes import MODEL, client

ENDS: dict[str, tuple[dict[str, Any], type[JobError]]] = {
    "failed rows": ({"row_errors": {0: 13}}, TooManyFailedRows),
    "failed": ({"end": "FAILED", "error": {"code": 8, "message": "no"}}, JobFailed),
    "failed after some rows": ({"end": "FAILED", "served": 0.5}, JobFailed),
    "expired": ({"end": "EXPIRED", "served": 0}, JobExpired),
    "cancelled": ({"end": "CANCELLED", "served": 0}, JobCancelled),
}
TASKS: dict[str, Callable[[str, Path], Any]] = {
    "the sensor": lambda name, _: GenAIBatchSensor(task_id="t", job_names=name, poke_interval=0.05),
    "the landing": lambda name, folder: GenAIBatchResultsOperator(
        task_id="t", job_names=name, results_uri=f"{folder}/rows.jsonl"
    ),
    "the landing of known requests": lambda name, folder: GenAIBatchResultsOperator(
        task_id="t", job_names=name, results_uri=f"{folder}/rows.jsonl", src=["a", "b"]
    ),
}


def ended(emulator: Emulator, **script: Any) -> str:
    emulator.script(JobScript(lifecycle=Lifecycle.at_once(), **script))
    with client() as service:
        return str(service.get(service.create(MODEL, ["a", "b"]).name).name)


def check(error: BaseException, kind: type[JobError]) -> None:
    assert isinstance(error, kind)
    assert "submits no jobs: its next attempt reads the same jobs again" in str(error)
    assert "submits a new job" not in str(error)
    assert "asks" not in str(error)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("end", ENDS)
def test_it_looks_at_the_same_jobs_again(gemini: Emulator, tmp_path: Path, end: str, task: str) -> None:
    script, kind = ENDS[end]
    name = ended(gemini, **script)
    ran = run_dag(lambda: TASKS[task](name, tmp_path))
    check(ran.errors[-1], kind)


def test_rows_that_cannot_be_written_are_landed_again(gemini: Emulator, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    name = ended(gemini)
    ran = run_dag(lambda: TASKS["the landing"](name, tmp_path / "file"))
    check(ran.errors[-1], ResultsNotWritten)
