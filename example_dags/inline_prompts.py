"""A few prompts in the DAG itself; the downstream task reads the rows.

Connection: ``genai_batch_default``. Airflow Variable:
``genai_batch_results``, a folder that every worker can reach.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone

from airflow.providers.common.compat.sdk import DAG, ObjectStoragePath, task

from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator

with DAG(
    "inline_prompts",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    doc_md=__doc__,
    # A retry reattaches to the job of the attempt before it, so it pays nothing twice.
    default_args={"retries": 2},
) as dag:
    answer = GenAIBatchOperator(
        task_id="answer",
        model="gemini-2.5-flash",
        src=[
            "Name a river in Africa.",
            {"key": "haiku", "contents": "Write a haiku about batch jobs.", "config": {"temperature": 1.2}},
            {"key": "sum", "contents": "What is 17 + 25?", "config": {"temperature": 0}},
        ],
        results_uri="{{ var.value.get('genai_batch_results', '/tmp/genai-batch') }}/inline.jsonl",
        deferrable=True,
    )

    @task
    def read_rows(manifest: dict) -> int:
        with ObjectStoragePath(manifest["results_uri"]).open() as lines:
            rows = [json.loads(line) for line in lines]
        for row in rows:
            print(row["key"], row["status"], row["text"])
        return len(rows)

    read_rows(answer.output)
