"""Beside the examples: a task that waits in place for two rounds, and many that wait on the triggerers."""

from __future__ import annotations

from airflow.sdk import DAG

from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator

RESULTS = "{{ var.value.genai_batch_results }}"
ASK = {"model": "gemini-2.5-flash", "poll_interval": 1}

with DAG("in_place", schedule=None):
    GenAIBatchOperator(
        task_id="answer",
        src=[{"key": f"k{number}", "contents": f"Say {number}"} for number in range(5)],
        results_uri=f"{RESULTS}/in_place.jsonl",
        retry_failed_rows=1,
        deferrable=False,
        **ASK,
    )

with DAG("wide", schedule=None):
    GenAIBatchOperator.partial(
        task_id="answer", results_uri=f"{RESULTS}/wide-{{{{ ti.map_index }}}}.jsonl", deferrable=True, **ASK
    ).expand(src=[[{"key": f"{number}-{half}", "contents": "Hi"} for half in "ab"] for number in range(12)])
