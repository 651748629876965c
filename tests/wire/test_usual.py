"""The straight way to a row and the long way are one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.results import read_fields
from airflow_provider_genai_batch.wire.usual import UsualRows

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
KEYS = TEXTS | st.sampled_from(["r00000007", "r7", "key=0042"])
NAMES = ["promptTokenCount", "candidatesTokenCount", "totalTokenCount"]
COUNTS = st.fixed_dictionaries(
    dict.fromkeys(NAMES, st.integers(0, 2**40)),
    optional=dict.fromkeys(["cachedContentTokenCount", "thoughtsTokenCount"], st.integers(0, 9)),
)
REASONS = st.sampled_from(["STOP", "STOP", "MAX_TOKENS", "SAFETY", "NEW"])
BACKENDS = st.sampled_from(list(Backend))


def _line(backend: Backend, key: str = "r00000007", **response: Any) -> dict[str, Any]:
    answer = {
        "candidates": [{"content": {"parts": [{"text": "Hello"}], "role": "model"}, "finishReason": "STOP"}],
        "usageMetadata": dict.fromkeys(NAMES, 3),
        "modelVersion": "gemini-2.5-flash",
        "responseId": "x",
    }
    beside = {"status": "", "processed_time": "…", "request": {}} if backend is Backend.VERTEX else {}
    return {**beside, "key": key, "response": {**answer, **response}}


def _candidate(part: dict[str, Any], reason: str = "STOP") -> list[dict[str, Any]]:
    return [{"content": {"parts": [part]}, "finishReason": reason, "avgLogprobs": -0.5}]


@given(BACKENDS, KEYS, TEXTS, REASONS, TEXTS, COUNTS)
def test_the_straight_way_and_the_long_way_are_one(
    backend: Backend, key: str, said: str, reason: str, version: str, counts: dict[str, int]
) -> None:
    line = _line(
        backend,
        key,
        candidates=_candidate({"text": said}, reason),
        usageMetadata=counts,
        modelVersion=version,
    )
    row = UsualRows(backend).one(json.dumps(line).encode())
    usual = bool(said and counts["totalTokenCount"] and reason == "STOP")
    assert row == (read_fields(line, backend) if usual else None)
    if row is not None:
        assert list(row) == list(read_fields(line, backend))


@pytest.mark.parametrize("backend", list(Backend))
@pytest.mark.parametrize(
    "response",
    [
        {"candidates": _candidate({"text": "Hello", "thought": True})},
        {"candidates": _candidate({"text": "Hello", "functionCall": {"name": "f"}})},
        {"candidates": _candidate({"text": "Hello", "function_call": {"name": "f"}})},
        {"candidates": [{"content": {"parts": [{"text": "a"}, {"text": "b"}]}, "finishReason": "STOP"}]},
        {"candidates": []},
        {"embedding": {"values": [1.0]}},
        {"usageMetadata": dict.fromkeys(NAMES, "3")},
        {"usageMetadata": {**dict.fromkeys(NAMES, 3), "cached_content_token_count": 2}},
        {"usageMetadata": {**dict.fromkeys(NAMES, 3), "thoughts_token_count": 2}},
        {"modelVersion": None},
    ],
)
def test_what_is_not_all_of_an_answer_goes_the_long_way(backend: Backend, response: dict[str, Any]) -> None:
    line = json.dumps(_line(backend, **response)).encode()
    assert UsualRows(backend).one(line) is UsualRows(backend).all(line) is None


@pytest.mark.parametrize("backend", list(Backend))
@pytest.mark.parametrize(
    "beside", [{"error": None}, {"error": {"code": 3}}, {"predictions": []}, {"status": "No"}]
)
def test_what_says_more_than_a_response_goes_the_long_way(backend: Backend, beside: dict[str, Any]) -> None:
    assert UsualRows(backend).one(json.dumps({**_line(backend), **beside}).encode()) is None


def test_many_are_read_at_once_or_none() -> None:
    lines = [_line(Backend.GEMINI, key) for key in "abc"]
    block = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    usual = UsualRows(Backend.GEMINI)
    assert usual.all(block) == [read_fields(line, Backend.GEMINI) for line in lines]
    assert usual.all(block + b'{"key": "d", "error": {}}\n') is None
