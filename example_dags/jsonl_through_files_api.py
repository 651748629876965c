"""A JSONL file of any size is uploaded through the Files API of the Gemini API; its rows land as JSONL.

Connection: ``genai_batch_default``. Airflow Variables: ``genai_batch_jsonl``, a path or an address in
object storage, and ``genai_batch_results``, a folder of either kind. Every worker must be able to reach both.
"""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator

SHIPPED = Path(__file__).with_name("prompts.jsonl")

with DAG(
    "jsonl_through_files_api",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    doc_md=__doc__,
    # A retry reattaches to the job of the attempt before it, so it pays nothing twice.
    default_args={"retries": 2},
) as dag:
    GenAIBatchOperator(
        task_id="answer",
        model="gemini-2.5-flash",
        src=f"{{{{ var.value.get('genai_batch_jsonl', '{SHIPPED}') }}}}",
        # Added to every request of the file that does not set these fields itself.
        request_defaults={"system_instruction": "Answer in a word.", "temperature": 0},
        results_uri="{{ var.value.get('genai_batch_results', '/tmp/genai-batch') }}/files_api.jsonl",
        max_failed_rows=0.01,
        deferrable=True,
    )
