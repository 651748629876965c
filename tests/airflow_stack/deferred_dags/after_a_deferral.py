"""Tasks that end in another process than they began in: what the first one knew has to reach the last one."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG, Asset, AssetAlias, get_current_context, task

from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator

MODEL = "gemini-2.5-flash"
ROWS, DAILY = Asset("file:///data/rows.jsonl"), AssetAlias("daily")
LONG_AGO = datetime(2026, 1, 1, tzinfo=timezone.utc)

with DAG("tells_of_itself", schedule=None, start_date=LONG_AGO):

    @task.genai_batch(
        model=MODEL,
        poll_interval=0.2,
        deferrable=True,
        outlets=[ROWS, DAILY],
        map_index_template="{{ language }}: {{ greeting }}",
    )
    def ask(language, *, outlet_events):
        outlet_events[ROWS].extra["language"] = language
        outlet_events[DAILY].add(Asset(f"file:///data/{language}.jsonl"), extra={"language": language})
        greeting = get_current_context()["greeting"] = f"Hello in {language}"
        return [greeting]

    ask.expand(language=["Greek", "Latin"])

with DAG("out_of_time", schedule=None, start_date=LONG_AGO):
    GenAIBatchOperator(
        task_id="ask",
        model=MODEL,
        src=["Name a river."],
        poll_interval=0.2,
        deferrable=True,
        # It has to reach the triggerer meanwhile, on a busy machine too.
        execution_timeout=timedelta(seconds=45),
        retries=0,
    )
