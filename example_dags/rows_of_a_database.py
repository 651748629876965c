"""The rows of a query become requests, and the typed answers are written back to the same database.

Connections: ``genai_batch_default``; ``warehouse``, any database for which Airflow has a hook. Install the extra
``sql`` and the provider of the database. Airflow Variable: ``genai_batch_results``, a folder that every worker can
reach.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Literal

from airflow.providers.common.compat.sdk import DAG, BaseHook, task
from pydantic import BaseModel

from airflow_provider_genai_batch.hooks.genai_batch import read_rows
from airflow_provider_genai_batch.models import SqlSource
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator

TABLES = [
    "CREATE TABLE IF NOT EXISTS reviews (id INTEGER PRIMARY KEY, body TEXT)",
    "CREATE TABLE IF NOT EXISTS labels (id INTEGER PRIMARY KEY, kind VARCHAR(10), certainty FLOAT)",
]
REVIEWS = ["Light, quiet, good.", "It broke.", "Does it come in blue?"]


class Label(BaseModel):
    kind: Literal["praise", "blame", "question"]
    certainty: float


with DAG(
    "rows_of_a_database",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    doc_md=__doc__,
    # A retry reattaches to the job of the attempt before it, so it pays nothing twice.
    default_args={"retries": 2},
) as dag:

    @task
    def write_reviews() -> None:
        hook = BaseHook.get_hook("warehouse")
        hook.run([*TABLES, "DELETE FROM reviews"])
        hook.insert_rows("reviews", [*enumerate(REVIEWS)])

    classify = GenAIBatchOperator(
        task_id="classify",
        model="gemini-2.5-flash",
        src=SqlSource("warehouse", "SELECT id, body FROM reviews ORDER BY id"),
        prompt="What is this review?\n\n{body}",
        key="id",
        output_type=Label,
        results_uri="{{ var.value.get('genai_batch_results', '/tmp/genai-batch') }}/labels.jsonl",
        deferrable=True,
    )

    @task
    def load(manifest: dict) -> int:
        rows = [
            (row.input["id"], row.output["kind"], row.output["certainty"])
            for row in read_rows(manifest)
            if row.status == "ok"
        ]
        hook = BaseHook.get_hook("warehouse")
        hook.run("DELETE FROM labels WHERE id IN (SELECT id FROM reviews)")
        hook.insert_rows("labels", rows, target_fields=["id", "kind", "certainty"])
        return len(rows)

    write_reviews() >> classify
    load(classify.output)
