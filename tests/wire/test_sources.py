from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.exceptions import InputError, UnsupportedError
from airflow_provider_genai_batch.models import BatchRequest, BatchSource
from airflow_provider_genai_batch.wire.parameters.sources import read_rows, read_source


class DataFrame:
    def __iter__(self) -> Iterator[str]:
        return iter(["column"])


ASK = BatchRequest(contents="a")


@pytest.mark.parametrize(
    ("src", "fields"),
    [
        ("gs://b/in.jsonl", {"gcs_uri": ("gs://b/in.jsonl",)}),
        (["gs://b/1.jsonl", "gs://b/2.jsonl"], {"gcs_uri": ("gs://b/1.jsonl", "gs://b/2.jsonl")}),
        ({"gcs_uri": "gs://b/1.jsonl"}, {"gcs_uri": ("gs://b/1.jsonl",)}),
        ({"gcsUri": ["gs://b/1.jsonl"], "format": "jsonl"}, {"gcs_uri": ("gs://b/1.jsonl",)}),
        ("bq://p.d.t", {"bigquery_uri": "bq://p.d.t"}),
        ({"bigquery_uri": "bq://p.d.t", "format": "bigquery"}, {"bigquery_uri": "bq://p.d.t"}),
        ("files/abc-1", {"file_name": "files/abc-1"}),
        ("https://generativelanguage.googleapis.com/v1beta/files/abc", {"file_name": "files/abc"}),
        ("http://127.0.0.1:8765/v1beta/files/abc:download?alt=media", {"file_name": "files/abc"}),
        ({"file_name": "files/abc"}, {"file_name": "files/abc"}),
        ({"name": "files/abc", "uri": "https://h.example/x", "mimeType": "a/b"}, {"file_name": "files/abc"}),
        (["a", ASK], {"inlined_requests": ("a", ASK)}),
        (("a",), {"inlined_requests": ("a",)}),
        ({"inlined_requests": ["a"]}, {"inlined_requests": ("a",)}),
        (
            {"inlined_requests": {"contents": ["a", "b"], "config": None}},
            {"inlined_requests": ({"contents": "a"}, {"contents": "b"})},
        ),
        ("s3://b/in.jsonl", {"path": "s3://b/in.jsonl"}),
        ("s3://conn@b/in.jsonl", {"path": "s3://conn@b/in.jsonl"}),
        ("/data/in.jsonl", {"path": "/data/in.jsonl"}),
        ("~/in", {"path": "~/in"}),
        ("data/in.jsonl", {"path": "data/in.jsonl"}),
        ("files/in.jsonl", {"path": "files/in.jsonl"}),
        (Path("/data/in"), {"path": "/data/in"}),
        ({"path": "/data/in"}, {"path": "/data/in"}),
    ],
)
def test_every_spelling_of_a_source_is_read(src: Any, fields: dict[str, Any]) -> None:
    assert read_source(src) == BatchSource(**fields)


def test_a_generator_is_read_as_its_requests_are_asked_for() -> None:
    taken: list[str] = []

    def texts() -> Iterator[str]:
        for text in ("a", "b"):
            taken.append(text)
            yield text

    source = read_source(texts())
    assert taken == ["a"]
    assert source.requests is not None
    assert list(source.requests) == ["a", "b"]


def test_a_generator_may_give_addresses() -> None:
    addresses = ("gs://b/1.jsonl", "gs://b/2.jsonl")
    assert read_source(iter(addresses)) == BatchSource(gcs_uri=addresses)


def test_a_generator_that_mixes_requests_and_addresses_is_refused() -> None:
    source = read_source(iter(["a", "gs://b/1.jsonl"]))
    assert source.requests is not None
    with pytest.raises(InputError, match="src mixes addresses"):
        list(source.requests)


@pytest.mark.parametrize("src", ["in.csv", "/data/in.csv.gz", "gs://b/in.parquet", ["gs://b/1.csv"]])
def test_a_table_without_a_prompt_is_refused(src: Any) -> None:
    with pytest.raises(InputError, match="is a table, not requests: give prompt"):
        read_source(src)


