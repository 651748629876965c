from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_genai_batch.exceptions import InputError, UnsupportedError
from airflow_provider_genai_batch.models import BatchDestination, BatchSource
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.parameters.destinations import (
    check_backend,
    default_destination,
    read_config,
    read_destination,
)

GCS, TABLE = BatchSource(gcs_uri=("gs://b/in.jsonl",)), BatchSource(bigquery_uri="bq://p.d.t")
FILE, INLINE, PATH = (
    BatchSource(file_name="files/a"),
    BatchSource(inlined_requests=("a",)),
    BatchSource(path="/x"),
)
OUT = BatchDestination(gcs_uri="gs://b/out")


@pytest.mark.parametrize(
    ("dest", "fields"),
    [
        ("gs://b/out/", {"gcs_uri": "gs://b/out/"}),
        ("gs://b", {"gcs_uri": "gs://b"}),
        ("bq://p", {"bigquery_uri": "bq://p"}),
        ("bq://p.d", {"bigquery_uri": "bq://p.d"}),
        ("bq://p.d.t", {"bigquery_uri": "bq://p.d.t"}),
        ({"gcs_uri": "gs://b/out", "format": "jsonl"}, {"gcs_uri": "gs://b/out"}),
        ({"bigqueryUri": "bq://p.d", "format": "bigquery"}, {"bigquery_uri": "bq://p.d"}),
    ],
)
def test_every_spelling_of_a_destination_is_read(dest: Any, fields: dict[str, str]) -> None:
    assert read_destination(dest) == BatchDestination(**fields)


def test_no_destination_is_none() -> None:
    assert read_destination(None) is None
    assert read_destination(OUT) is OUT


@pytest.mark.parametrize(
    ("dest", "said"),
    [
        ("s3://b/out", "is not a destination: give gs://"),
        ("bq://p.d.t.x", "is not a destination"),
        (
            {"gcs_uri": "gs://b", "format": "bigquery"},
            "dest says format 'bigquery' of a gcsUri, which is jsonl",
        ),
        ({"gcs_uri": "gs://b", "bigquery_uri": "bq://p"}, "dest is either gcs_uri or bigquery_uri"),
        ({}, "dest is either gcs_uri or bigquery_uri, not nothing"),
        ({"gcs_uri": "bq://p"}, "which is not one"),
        ({"file_name": "files/a"}, "dest has an unknown field"),
        (5, "dest cannot be of type int"),
        ({"vertex_dataset": {}}, "multimodal dataset"),
    ],
)
def test_what_is_no_destination_is_refused(dest: Any, said: str) -> None:
    with pytest.raises(InputError) as caught:
        read_destination(dest)
    assert said in str(caught.value)


def test_the_sdks_config_is_taken_apart() -> None:
    config = {
        "display_name": "n",
        "dest": "gs://b/out",
        "webhook_config": {"uris": ["https://h.example"], "user_metadata": {"run_id": 1}},
    }
    assert read_config(config) == (
        "n",
        OUT,
        {"uris": ["https://h.example"], "userMetadata": {"run_id": 1}},
    )
    assert read_config(None) == (None, None, None)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"displayNam": "n"}, "config has an unknown field 'displayNam'; there are display_name"),
        ({"http_options": {}}, "belong to the Airflow connection"),
        ({"display_name": 5}, "display_name is 5, not a string"),
        (
            {"webhook_config": {"url": "x"}},
            "webhook has an unknown field 'url': give an address, or a WebhookConfig with uris and user_metadata",
        ),
        ({"webhook_config": {"uris": []}}, "webhook has an empty list of uris"),
        (5, "config is of type int"),
    ],
)
def test_an_unknown_field_of_the_config_is_refused_by_name(config: Any, said: str) -> None:
    with pytest.raises(InputError) as caught:
        read_config(config)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("source", "destination", "webhook", "backend", "said"),
    [
        (GCS, None, None, Backend.GEMINI, "cannot read gs://b/in.jsonl: give a files/… name or a local path"),
        (TABLE, None, None, Backend.GEMINI, "cannot read bq://p.d.t: export the table"),
        (FILE, OUT, None, Backend.GEMINI, "cannot write to gs://b/out: set results_uri instead"),
        (FILE, None, None, Backend.VERTEX, "Vertex AI cannot read files/a"),
        (GCS, OUT, {"uris": ["x"]}, Backend.VERTEX, "Vertex AI cannot call a webhook"),
    ],
)
def test_what_belongs_to_the_other_service_is_refused_with_a_remedy(
    source: BatchSource, destination: BatchDestination | None, webhook: Any, backend: Backend, said: str
) -> None:
    with pytest.raises(UnsupportedError) as caught:
        check_backend(source, destination, backend, webhook=webhook)
    assert said in str(caught.value)
    assert "use a connection with backend" in str(caught.value)


@pytest.mark.parametrize(
    ("source", "destination", "backend"),
    [
        (FILE, None, Backend.GEMINI),
        (INLINE, None, Backend.GEMINI),
        (PATH, None, Backend.GEMINI),
        (GCS, OUT, Backend.VERTEX),
        (TABLE, OUT, Backend.VERTEX),
        (INLINE, OUT, Backend.VERTEX),
        (PATH, None, Backend.VERTEX),
    ],
)
def test_what_a_service_can_do_passes(
    source: BatchSource, destination: BatchDestination | None, backend: Backend
) -> None:
    check_backend(source, destination, backend)


def test_the_default_destination_is_the_sdks() -> None:
    assert default_destination(GCS, "x") == BatchDestination(gcs_uri="gs://b/in/dest")
    assert default_destination(TABLE, "x") == BatchDestination(bigquery_uri="bq://p.d.t_dest_x")
    assert default_destination(BatchSource(gcs_uri=("gs://b/dir/*",)), "x") is None
    assert default_destination(INLINE, "x") is None
