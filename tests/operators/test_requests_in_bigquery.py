"""Requests in BigQuery: the first of them are read before the job is created."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any
from uuid import uuid4

import pytest

from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.task.inputs.read import read_input
from airflow_provider_genai_batch.wire.parameters.sources import read_source
from tests.operators.scenes import MODEL, client

TURN = {"role": "user", "parts": [{"text": "hi"}]}
GOOD = {"contents": [TURN], "generationConfig": {"temperature": 0.5}}
LOGGER = "airflow_provider_genai_batch.task.inputs.bigquery_sample"


def table(vertex: Emulator, *requests: Any, column: str = "request") -> str:
    if vertex.bigquery is None:
        pytest.skip("the extra emulator-bigquery is not installed")
    name = f"{vertex.bigquery.project}.tests.t{uuid4().hex}"
    rows = [{"id": str(number), column: request} for number, request in enumerate(requests)]
    vertex.bigquery.create_and_insert(name, [("id", "STRING"), (column, "STRING")], rows)
    return f"bq://{name}"


def read(src: str) -> None:
    with client() as service, read_input(service, read_source(src), model=MODEL) as prepared:
        assert prepared.content == src


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (json.dumps({**GOOD, "temperature": 1}), "temperature stands beside contents"),
        (json.dumps({"contents": [{"role": "user", "content": "hi"}]}), "unknown field 'content'"),
        (json.dumps({**GOOD, "generationConfig": {"temperature": "hot"}}), "temperature is not a number"),
        ("{oops", "not JSON"),
        (None, "request is null"),
    ],
)
def test_a_bad_request_in_a_table_is_refused(vertex: Emulator, bad: str | None, said: str) -> None:
    src = table(vertex, json.dumps(GOOD), bad)
    with pytest.raises(RequestError, match=said) as caught:
        read(src)
    assert caught.value.where.endswith(f"of those that BigQuery lists first in {src}")
    assert caught.value.remedy
    assert vertex.jobs == []


def test_good_requests_are_taken_and_what_was_not_read_is_said(
    vertex: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, LOGGER):
        read(table(vertex, *[json.dumps(GOOD)] * 103))
    assert "The first 100 requests in bq://" in caplog.text
    assert "the others were not checked" in caplog.text


def test_a_request_that_would_be_written_anew_is_told_of(
    vertex: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    read(table(vertex, json.dumps({**GOOD, "systemInstruction": ["Be brief."]})))
    assert "is not in the format that the service expects" in caplog.text


@pytest.mark.parametrize("trouble", ["no extra", "no column", "no table"])
def test_a_table_that_cannot_be_read_is_taken_and_that_is_said(
    vertex: Emulator, trouble: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    src = table(vertex, json.dumps(GOOD), column="question" if trouble == "no column" else "request")
    if trouble == "no extra":
        monkeypatch.setitem(sys.modules, "google.cloud.bigquery", None)
    read(f"{src}_gone" if trouble == "no table" else src)
    assert "could not be checked before submitting them" in caplog.text
