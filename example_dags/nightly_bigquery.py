"""Every night, BigQuery writes a request for every text, Vertex AI answers them in one job, and a task reports.

The dataset needs a table ``texts`` with the columns ``id`` and ``text``. Connections:
``google_cloud_default`` and ``genai_batch_vertex``. Airflow Variables:
``genai_batch_project``, ``genai_batch_dataset``.
"""

from __future__ import annotations

from datetime import datetime, timezone

from airflow.providers.common.compat.sdk import DAG, task
from airflow.providers.google.cloud.operators.bigquery import BigQueryInsertJobOperator

from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator

PROJECT = "{{ var.value.get('genai_batch_project', 'emulator-project') }}"
DATASET = PROJECT + ".{{ var.value.get('genai_batch_dataset', 'reviews') }}"

with DAG(
    "nightly_bigquery",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    doc_md=__doc__,
    # A retry reattaches to the job of the attempt before it, so it pays nothing twice.
    default_args={"retries": 2},
) as dag:
    write_requests = BigQueryInsertJobOperator(
        task_id="write_requests",
        project_id=PROJECT,
        configuration={
            "query": {
                "useLegacySql": False,
                "query": f"""
                    CREATE OR REPLACE TABLE `{DATASET}.requests` AS
                    SELECT id, TO_JSON_STRING(STRUCT([STRUCT('user' AS role, [STRUCT(
                      CONCAT('Is this positive, negative or neutral? Answer in a word.\\n\\n', text) AS text
                    )] AS parts)] AS contents)) AS request
                    FROM `{DATASET}.texts`
                """,
            }
        },
    )
    # The destination is a dataset, so the service creates a new table in it every night.
    answer = GenAIBatchOperator(
        task_id="answer",
        model="gemini-2.5-flash",
        src=f"bq://{DATASET}.requests",
        dest=f"bq://{DATASET}",
        conn_id="genai_batch_vertex",
        deferrable=True,
    )

    @task
    def report(manifest: dict):
        print(f"{manifest['counts']['ok']} of {manifest['counts']['total']} texts: {manifest['output'][0]}")

    write_requests >> answer
    report(answer.output)
