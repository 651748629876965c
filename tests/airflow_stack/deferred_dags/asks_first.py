"""Tasks that ask a person between their pilot and the other requests."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG

from airflow_provider_genai_batch.models import Approval, Pilot
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator

LONG_AGO = datetime(2026, 1, 1, tzinfo=timezone.utc)
RESULTS = "{{ var.value.genai_batch_results }}/{{ dag.dag_id }}-{{ run_id }}.jsonl"
APPROVALS = {
    "asks_first": Approval(0),
    "asks_for_a_moment": Approval(0, timeout=timedelta(seconds=1)),
    "asks_somebody": Approval(0, assigned_users=["somebody"]),
}


def prompts(context, jinja_env):
    """Return as many as the run is configured for now."""
    from airflow.sdk import Variable

    number = int(Variable.get(f"prompts_{context['dag'].dag_id}", default="20"))
    return [f"Name river {at}." for at in range(number)]


for dag_id, approval in APPROVALS.items():
    with DAG(dag_id, schedule=None, start_date=LONG_AGO):
        GenAIBatchOperator(
            task_id="ask",
            model="gemini-2.5-flash",
            src=prompts,
            results_uri=RESULTS,
            pilot=Pilot(5, approve_above=approval),
            request_defaults={"max_output_tokens": 50},
            poll_interval=0.2,
            deferrable=True,
            retries=2,
            retry_delay=timedelta(seconds=0),
        )
