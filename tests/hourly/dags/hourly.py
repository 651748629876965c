"""Each hour: a statement writes a table, one task classifies its rows, a statement groups them by a typed column."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any, Literal

from airflow.providers.google.cloud.operators.bigquery import BigQueryInsertJobOperator
from airflow.sdk import DAG
from pydantic import BaseModel

from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from tests.crash.steps import Walk
from tests.hourly import seams

PLACE = "{{ var.value.genai_batch_project }}.hourly"
CELL = "{{ dag_run.conf['cell'] }}"


class Topic(BaseModel):
    name: str
    weight: float


class Label(BaseModel):
    kind: Literal["praise", "blame", "question"]
    about: Topic
    words: list[str]


class DyingOperator(GenAIBatchOperator):
    """The operator as it is, in a process that knows its steps."""

    def execute(self, context: Any) -> Any:
        return self._walked(context, "execute", lambda: super(DyingOperator, self).execute(context))

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        go_on = super().execute_complete
        return self._walked(context, "execute_complete", lambda: go_on(context, event))

    def _walked(self, context: Any, part: str, work: Any) -> Any:
        walk = Walk(context["dag_run"].conf, context["ti"].try_number, part)
        seams.cut(walk.reach)
        walk.reach(f"{part}: begins")
        result = work()
        walk.reach(f"{part}: returns")
        return result


def statement(task_id: str, query: str) -> BigQueryInsertJobOperator:
    return BigQueryInsertJobOperator(
        task_id=task_id,
        project_id="{{ var.value.genai_batch_project }}",
        configuration={"query": {"useLegacySql": False, "query": query}},
    )


with DAG(
    "hourly",
    schedule="@hourly",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=8,
    default_args={"retries": 60, "retry_delay": timedelta(0)},
) as dag:
    etl = statement(
        "etl",
        f"CREATE OR REPLACE TABLE `{PLACE}.texts_{CELL}` AS "
        "SELECT n AS id, DATE '2026-01-02' AS day, CONCAT('Text ', CAST(n AS STRING)) AS body "
        "FROM UNNEST(GENERATE_ARRAY(1, {{ dag_run.conf['rows'] }})) AS n",
    )
    classify = DyingOperator(
        task_id="classify",
        model="gemini-2.5-flash",
        src=f"bq://{PLACE}.texts_{CELL}",
        prompt="What is this? {body}",
        key="id",
        output_type=Label,
        results_uri=f"bq://{PLACE}.labels_{CELL}",
        conn_id="{{ dag_run.conf['connection'] }}",
        deferrable=True,
        poll_interval=1,
    )
    group = statement(
        "group",
        f"CREATE OR REPLACE TABLE `{PLACE}.kinds_{CELL}` AS "
        f"SELECT kind, COUNT(*) AS texts, AVG(about.weight) AS weight FROM `{PLACE}.labels_{CELL}` "
        "WHERE row_status = 'ok' GROUP BY kind",
    )
    etl >> classify >> group
