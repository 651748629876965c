"""Asks about a few reviews on Vertex AI, and lands the rows in Cloud Storage."""

from __future__ import annotations

from datetime import datetime, timezone

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator

TEXTS = ("A fine toaster.", "It broke on the first day.", "It came in a box.", "My cat likes it.")

with DAG("reviews", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)) as dag:
    GenAIBatchOperator(
        task_id="answer",
        model="gemini-2.5-flash",
        src=[f"Is this positive, negative or neutral? {text}" for text in TEXTS],
        dest="gs://emulator-staging/reviews/",
        conn_id="genai_batch_vertex",
        deferrable=True,
    )
