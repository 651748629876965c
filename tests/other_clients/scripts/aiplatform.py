"""Jobs of google-cloud-aiplatform, through its REST transport."""

from __future__ import annotations

import json
import os
import time

from google.cloud import storage
from google.cloud.aiplatform_v1 import JobServiceClient
from google.cloud.aiplatform_v1.types import BatchPredictionJob, JobState

PROMPTS = [f"say {number}" for number in range(3)]
BUCKET = os.environ["GEMINI_BUCKET_NAME"]
PARENT = f"projects/{os.environ['GOOGLE_CLOUD_PROJECT']}/locations/us-central1"

bucket = storage.Client().bucket(BUCKET)
rows = [
    json.dumps({"key": prompt, "request": {"contents": [{"role": "user", "parts": [{"text": prompt}]}]}})
    for prompt in PROMPTS
]
bucket.blob("aiplatform/in.jsonl").upload_from_string("\n".join(rows))

jobs = JobServiceClient(
    transport="rest", client_options={"api_endpoint": "us-central1-aiplatform.googleapis.com"}
)
job = BatchPredictionJob(
    display_name="three rows",
    model="publishers/google/models/gemini-2.5-flash",
    input_config={
        "instances_format": "jsonl",
        "gcs_source": {"uris": [f"gs://{BUCKET}/aiplatform/in.jsonl"]},
    },
    output_config={
        "predictions_format": "jsonl",
        "gcs_destination": {"output_uri_prefix": f"gs://{BUCKET}/aiplatform/out"},
    },
)


def ended(name: str) -> BatchPredictionJob:
    for _ in range(30):
        found = jobs.get_batch_prediction_job(name=name)
        if found.end_time:
            return found
        time.sleep(0.1)
    raise SystemExit(f"still {found.state.name}")


made = ended(jobs.create_batch_prediction_job(parent=PARENT, batch_prediction_job=job).name)
assert made.state == JobState.JOB_STATE_SUCCEEDED, made.error
assert made.completion_stats.successful_count == len(PROMPTS)
assert made.name in [one.name for one in jobs.list_batch_prediction_jobs(parent=PARENT)]
prefix = made.output_info.gcs_output_directory.removeprefix(f"gs://{BUCKET}/")
text = "".join(blob.download_as_text() for blob in bucket.list_blobs(prefix=prefix))

stopped = jobs.create_batch_prediction_job(parent=PARENT, batch_prediction_job=job).name
jobs.cancel_batch_prediction_job(name=stopped)
assert ended(stopped).state == JobState.JOB_STATE_CANCELLED
jobs.delete_batch_prediction_job(name=stopped).result(timeout=60)

right = sum(f"Answer to: {prompt}" in text for prompt in PROMPTS)
print(f"right: {right} of {len(PROMPTS)}")
