"""A template turns every row of a CSV file into a request; each answer lands with the columns of its row.

Connection: ``genai_batch_default``. Airflow Variables: ``genai_batch_reviews``, a path or an address in
object storage of a CSV, JSONL or Parquet file with a column ``text``, and ``genai_batch_results``, a folder
that every worker can reach.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path

from airflow.providers.common.compat.sdk import DAG, ObjectStoragePath, task

from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator

SHIPPED = Path(__file__).with_name("reviews.csv")

with DAG(
    "prompts_from_rows",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    doc_md=__doc__,
    # A retry reattaches to the job of the attempt before it, so it pays nothing twice.
    default_args={"retries": 2},
) as dag:
    classify = GenAIBatchOperator(
        task_id="classify",
        model="gemini-2.5-flash",
        src=f"{{{{ var.value.get('genai_batch_reviews', '{SHIPPED}') }}}}",
        # Not a Jinja template: {text} is the column of each row.
        prompt="Is this review positive, negative or mixed?\n\n{text}",
        request_defaults={"system_instruction": "Answer in a word.", "temperature": 0},
        results_uri="{{ var.value.get('genai_batch_results', '/tmp/genai-batch') }}/reviews.jsonl",
        deferrable=True,
    )

    @task
    def report(manifest: dict) -> int:
        with ObjectStoragePath(manifest["results_uri"]).open() as lines:
            rows = [json.loads(line) for line in lines]
        for row in rows:
            print(row["input"]["id"], row["input"]["stars"], row["text"])
        return len(rows)

    report(classify.output)
