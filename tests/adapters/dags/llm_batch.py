"""``@task.llm_batch`` on both services, deferred."""

import os
from datetime import datetime, timezone

from airflow.sdk import DAG, task

SERVICES = {
    "gemini": ("google:gemini-2.5-flash", "genai_batch_default"),
    "vertex": ("google-cloud:gemini-2.5-flash", "genai_batch_vertex"),
}

for name, (model_id, conn_id) in SERVICES.items():
    with DAG(f"llm_batch_{name}", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)):

        @task.llm_batch(
            model_id=model_id,
            llm_conn_id=conn_id,
            result_path=f"{os.environ['LLM_BATCH_RESULTS']}/{{{{ run_id }}}}",
            poll_interval=30,
            deferrable=True,
        )
        def ask():
            return ["Say alpha", "Say beta"]

        ask()
