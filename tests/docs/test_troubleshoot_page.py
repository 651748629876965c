"""Each error of the page on troubleshooting is raised, with the text that the page has."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle
from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from tests.dags import run_dag
from tests.docs.pages import Page
from tests.operators.scenes import MODEL

PAGE = Page("docs/how-to/troubleshoot.md")
TEXTS = [block.text.strip() for block in PAGE.blocks if block.language == "text"]


def test_each_error_of_the_page_has_the_text_that_the_page_has(
    cloud_storage: CloudStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = tmp_path / "in.jsonl"
    bad.write_text('{"key": "1", "request": {"contents": [{"parts": [{"text": "Hi"}]}], "temperature": 0}}\n')
    with Emulator(storage=cloud_storage) as emulator:
        gemini, vertex = emulator.connection("gemini"), emulator.connection("vertex")
        nowhere = {name: it for name, it in vertex["extra"].items() if name != "staging_uri"}
        here: list[tuple[dict[str, Any] | None, dict[str, Any]]] = [
            (None, {}),
            ({"conn_type": "genai_batch"}, {}),
            ({**gemini, "password": "bad-key"}, {}),
            ({"conn_type": "genai_batch", "extra": {"backend": "vertex"}}, {}),
            (gemini, {"src": "gs://my-bucket/in.jsonl"}),
            ({**vertex, "extra": nowhere}, {}),
            (gemini, {"src": str(bad)}),
            (gemini, {"src": ["a", "b"]}),
            (gemini, {}),
            (gemini, {"timeout": 0.5}),
        ]
        emulator.script(JobScript(row_errors={"#1": {"code": 13, "message": "no luck"}}))
        quota = {"code": 8, "message": "quota exceeded"}
        emulator.script(JobScript(lifecycle=Lifecycle.at_once(), end="FAILED", error=quota))
        emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
        monkeypatch.delenv("AIRFLOW_CONN_GENAI_BATCH_DEFAULT", raising=False)

        def fill() -> None:
            before: GenAIBatchOperator | None = None
            for number, (connection, settings) in enumerate(here):
                conn_id = f"number_{number}" if connection else "genai_batch_default"
                if connection:
                    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))
                task = GenAIBatchOperator(
                    task_id=f"ask_{number}",
                    trigger_rule="all_done",
                    **{"model": MODEL, "src": ["Hi"], "poll_interval": 0.05, "conn_id": conn_id, **settings},
                )
                if before is not None:
                    before >> task
                before = task

        ran = run_dag(fill)
    assert len(TEXTS) == len(here) == len(ran.errors)
    for text, error in zip(TEXTS, ran.errors, strict=True):
        wanted = re.escape(text).replace("batches/…", "batches/").replace("/data", str(tmp_path))
        assert re.search(wanted, str(error)), error
