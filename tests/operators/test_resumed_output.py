"""What a job on Vertex AI wrote as the input of the next: only what is not answered is asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator, JobScript
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from tests.dags import run_dag
from tests.operators.scenes import MODEL, PROMPTS, SCENES, client


def ask(src: str, **settings: Any) -> dict[str, Any]:
    settings = {"model": MODEL, "poll_interval": 0.05, "deferrable": False, **settings}
    ran = run_dag(lambda: GenAIBatchOperator(task_id="ask", src=src, **settings))
    assert ran.state == "success"
    manifest: dict[str, Any] = ran.xcom["ask"]
    return manifest


def output(emulator: Emulator, at: int) -> tuple[str, dict[str, dict[str, Any]]]:
    """Return a job's directory and its lines by their keys."""
    (name,) = [job["name"] for job in emulator.jobs][at : at + 1]
    with client() as service:
        directory = service.get(name).output.gcs_directory
        assert directory is not None
        lines = b"".join(service.download(f"{directory}/predictions.jsonl")).splitlines()
    rows = [json.loads(line) for line in lines]
    return directory, {row["key"]: row for row in rows}


@pytest.mark.parametrize("ending", ["", "/", "/predictions.jsonl"], ids=["directory", "with a slash", "file"])
def test_answered_rows_are_kept_and_the_others_asked(vertex: Emulator, tmp_path: Path, ending: str) -> None:
    scene = SCENES["vertex-gcs"][1](vertex, tmp_path)
    vertex.script(JobScript(row_errors={"alpha": 13}))
    first = ask(**scene.arguments, max_failed_rows=1)
    assert first["counts"]["error"] == 1
    directory, before = output(vertex, 0)

    out = tmp_path / "rows.jsonl"
    second = ask(f"{directory}{ending}", results_uri=str(out))

    assert second["counts"]["ok"] == len(PROMPTS)
    assert {json.loads(line)["key"] for line in out.read_text().splitlines()} == set(PROMPTS)
    _, after = output(vertex, 1)
    kept = {key for key, row in after.items() if row["processed_time"] == before[key]["processed_time"]}
    assert len(kept) == len(PROMPTS) - 1
    assert all(after[key]["response"] for key in after)
