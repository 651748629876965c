"""The same work as two tasks, one a provider: rows of a file or of a list, waited for in place or deferred."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.providers.common.compat.sdk import DAG
from airflow.providers.google.cloud.operators.gen_ai import GenAIGeminiCreateBatchJobOperator

from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator

MODEL = "gemini-2.5-flash"
RESULTS = os.environ["PEERS_RESULTS"]
FILE = "{{ dag_run.conf['file'] }}"
PROMPTS = ["Name a river.", "Name a lake.", "Name a sea."]
AGAIN: dict[str, Any] = {"task_id": "answer", "retries": 2, "retry_delay": timedelta(seconds=1)}


def ours(source: str, *, deferrable: bool) -> None:
    GenAIBatchOperator(
        model=MODEL,
        src=FILE if source == "file" else PROMPTS,
        results_uri=f"{RESULTS}/{{{{ run_id }}}}.jsonl",
        poll_interval=1,
        deferrable=deferrable,
        **AGAIN,
    )


def theirs(source: str, *, deferrable: bool) -> None:
    GenAIGeminiCreateBatchJobOperator(
        project_id="emulator-project",
        location="global",
        gemini_api_key="emulator-key",
        model=MODEL,
        input_source=FILE
        if source == "file"
        else [{"contents": [{"role": "user", "parts": [{"text": text}]}]} for text in PROMPTS],
        results_folder=RESULTS if source == "file" else None,
        retrieve_result=True,
        wait_until_complete=not deferrable,
        polling_interval=1,
        deferrable=deferrable,
        **AGAIN,
    )


for side in (ours, theirs):
    for door in ("in_place", "deferred"):
        for source in ("file", "list"):
            name = f"{side.__name__}_{door}_{source}"
            with DAG(name, schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)) as dag:
                side(source, deferrable=door == "deferred")
            globals()[name] = dag
