"""A task that asks a person before it answers all its reviews."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG

from airflow_provider_genai_batch.models import Approval, Pilot
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator

SAID = ("It broke after a week", "I like it", "Never again", "Just what I need", "Too loud", "Arrived late")


def reviews(context, jinja_env):
    """Return prompts."""
    return [
        f"Is this review of a kettle positive or negative? {SAID[at % 6]}, {at % 11} of 10."
        for at in range(20000)
    ]


with DAG("approved_reviews", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)):
    GenAIBatchOperator(
        task_id="classify",
        model="gemini-2.5-flash",
        src=reviews,
        results_uri="{{ var.value.genai_batch_results }}/{{ run_id }}.jsonl",
        pilot=Pilot(50, approve_above=Approval(0.1, timeout=8 * 3600)),
        poll_interval=0.2,
        deferrable=True,
        retries=3,
        retry_delay=timedelta(0),
    )
