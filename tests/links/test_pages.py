"""Addresses of Google's pages."""

from __future__ import annotations

import pytest

from airflow_provider_genai_batch.links.pages import AI_STUDIO, job_page, rows_page
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.base import Backend

CONSOLE = "https://console.cloud.google.com"


def on_vertex(number: int) -> BatchJob:
    name = f"projects/77/locations/us-central1/batchPredictionJobs/{number}"
    return BatchJob(name=name, backend=Backend.VERTEX)


def test_one_job_has_its_page_and_several_have_their_list() -> None:
    one = f"{CONSOLE}/vertex-ai/locations/us-central1/batch-predictions/5?project=my-project"
    assert job_page([on_vertex(5)], "my-project") == one
    several = f"{CONSOLE}/vertex-ai/batch-predictions?project=my-project"
    assert job_page([on_vertex(5), on_vertex(6)], "my-project") == several


def test_they_are_the_pages_that_the_google_provider_leads_to() -> None:
    from airflow.providers.google.cloud.links import bigquery, vertex_ai
    from airflow.providers.google.common.links import storage

    job = vertex_ai.VERTEX_AI_BATCH_PREDICTION_JOB_LINK.format(
        region="us-central1", batch_prediction_job_id="5", project_id="p"
    )
    assert job_page([on_vertex(5)], "p") == CONSOLE + job
    jobs = vertex_ai.VERTEX_AI_BATCH_PREDICTION_JOB_LIST_LINK.format(project_id="p")
    assert job_page([on_vertex(5), on_vertex(6)], "p") == CONSOLE + jobs
    table = bigquery.BIGQUERY_TABLE_LINK.format(project_id="p", dataset_id="d", table_id="t")
    assert rows_page("bq://p.d.t", "p") == CONSOLE + table
    assert rows_page("bq://p.d", "p") == CONSOLE + bigquery.BIGQUERY_DATASET_LINK.format(
        project_id="p", dataset_id="d"
    )
    below = storage.GCS_STORAGE_LINK.format(uri="b/out/", project_id="p")
    assert rows_page("gs://b/out/", "p") == below
    whole = storage.GCS_FILE_DETAILS_LINK.format(uri="b/rows.jsonl", project_id="p")
    assert rows_page("gs://b/rows.jsonl", "p", is_object=True) == whole


def test_the_connection_in_an_address_is_no_part_of_the_page() -> None:
    assert rows_page("gs://my_conn@b/a@x.jsonl", "p", is_object=True) == rows_page(
        "gs://b/a@x.jsonl", "p", is_object=True
    )


def test_batches_of_gemini_are_listed_in_ai_studio() -> None:
    assert job_page([BatchJob(name="batches/a", backend=Backend.GEMINI)], None) == AI_STUDIO


@pytest.mark.parametrize("address", [None, "/data/rows.jsonl", "s3://bucket/rows.jsonl", "inline", "bq://p"])
def test_other_places_have_no_page(address: str | None) -> None:
    assert rows_page(address, "p") == ""


def test_names_cannot_add_to_an_address() -> None:
    assert rows_page("gs://b/a?x=1#y", "p&q=1").endswith("/b/a%3Fx%3D1%23y;tab=objects?project=p%26q%3D1")
