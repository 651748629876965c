"""A group of tasks that asks one file in parts."""

import os

from airflow.sdk import DAG

from airflow_provider_genai_batch.operators.genai_batch import genai_batch_group

with DAG("group", schedule=None):
    genai_batch_group(
        "all",
        model="gemini-2.5-flash",
        src=os.environ["SCALING_SRC"],
        parts=int(os.environ["SCALING_PARTS"]),
        results_uri=os.environ["SCALING_RESULTS"] + "/{{ run_id | replace(':', '_') }}.jsonl",
        poll_interval=1,
        retries=2,
        retry_delay=1,
    )
