"""Which files rows can be landed as."""

from __future__ import annotations

import sys

import pytest

from airflow_provider_genai_batch.exceptions import InputError, UnsupportedError
from airflow_provider_genai_batch.results.sinks import check_results_uri, form_of


@pytest.mark.parametrize(
    ("uri", "form"),
    [("gs://b/rows.jsonl", "jsonl"), ("/tmp/rows.jsonl.gz", "jsonl.gz"), ("s3://b/rows.parquet", "parquet")],
)
def test_endings_that_say_the_format_are_taken(uri: str, form: str) -> None:
    check_results_uri(uri)
    assert form_of(uri) == form


@pytest.mark.parametrize("uri", ["gs://b/rows/", "rows.csv", "jsonl"])
def test_other_endings_are_refused_before_anything_is_paid(uri: str) -> None:
    with pytest.raises(InputError, match=r"ends in \.jsonl, \.jsonl\.gz or \.parquet"):
        check_results_uri(uri)


def test_parquet_without_its_extra_is_refused_and_the_extra_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UnsupportedError, match=r"Install airflow-provider-genai-batch\[parquet\]"):
        check_results_uri("rows.parquet")


def test_a_table_without_googles_client_is_refused_and_the_extra_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "google.cloud", None)
    monkeypatch.delitem(sys.modules, "google.cloud.bigquery", raising=False)
    with pytest.raises(UnsupportedError, match=r"Install airflow-provider-genai-batch\[bigquery\]"):
        check_results_uri("bq://p.d.t")
