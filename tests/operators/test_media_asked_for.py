"""Requests for pictures and sound: refused where nobody would keep the answers, and never sent inline."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from airflow_provider_genai_batch.client import ClientConfig
from airflow_provider_genai_batch.client.job_params import job_spec
from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.exceptions import (
    ConfigurationError,
    GenAIBatchError,
    InputError,
    RequestError,
    UnsupportedError,
)
from airflow_provider_genai_batch.models import BatchSource
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator, GenAIBatchResultsOperator
from airflow_provider_genai_batch.task.files.overlap import refuse_media_overlap
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.task.inputs.read import read_input
from airflow_provider_genai_batch.task.settings.order import read_order
from airflow_provider_genai_batch.wire.parameters.sources import read_source
from tests.dags import run_dag
from tests.operators.scenes import MODEL, client

PICTURES = "gemini-2.5-flash-image"
PLAIN = {"key": "a", "request": {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}}
PICTURE = {
    "key": "b",
    "request": {**PLAIN["request"], "generationConfig": {"responseModalities": ["TEXT", "IMAGE"]}},
}
BOTH = [PLAIN, PICTURE]


def operator(**settings: Any) -> GenAIBatchOperator:
    return GenAIBatchOperator(**{"task_id": "ask", "model": MODEL, "src": ["a"], **settings})


@pytest.mark.parametrize(
    "settings",
    [
        {"model": PICTURES},
        {"model": "publishers/google/models/gemini-3-pro-image-preview"},
        {"request_defaults": {"response_modalities": ["IMAGE"]}},
        {"request_defaults": {"speech_config": "Kore"}},
        {"request_defaults": {"generationConfig": {"imageConfig": {"aspectRatio": "1:1"}}}},
    ],
    ids=lambda settings: next(iter(settings.values())) if "model" in settings else "defaults",
)
def test_a_task_that_would_keep_no_picture_is_refused_when_its_dag_is_parsed(
    settings: dict[str, Any],
) -> None:
    with pytest.raises(RequestError, match=r'Give media_uri.*or keep="response"'):
        operator(**settings)
    operator(media_uri="{{ params.media }}", **settings)
    operator(wait=False, **settings)  # whoever lands the rows says where


def test_an_image_model_that_is_asked_for_text_alone_is_taken() -> None:
    operator(model=PICTURES, request_defaults={"response_modalities": ["TEXT"]})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"media_uri": 5}, "media_uri is 5, which is not a string"),
        ({"media_uri": "bq://p.d.t"}, "is not a folder for pictures and sound"),
        ({"media_uri": "gs://b/m/", "wait": False}, "leave media_uri to a GenAIBatchResultsOperator"),
    ],
)
def test_a_media_uri_that_cannot_be_is_refused_when_its_dag_is_parsed(
    settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        operator(**settings)
    if "wait" not in settings and isinstance(settings["media_uri"], str):
        with pytest.raises(ConfigurationError, match=said):
            GenAIBatchResultsOperator(task_id="l", job_names="batches/a", results_uri="/r.jsonl", **settings)


def in_a_list(service: Emulator, folder: Path) -> Any:
    return BOTH


def by_a_generator(service: Emulator, folder: Path) -> Any:
    return iter(BOTH)


def by_a_file(service: Emulator, folder: Path) -> Any:
    path = folder / "in.jsonl"
    path.write_text("\n".join(map(json.dumps, BOTH)))
    return str(path)


def in_cloud_storage(service: Emulator, folder: Path) -> Any:
    uri = f"gs://emulator-staging/{uuid4().hex}.jsonl"
    with client() as connection:
        connection.upload(by_a_file(service, folder), uri)
    return uri


def in_bigquery(service: Emulator, folder: Path) -> Any:
    if service.bigquery is None:
        pytest.skip("the extra emulator-bigquery is not installed")
    name = f"{service.bigquery.project}.tests.t{uuid4().hex}"
    rows = [{"id": row["key"], "request": json.dumps(row["request"])} for row in BOTH]
    service.bigquery.create_and_insert(name, [("id", "STRING"), ("request", "STRING")], rows)
    return f"bq://{name}"


ANYWHERE = [
    ("gemini", in_a_list),
    ("gemini", by_a_generator),
    ("gemini", by_a_file),
    ("vertex", in_a_list),
    ("vertex", in_cloud_storage),
    ("vertex", in_bigquery),
]


@pytest.mark.parametrize(("backend", "source"), ANYWHERE, ids=lambda it: getattr(it, "__name__", it))
def test_one_request_for_a_picture_is_found_wherever_it_stands(
    request: pytest.FixtureRequest, tmp_path: Path, backend: str, source: Callable[[Emulator, Path], Any]
) -> None:
    service = request.getfixturevalue(backend)
    src = read_source(source(service, tmp_path))
    with client() as connection:
        with (
            pytest.raises(RequestError, match=r"(request|line|row) 2.*asks for pictures \(IMAGE\)"),
            read_input(connection, src, model=MODEL, keeps_media=False),
        ):
            pass
        if src.stream is None:
            with read_input(connection, src, model=MODEL) as prepared:
                assert not prepared.entries
    assert service.jobs == []


def test_a_refused_task_says_that_nothing_is_billed_and_creates_nothing(gemini: Emulator) -> None:
    ran = run_dag(lambda: operator(src=[{"contents": "x", "config": {"response_modalities": ["IMAGE"]}}]))
    assert isinstance(ran.errors[0], InputError)
    assert "nothing is billed" in str(ran.errors[0])
    assert gemini.jobs == []


def test_a_folder_beside_a_table_is_refused_for_rows_stay_in_the_table() -> None:
    vertex = ClientConfig(Backend.VERTEX, project="p")
    with pytest.raises(UnsupportedError, match="stay there: leave media_uri out"):
        read_order(vertex, model=MODEL, src="bq://p.d.t", media_uri="gs://b/media/")
    read_order(vertex, model=MODEL, src="bq://p.d.t", dest="gs://b/out/", media_uri="gs://b/media/")


def taken(connection: Any, items: list[Any], model: str = MODEL, **defaults: Any) -> PreparedInput:
    with read_input(
        connection, read_source(items), model=model, request_defaults=defaults or None
    ) as prepared:
        return prepared


def test_answers_that_may_be_many_bytes_are_asked_for_by_a_file(gemini: Emulator) -> None:
    many = [f"prompt {number}" for number in range(100)]
    with client() as connection:
        assert taken(connection, many[:50]).entries, "50 answers of 65,536 tokens fit"
        assert not taken(connection, many).entries
        assert taken(connection, many, max_output_tokens=1000).entries
        assert not taken(connection, many[:1], model=PICTURES).entries
        assert not taken(connection, many * 4, model="gemini-embedding-001").entries
        assert taken(connection, many, model="gemini-embedding-001").entries
        inline, file = taken(connection, many, max_output_tokens=1000), taken(connection, many)
    assert (inline.key_sum, inline.requests, inline.stamps) == (file.key_sum, file.requests, file.stamps)


def test_metadata_keeps_texts_inline_and_too_many_pictures_are_refused(gemini: Emulator) -> None:
    texts = [{"contents": "x", "metadata": {"shelf": str(number)}} for number in range(100)]
    with client() as connection:
        assert taken(connection, texts).entries
        assert taken(connection, texts[:8], model=PICTURES).entries
        with pytest.raises(UnsupportedError, match=r"9 inline requests ask for pictures or sound.*503"):
            taken(connection, texts[:9], model=PICTURES)
        with pytest.raises(UnsupportedError, match="9 inline requests"):
            job_spec(connection.config, PICTURES, ["x"] * 9)
        assert len(job_spec(connection.config, PICTURES, ["x"] * 8).entries) == 8


@pytest.mark.parametrize(
    ("results_uri", "src", "media_uri"),
    [
        ("/out/rows.jsonl", None, "/out/rows.jsonl"),
        ("gs://b/rows.jsonl", None, "gcs://b/rows.jsonl/media/"),
        (None, {"gcs_uri": ("gs://b/in/*",)}, "gs://b/in/"),
        (None, {"gcs_uri": ("gs://b/in/",)}, "gs://b/in/media"),
        (None, {"path": "/data/in.jsonl"}, "/data/in.jsonl/"),
    ],
)
def test_media_among_rows_or_requests_are_refused(results_uri: str | None, src: Any, media_uri: str) -> None:
    source = None if src is None else BatchSource(**src)
    with pytest.raises(GenAIBatchError, match="Give media_uri a folder of its own"):
        refuse_media_overlap(source, results_uri, media_uri)


@pytest.mark.parametrize(
    ("results_uri", "src", "media_uri"),
    [
        ("/out/rows.jsonl", {"path": "/out/in.jsonl"}, "/out/"),
        ("gs://b/rows.jsonl", {"gcs_uri": ("gs://b/in/*.jsonl",)}, "gs://b/in/"),
        (None, None, "gs://b/"),
    ],
)
def test_media_beside_them_are_taken(results_uri: str | None, src: Any, media_uri: str) -> None:
    refuse_media_overlap(None if src is None else BatchSource(**src), results_uri, media_uri)
