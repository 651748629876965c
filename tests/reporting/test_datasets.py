"""Datasets are called what OpenLineage's conventions and Airflow's own providers call them."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.io.assets.file import convert_asset_to_openlineage as of_file
from airflow.providers.google.assets.bigquery import convert_asset_to_openlineage as of_bigquery
from airflow.providers.google.assets.gcs import convert_asset_to_openlineage as of_gcs
from airflow.providers.google.cloud.openlineage.utils import extract_ds_name_from_gcs_path
from airflow.sdk import Asset

from airflow_provider_genai_batch.reporting.datasets import Place, destination_of, named, place_of, sources_of


@pytest.mark.parametrize(
    ("address", "namespace", "name"),
    [
        ("gs://bucket/folder/in.jsonl", "gs://bucket", "folder/in.jsonl"),
        ("gs://bucket/what?#.jsonl", "gs://bucket", "what?#.jsonl"),
        ("gs://bucket/prefix/", "gs://bucket", "prefix"),
        ("gs://bucket", "gs://bucket", "/"),
        ("gs://bucket/in/*.jsonl", "gs://bucket", "in"),
        ("gs://bucket/*.jsonl", "gs://bucket", "/"),
        ("gs://my_conn@bucket/in.jsonl", "gs://bucket", "in.jsonl"),
        ("bq://project.dataset.table", "bigquery", "project.dataset.table"),
        ("files/abc-123", "gemini", "files/abc-123"),
        ("s3://my_aws@bucket/rows.parquet", "s3://bucket", "rows.parquet"),
        ("s3a://bucket/rows.parquet", "s3://bucket", "rows.parquet"),
        (
            "abfs://box@account.dfs.core.windows.net/a.jsonl",
            "abfss://box@account.dfs.core.windows.net",
            "a.jsonl",
        ),
        ("abfs://my_azure@box/a.jsonl", "abfs://box", "a.jsonl"),
        ("hdfs://node:8020/a.jsonl", "hdfs://node:8020", "a.jsonl"),
        ("/data/in.jsonl", "file", "/data/in.jsonl"),
        ("file:///data/in.jsonl", "file", "/data/in.jsonl"),
    ],
)
def test_a_place_has_the_name_that_openlineage_gives_it(address: str, namespace: str, name: str) -> None:
    assert place_of(address) == Place(namespace, name)


@pytest.mark.parametrize("address", [None, "", "inline", "bq://project", "bq://project.dataset"])
def test_what_is_no_dataset_yet_has_no_name(address: str | None) -> None:
    assert place_of(address) is None


@pytest.mark.parametrize(
    "address",
    [
        "https://account.blob.core.windows.net/box/in.jsonl?sig=hush",
        "wasbs://box:hush@account.blob.core.windows.net/in.jsonl",
        "sftp://me:hush@host/in.jsonl",
        "abfs://box/in.jsonl?sig=hush#hush",
    ],
)
def test_no_password_and_no_signature_is_in_a_name(address: str) -> None:
    place = place_of(address)
    assert place is not None
    assert "hush" not in "".join(place)
    assert place.name.endswith("in.jsonl")


@pytest.mark.parametrize(
    ("ours", "uri", "theirs"),
    [
        ("gs://bucket/a/b.jsonl", "gs://bucket/a/b.jsonl", of_gcs),
        ("bq://p.d.t", "bigquery://p/d/t", of_bigquery),
        ("/data/in.jsonl", "file:///data/in.jsonl", of_file),
    ],
)
def test_it_is_the_dataset_that_airflows_own_providers_tell_of(ours: str, uri: str, theirs: Any) -> None:
    dataset = theirs(Asset(uri), None)
    assert place_of(ours) == Place(dataset.namespace, dataset.name)


@pytest.mark.parametrize("path", ["in/*.jsonl", "in/", "in/a.jsonl", ""])
def test_an_object_has_the_name_that_the_google_provider_gives_it(path: str) -> None:
    place = place_of(f"gs://bucket/{path}")
    assert place is not None
    assert place.name == extract_ds_name_from_gcs_path(path)


@pytest.mark.parametrize(
    ("src", "prompt", "names"),
    [
        (["gs://b/1.jsonl", "gs://b/2.jsonl", "gs://b/1.jsonl"], None, ["1.jsonl", "2.jsonl"]),
        ({"bigquery_uri": "bq://p.d.t", "format": "bigquery"}, None, ["p.d.t"]),
        ("/data/texts.csv", "Say {text}", ["/data/texts.csv"]),
        ("files/abc", None, ["files/abc"]),
        (["A prompt.", "gs://b/1.jsonl is a prompt too"], None, []),
        ([{"text": "a"}], "Say {text}", []),
        (None, None, []),
        ({"nothing": "of these"}, None, []),
    ],
)
def test_each_source_is_a_dataset_and_requests_are_none(src: Any, prompt: Any, names: list[str]) -> None:
    assert [place.name for place in sources_of(src, prompt)] == names


def test_requests_that_can_be_read_once_are_not_read() -> None:
    requests = iter(["first", "second"])
    assert sources_of(requests) == []
    assert next(requests) == "first"


def test_a_destination_may_be_in_the_config_and_one_that_cannot_be_read_is_none() -> None:
    assert destination_of(None, {"dest": "gs://b/out/"}) == destination_of("gs://b/out/")
    assert destination_of("nowhere") is None


def test_a_place_that_is_named_twice_is_one() -> None:
    assert named(["gs://b/a", None, "gs://b/a/", "inline"]) == [Place("gs://b", "a")]
