"""DAGs whose processes the take-over tests kill: some wait on the triggerer, some in place, some on both services."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from airflow_provider_genai_batch.flows.submission import search
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.task.journal import writer
from airflow_provider_genai_batch.task.rounds.online import round as online

assert search.LOOKS_AFTER_LOSS
# A retry that finds no job looks again for 15 seconds, because lists lag. Here they do not.
search.LOOKS_AFTER_LOSS = (0.2, 0.2)

# Calls under way, and lines of a part of the journal: few, so that a hundred rows show what is lost.
online.MAX_CALLS = 8
online.PART_LINES = writer.PART_LINES = 16

PROMPTS = [{"key": f"k{number}", "contents": f"Say {number}"} for number in range(5)]
# Rows of a run of a task, apart from those of every other.
RESULTS = "{{ var.value.takeover_results }}/{{ dag.dag_id }}-{{ task.task_id }}-{{ run_id }}.jsonl"
ASK = {
    "model": "gemini-2.5-flash",
    "src": PROMPTS,
    "results_uri": RESULTS,
    "poll_interval": 0.5,
    "retries": 2,
    "retry_delay": timedelta(seconds=0.5),
}
ON_VERTEX = {"conn_id": "genai_batch_vertex"}

with DAG("deferred", schedule=None):
    for number in range(4):
        GenAIBatchOperator(task_id=f"ask_{number}", deferrable=True, **ASK)

with DAG("in_place", schedule=None):
    GenAIBatchOperator(task_id="ask", deferrable=False, **ASK)

PATIENT = {"retries": 9, "retry_delay": timedelta(seconds=6)}
with DAG("in_place_patient", schedule=None):
    # An attempt that cannot reach the API server fails at once; this leaves it time to come back.
    GenAIBatchOperator(task_id="ask", deferrable=False, **{**ASK, **PATIENT})

with DAG("from_file", schedule=None):
    GenAIBatchOperator(task_id="ask", deferrable=False, **{**ASK, "src": "{{ var.value.takeover_requests }}"})

with DAG("both_ways", schedule=None):
    GenAIBatchOperator(task_id="deferred", deferrable=True, **ASK)
    GenAIBatchOperator(task_id="in_place", deferrable=False, **ASK)

for cancel in (True, False):
    with DAG("both_services" if cancel else "both_services_uncancelled", schedule=None):
        for name, service in (("gemini", {}), ("vertex", ON_VERTEX)):
            GenAIBatchOperator(task_id=name, deferrable=True, cancel_on_kill=cancel, **{**ASK, **service})

for name, service in (("gemini", {}), ("vertex", ON_VERTEX)):
    with DAG(f"ready_by_{name}", schedule=None):
        GenAIBatchOperator(
            task_id="ask",
            deferrable=False,
            ready_by="{{ dag_run.conf['at'] }}",
            **{**ASK, **service, "src": [{"key": f"r{n}", "contents": f"Ask {n}"} for n in range(120)]},
        )
