"""Tasks that die where the configuration of their run says."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.sdk import DAG

from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from tests.crash import seams
from tests.crash.steps import Walk

INLINE = [f"Is text {number} good?" for number in range(50)]
SOURCES = {"file": "{{ dag_run.conf['source'] }}", "inline": INLINE}


class CrashingOperator(GenAIBatchOperator):
    """The operator as it is, in a process that knows its steps."""

    def execute(self, context: Any) -> Any:
        walk = self._walk(context, "execute")
        walk.reach("execute: begins")
        result = super().execute(context)
        walk.reach("execute: returns")
        return result

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        walk = self._walk(context, "execute_complete")
        walk.reach("execute_complete: begins")
        result = super().execute_complete(context, event)
        walk.reach("execute_complete: returns")
        return result

    def _walk(self, context: Any, part: str) -> Walk:
        walk = Walk(context["dag_run"].conf, context["ti"].try_number, part)
        seams.cut(walk.reach, self.results_uri)
        return walk


for source, src in SOURCES.items():
    for mode in ("in_place", "deferred"):
        with DAG(
            f"crash_{source}_{mode}",
            schedule=None,
            start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
            max_active_runs=64,
            max_active_tasks=64,
        ) as dag:
            CrashingOperator(
                task_id="answer",
                model="gemini-2.5-flash",
                src=src,
                conn_id="{{ dag_run.conf['connection'] }}",
                results_uri="{{ dag_run.conf['results'] }}",
                deferrable=mode == "deferred",
                poll_interval=1,
                timeout=timedelta(hours=9),
                retries=5,
                retry_delay=0,
            )
        globals()[dag.dag_id] = dag
