"""What OpenLineage is told follows from a task's parameters and its manifest."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from openlineage.client.serde import Serde

from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator, GenAIBatchResultsOperator

MODEL = "gemini-2.5-flash"
COUNTS = {"total": 3, "ok": 2, "invalid": 0, "error": 1, "cancelled": 0, "missing": 0}


def asked(**settings: Any) -> GenAIBatchOperator:
    return GenAIBatchOperator(**{"task_id": "ask", "model": MODEL, "src": ["a prompt"], **settings})


def outputs(task: Any, **manifest: Any) -> list[tuple[str, str, int | None]]:
    task.outcome = {"job_names": ["batches/1"], **manifest} if manifest else None
    lineage = task.get_openlineage_facets_on_complete(None)
    found = []
    for dataset in lineage.outputs:
        facet = dataset.outputFacets.get("outputStatistics")
        found.append((dataset.namespace, dataset.name, facet and facet.rowCount))
    return found


def test_rows_that_stay_at_the_gemini_api_are_its_file_once_that_is_there() -> None:
    assert outputs(asked()) == []
    assert outputs(asked(), output=["files/batch-1"], counts=COUNTS) == [("gemini", "files/batch-1", 3)]


def test_that_file_is_left_out_where_rows_landed() -> None:
    task = asked(results_uri="s3://aws@b/rows.parquet")
    manifest = {"output": ["files/batch-1"], "counts": COUNTS, "results_uri": task.results_uri}
    assert outputs(task, **manifest) == [("s3://b", "rows.parquet", 3)]


def test_the_table_that_vertex_made_takes_the_place_of_the_dataset_it_was_asked_for() -> None:
    task = asked(dest="bq://p.d", src="bq://p.d.in")
    assert outputs(task) == []
    assert outputs(task, output=["bq://p.d.predictions_1"], counts=COUNTS) == [
        ("bigquery", "p.d.predictions_1", 3)
    ]
    assert task.get_openlineage_facets_on_start().inputs[0].name == "p.d.in"


def test_of_several_tables_nobody_knows_which_row_is_where() -> None:
    tables = ["bq://p.d.one", "bq://p.d.two"]
    told = outputs(asked(dest="bq://p.d.one"), output=tables, counts=COUNTS)
    assert told == [("bigquery", "p.d.one", None), ("bigquery", "p.d.two", None)]


def test_a_prefix_is_one_dataset_whatever_directories_jobs_make_below_it() -> None:
    task = asked(dest={"gcs_uri": "gs://b/out/"}, results_uri="gs://b/rows.jsonl")
    expected = [("gs://b", "out", None), ("gs://b", "rows.jsonl", 3)]
    output = ["gs://b/out/prediction-1/"]
    assert outputs(task, output=output, counts=COUNTS, results_uri=task.results_uri) == expected


def test_the_folder_of_media_is_a_place_without_a_number_of_rows() -> None:
    media = ("s3://b", "media", None)
    task = asked(results_uri="/data/rows.jsonl", media_uri="s3://b/media/")
    told = outputs(task, counts=COUNTS, results_uri=task.results_uri)
    assert told == [("file", "/data/rows.jsonl", 3), media]
    alone = asked(media_uri="s3://b/media/")
    assert outputs(alone, output=["files/batch-1"], counts=COUNTS) == [("gemini", "files/batch-1", 3), media]
    assert outputs(alone, output=["inline"], counts=COUNTS) == [media]


def test_a_task_that_could_not_land_tells_no_number_of_rows_there() -> None:
    task = asked(results_uri="/data/rows.jsonl")
    assert outputs(task, output=["files/batch-1"], counts=COUNTS) == [("file", "/data/rows.jsonl", None)]


def test_before_anything_is_known_the_model_is() -> None:
    facets = asked().get_openlineage_facets_on_start().run_facets
    assert [*facets] == ["genaiBatch"]
    assert (facets["genaiBatch"].model, facets["genaiBatch"].jobs) == (MODEL, None)


def test_of_jobs_that_were_lost_the_names_are_told() -> None:
    task = asked()
    task.outcome = {"job_names": ("projects/p/locations/l/batchPredictionJobs/1", "projects/p/…/2")}
    facets = task.get_openlineage_facets_on_complete(None).run_facets
    assert facets["genaiBatch"].jobCount == 2
    assert facets["externalQuery"].externalQueryId == task.outcome["job_names"][0]
    assert facets["externalQuery"].source == "vertex"


def test_the_names_of_ten_thousand_jobs_do_not_all_travel() -> None:
    task = asked()
    task.outcome = {"job_names": [f"batches/{number}" for number in range(10_000)]}
    facets = task.get_openlineage_facets_on_complete(None).run_facets
    assert facets["genaiBatch"].jobCount == 10_000
    assert len(Serde.to_json(facets["genaiBatch"])) < 4096


@pytest.mark.parametrize(
    "given",
    [
        {
            "backend": "gemini",
            "model": MODEL,
            "state": "SUCCEEDED",
            "job_names": ["batches/1"],
            "output": ["files/batch-1"],
        },
        "batches/1",
    ],
)
def test_a_task_that_lands_reads_what_the_service_wrote(given: Any) -> None:
    task = GenAIBatchResultsOperator(
        task_id="land", job_names=given, results_uri="/data/rows.jsonl", src="/data/in.jsonl"
    )
    names = [dataset.name for dataset in task.get_openlineage_facets_on_start().inputs]
    assert names == (["files/batch-1"] if isinstance(given, dict) else []) + ["/data/in.jsonl"]
    told = {"output": ["files/batch-1"], "counts": COUNTS, "results_uri": task.results_uri}
    assert outputs(task, **told) == [("file", "/data/rows.jsonl", 3)]
    names = [dataset.name for dataset in task.get_openlineage_facets_on_complete(None).inputs]
    assert names == ["files/batch-1", "/data/in.jsonl"]


def test_operators_are_imported_and_made_without_openlineage() -> None:
    program = """
import sys
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
GenAIBatchOperator(task_id="ask", model="m", src=["a"])
print([name for name in sys.modules if name.startswith(("openlineage", "airflow.providers.openlineage.extractors"))])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
