"""A job and a moment, each waited for by a deferred task, and each with a task behind it."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import DAG, task
from airflow.providers.standard.sensors.date_time import DateTimeSensorAsync

from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator

with DAG("after_a_job", schedule=None):
    answer = GenAIBatchOperator(
        task_id="wait", model="gemini-2.5-flash", src=["Say something."], deferrable=True, poll_interval=2
    )

    @task(task_id="next")
    def after_job(manifest: dict) -> int:
        return manifest["counts"]["ok"]

    after_job(answer.output)

with DAG("after_a_moment", schedule=None):
    moment = DateTimeSensorAsync(task_id="wait", target_time="{{ dag_run.conf['moment'] }}")

    @task(task_id="next")
    def after_moment() -> None:
        pass

    moment >> after_moment()
