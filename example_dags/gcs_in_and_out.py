"""Vertex AI reads requests from Cloud Storage and writes rows there.

Connections: ``google_cloud_default`` and ``genai_batch_vertex``. Airflow Variable: ``genai_batch_bucket``.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone

from airflow.providers.common.compat.sdk import DAG, ObjectStoragePath, task

from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator

FOLDER = "{{ var.value.get('genai_batch_bucket', 'emulator-staging') }}/capitals"

with DAG(
    "gcs_in_and_out",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    doc_md=__doc__,
    # A retry reattaches to the job of the attempt before it, so it pays nothing twice.
    default_args={"retries": 2},
) as dag:

    @task
    def write_requests(folder: str) -> str:
        with ObjectStoragePath(f"gs://google_cloud_default@{folder}/requests.jsonl").open("w") as lines:
            for country in ("Austria", "Bhutan", "Chad"):
                parts = [{"text": f"What is the capital of {country}?"}]
                request = {"contents": [{"role": "user", "parts": parts}]}
                lines.write(json.dumps({"key": country, "request": request}) + "\n")
        return f"gs://{folder}/requests.jsonl"

    GenAIBatchOperator(
        task_id="answer",
        model="gemini-2.5-flash",
        src=write_requests(FOLDER),
        dest=f"gs://{FOLDER}/raw/",
        results_uri=f"gs://{FOLDER}/rows.jsonl",
        conn_id="genai_batch_vertex",
        deferrable=True,
    )