@pytest.mark.parametrize(
    ("src", "fields"),
    [
        ("in.csv", {"path": "in.csv"}),
        ("gs://b/in.CSV.gz", {"path": "gs://b/in.CSV.gz"}),
        (["gs://b/in.jsonl.gz"], {"path": "gs://b/in.jsonl.gz"}),
        (Path("/data/in.parquet"), {"path": "/data/in.parquet"}),
        ("s3://b/in.ndjson", {"path": "s3://b/in.ndjson"}),
        ([{"text": "a"}], {"inlined_requests": ({"text": "a"},)}),
        ("bq://p.d.t", {"bigquery_uri": "bq://p.d.t"}),
    ],
)
def test_rows_for_a_prompt_come_from_one_table(src: Any, fields: dict[str, Any]) -> None:
    assert read_rows(src) == BatchSource(**fields)


@pytest.mark.parametrize(
    ("src", "said"),
    [
        ("files/abc", "the rows of files/abc are not read here"),
        (["gs://b/1.csv", "gs://b/2.csv"], "with prompt src is one file, not 2"),
        ("gs://b/*.csv", r"src gs://b/\*.csv does not name a table"),
        (
            "/data/in.xlsx",
            "does not name a table: with prompt give a table in BigQuery, an SqlSource, a list of dicts",
        ),
        ("/data/in.parquet.gz", "does not name a table"),
        ("/data/in", "does not name a table"),
        ([], "src is empty"),
    ],
)
def test_what_has_no_rows_for_a_prompt_is_refused(src: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_rows(src)


def test_a_source_that_was_read_stays() -> None:
    source = BatchSource(path="/x")
    assert read_source(source) is source


@pytest.mark.parametrize(
    ("src", "said"),
    [
        ([], "src is empty"),
        ((), "src is empty"),
        (iter(()), "src is empty"),
        ("", "src '' is not a source: give gs://"),
        ("Say hello", "A prompt goes into a list"),
        ("http://h.example/in.jsonl", "has the scheme http://, which is not supported: give gs://"),
        ("gs://b", "gs://b does not name an object"),
        (["gs://b"], "gs://b does not name an object"),
        ("bq://p.d", "does not name a table: write bq://project.dataset.table"),
        (["gs://b/o", "a prompt"], "mixes Cloud Storage addresses (gs://b/o) and requests"),
        (["bq://p.d.t"], "give that one as a string"),
        (["files/abc"], "give that one as a string"),
        (5, "src cannot be of type int"),
        (None, "src cannot be of type NoneType"),
        (b"gs://b/o", "src cannot be of type bytes"),
        ({"a", "b"}, "src is a set, whose order changes"),
        (DataFrame(), "src is a DataFrame: give a list"),
        ({}, "src is one place, not 0"),
        ({"gcs_uri": ["gs://b/o"], "file_name": "files/a"}, "src is one place, not 2: fileName, gcsUri"),
        ({"contents": "a"}, "One request goes into a list"),
        ({"gcs_uri": []}, "src has 0 gcsUri: give one"),
        ({"gcs_uri": "bq://p.d.t"}, "which is not one"),
        ({"file_name": "in.jsonl"}, "which is not one"),
        ({"bigquery_uri": ["bq://p.d.t", "bq://p.d.u"]}, "src has 2 bigqueryUri: give one"),
        ({"inlined_requests": []}, "inlined_requests is empty"),
        ({"inlined_requests": "a"}, "inlined_requests is not a list"),
        (
            {"gcs_uri": ["gs://b/o"], "format": "bigquery"},
            "says format 'bigquery' of a gcsUri, which is jsonl",
        ),
    ],
)
def test_what_is_no_source_is_refused_with_a_remedy(src: Any, said: str) -> None:
    with pytest.raises(InputError) as caught:
        read_source(src)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "src", ["projects/p/locations/l/datasets/d", {"vertex_dataset_name": "projects/p/locations/l/datasets/d"}]
)
def test_a_multimodal_dataset_is_not_supported(src: Any) -> None:
    with pytest.raises(UnsupportedError, match="give its BigQuery table"):
        read_source(src)
