"""Every way of this package to wait, on both services, and a task that leaks on purpose."""

from __future__ import annotations

import base64
import os
from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.providers.common.compat.sdk import DAG, BaseHook, BaseOperator, task
from airflow.providers.standard.triggers.file import FileTrigger

from airflow_provider_genai_batch.operators.genai_batch import (
    GenAIBatchDeleteOperator,
    GenAIBatchOperator,
    GenAIBatchResultsOperator,
)
from airflow_provider_genai_batch.sensors.genai_batch import GenAIBatchSensor

FOLDER = os.environ["SCANNED_FOLDER"]
MODEL = "gemini-2.5-flash"


def dag(name: str) -> DAG:
    start = datetime(2026, 1, 1, tzinfo=timezone.utc)
    again = {"retries": 1, "retry_delay": timedelta(seconds=1)}
    made = DAG(name, schedule=None, start_date=start, default_args=again)
    globals()[name] = made
    return made


for backend, results in (("gemini", f"{FOLDER}/rows"), ("vertex", "gs://emulator-staging/scanned")):
    for door in ("in_place", "deferred"):
        with dag(f"{backend}_{door}"):
            GenAIBatchOperator(
                task_id="answer",
                model=MODEL,
                src=f"{FOLDER}/requests.jsonl",
                results_uri=f"{results}/{{{{ run_id }}}}.jsonl",
                conn_id="{{ dag_run.conf.get('connection', 'scanned_" + backend + "') }}",
                poll_interval=0.2,
                deferrable=door == "deferred",
            )
    with dag(f"{backend}_sensed"):
        connection: dict[str, Any] = {"conn_id": f"scanned_{backend}"}
        submit = GenAIBatchOperator(
            task_id="submit", model=f"{MODEL}-lite", src=["Name a river."], wait=False, **connection
        )
        sense = GenAIBatchSensor(
            task_id="sense", job_names=submit.output, deferrable=True, poke_interval=0.2, **connection
        )
        rows = GenAIBatchResultsOperator(
            task_id="rows",
            job_names=submit.output,
            results_uri=f"{results}/{{{{ run_id }}}}.jsonl",
            **connection,
        )
        sense >> rows >> GenAIBatchDeleteOperator(task_id="delete", job_names=submit.output, **connection)


class WaitsForASecret(BaseOperator):
    """Hands a secret to a trigger, as no operator should."""

    def execute(self, context: Any) -> None:  # noqa: ARG002 - Airflow's signature
        secret = BaseHook.get_connection("scanned_gemini").password
        self.defer(trigger=FileTrigger(filepath=f"{FOLDER}/{secret}"), method_name="done")

    def done(self, context: Any, event: Any) -> None:
        """Never happens: there is no such file."""


with dag("leaks"):

    @task
    def leak(key: str) -> str:
        print("in base64:", base64.b64encode(f"the key {key}".encode()).decode())  # noqa: T201 - for its log
        return key

    leak("{{ conn.scanned_gemini.password }}")
    WaitsForASecret(task_id="wait")
