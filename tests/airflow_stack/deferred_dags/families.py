"""Claude and Llama by a list, and from table to table, in one DAG."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG

from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator

MODELS = {
    "claude": "publishers/anthropic/models/claude-sonnet-4-6",
    "llama": "publishers/meta/models/llama-4-maverick-17b-128e-instruct-maas",
}
SHARED = {
    "conn_id": "genai_batch_vertex",
    "poll_interval": 0.2,
    "deferrable": True,
    # Airflow gives up tasks whose processes take too long to begin, as they do on a busy machine.
    "retries": 3,
    "retry_delay": timedelta(seconds=1),
}

with DAG("families", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), max_active_tasks=2):
    for name, model in MODELS.items():
        GenAIBatchOperator(
            task_id=f"{name}_list",
            model=model,
            src=[{"key": lake, "contents": f"How deep is {lake}?"} for lake in ("Como", "Garda")],
            request_defaults={"max_output_tokens": 50, "system_instruction": "Be exact."},
            results_uri=f"{{{{ var.value.genai_batch_results }}}}/{name}.jsonl",
            **SHARED,
        )
        table = f"bq://{{{{ var.value.genai_batch_project }}}}.families.{name}"
        GenAIBatchOperator(task_id=f"{name}_table", model=model, src=table, dest=f"{table}_answers", **SHARED)
