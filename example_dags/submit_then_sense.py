"""Submit and wait in separate tasks: the first task ends at once, a sensor waits, and a third task lands the rows.

Connection: ``genai_batch_default``. Airflow Variable:
``genai_batch_results``, a folder that every worker can reach.
"""

from __future__ import annotations

from datetime import datetime, timezone

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator, GenAIBatchResultsOperator
from airflow_provider_genai_batch.sensors.genai_batch import GenAIBatchSensor

with DAG(
    "submit_then_sense",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    doc_md=__doc__,
    # A retry reattaches to the job of the attempt before it, so it pays nothing twice.
    default_args={"retries": 2},
) as dag:
    submit = GenAIBatchOperator(
        task_id="submit",
        model="gemini-2.5-flash",
        src=[f"Name a city whose name begins with {letter}." for letter in "ABC"],
        wait=False,
    )
    # job_names can also be the name of a job, for example of one that another system has submitted.
    sense = GenAIBatchSensor(task_id="sense", job_names=submit.output, deferrable=True, poke_interval=30)
    fetch = GenAIBatchResultsOperator(
        task_id="fetch",
        job_names=submit.output,
        results_uri="{{ var.value.get('genai_batch_results', '/tmp/genai-batch') }}/sensed.jsonl",
    )
    sense >> fetch
