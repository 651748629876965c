"""The operator of Airflow's Google provider for batch jobs of Vertex AI."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace
from typing import Any

from airflow.providers.google.cloud.operators.vertex_ai.batch_prediction_job import (
    CreateBatchPredictionJobOperator,
)
from google.cloud import storage

PROMPTS = [f"say {number}" for number in range(3)]
BUCKET = os.environ["GEMINI_BUCKET_NAME"]
# No Airflow runs: an operator needs a place for its links alone.
CONTEXT: Any = {"ti": SimpleNamespace(xcom_push=lambda **_: None)}

bucket = storage.Client().bucket(BUCKET)
rows = [
    json.dumps({"key": prompt, "request": {"contents": [{"role": "user", "parts": [{"text": prompt}]}]}})
    for prompt in PROMPTS
]
bucket.blob("airflow/in.jsonl").upload_from_string("\n".join(rows))
ask = CreateBatchPredictionJobOperator(
    task_id="ask",
    project_id=os.environ["GOOGLE_CLOUD_PROJECT"],
    region="us-central1",
    job_display_name="three rows",
    model_name="publishers/google/models/gemini-2.5-flash",
    instances_format="jsonl",
    predictions_format="jsonl",
    gcs_source=f"gs://{BUCKET}/airflow/in.jsonl",
    gcs_destination_prefix=f"gs://{BUCKET}/airflow/out",
)
ask.do_xcom_push = False
ask.execute(CONTEXT)
text = "".join(blob.download_as_text() for blob in bucket.list_blobs(prefix="airflow/out"))
right = sum(f"Answer to: {prompt}" in text for prompt in PROMPTS)
print(f"right: {right} of {len(PROMPTS)}")
