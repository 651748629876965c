"""Tasks that OpenLineage is told of, and a DAG that is scheduled on what they leave."""

from __future__ import annotations

import json

from airflow.sdk import DAG, Asset, AssetAlias, Variable, task

from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator, GenAIBatchResultsOperator

FOLDER = "{{ var.value.folder }}"
MODEL = "gemini-2.5-flash"
ANSWERS, LANDED = Asset("answers"), Asset("landed")

with DAG("told", schedule=None):
    deferred = GenAIBatchOperator(
        task_id="deferred",
        model=MODEL,
        src=f"{FOLDER}/in.jsonl",
        results_uri=f"{FOLDER}/deferred.jsonl",
        poll_interval=0.1,
        deferrable=True,
        outlets=[ANSWERS, AssetAlias("unused")],
        pre_execute=lambda context: context["outlet_events"][ANSWERS].extra.update(mine="kept"),
    )
    land = GenAIBatchResultsOperator(
        task_id="land", job_names=deferred.output, results_uri=f"{FOLDER}/landed.jsonl", outlets=[LANDED]
    )

with DAG("told_of_vertex", schedule=None):
    GenAIBatchOperator(
        task_id="in_place",
        model=MODEL,
        src=["gs://emulator-staging/lineage/1.jsonl", "gs://emulator-staging/lineage/2.jsonl"],
        dest="gs://emulator-staging/lineage/out/",
        conn_id="genai_batch_vertex",
        poll_interval=0.1,
        deferrable=False,
    )

for deferrable in (False, True):
    with DAG(f"told_of_failing_{'deferred' if deferrable else 'in_place'}", schedule=None):
        GenAIBatchOperator(
            task_id="ask",
            model=MODEL,
            src=["A secret prompt.", "Another secret prompt."],
            poll_interval=0.1,
            deferrable=deferrable,
            retries=0,
        )

with DAG("scheduled_on_answers", schedule=[ANSWERS & LANDED]):

    @task
    def read(triggering_asset_events):
        (event,) = triggering_asset_events[ANSWERS]
        (landed,) = triggering_asset_events[LANDED]
        with open(Variable.get("folder") + "/extra.json", "w") as file:  # noqa: PTH123
            json.dump({"answers": event.extra, "landed": landed.extra}, file)

    read()
