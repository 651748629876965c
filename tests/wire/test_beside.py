from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.results.read import RowReader
from airflow_provider_genai_batch.wire.answers.answer import Reading
from airflow_provider_genai_batch.wire.answers.results import read_fields

ANSWER = {
    "candidates": [{"content": {"parts": [{"text": "good"}], "role": "model"}, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 8, "candidatesTokenCount": 1, "totalTokenCount": 9},
    "modelVersion": "gemini-2.5-flash",
}
OURS = {
    "key": "r00000000",
    "request": {"contents": []},
    "status": "",
    "response": ANSWER,
    "processed_time": "t",
}


@pytest.mark.parametrize(
    ("beside", "key"),
    [
        ({"custom_id": "doc-1"}, "doc-1"),
        ({"custom_id": 7}, "7"),
        ({"customId": "doc-1"}, "doc-1"),
        ({"metadata": {"custom_id": "doc-1"}}, "doc-1"),
        ({"metadata": {"key": "a", "custom_id": "b"}}, "a"),
        ({"request": {"labels": {"team": "x", "gateway_custom_id": "doc-1"}}}, "doc-1"),
        ({"request": {"labels": {"key": "doc-1"}}}, "doc-1"),
        ({"request": {"labels": {"team": "x"}}}, None),
        ({"key": "a", "custom_id": "b"}, "a"),
    ],
)
def test_the_key_of_a_row_of_others_is_where_they_put_it(beside: dict[str, Any], key: str | None) -> None:
    line = {"request": {"contents": []}, "status": "", "response": ANSWER, "processed_time": "t", **beside}
    assert read_fields(line, Backend.VERTEX)["key"] == key


def test_on_gemini_only_the_key_is_one() -> None:
    assert read_fields({"custom_id": "a", "response": ANSWER}, Backend.GEMINI)["key"] is None


@pytest.mark.parametrize("keep_response", [False, True])
@pytest.mark.parametrize("failed", [False, True])
def test_a_row_has_what_stood_beside_its_request(keep_response: bool, failed: bool) -> None:
    beside = {
        "custom_id": "doc-1",
        "url": "https://shop.example/p/1",
        "prompt": "v3",
        "metadata": {"a": 1},
        "x": None,
    }
    line = {**OURS, **beside, **({"status": "Bad Request", "response": {}} if failed else {})}
    (row,) = RowReader(Backend.VERTEX, Reading(keep_response=keep_response)).feed(
        json.dumps(line).encode() + b"\n"
    )
    assert row["key"] == "r00000000"
    assert row["input"] == {name: value for name, value in beside.items() if value is not None}


def test_a_row_of_a_plain_request_has_no_input() -> None:
    assert "input" not in read_fields(OURS, Backend.VERTEX)
