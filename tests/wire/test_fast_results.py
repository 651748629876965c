"""The straight way to a row and the long way are one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.answers.answer import Reading
from airflow_provider_genai_batch.wire.answers.fast_results import UsualRows
from airflow_provider_genai_batch.wire.answers.results import read_fields
from tests.requests.cases import lines

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
    row = UsualRows(backend, Reading()).one(json.dumps(line).encode())
    usual = bool(said and counts["totalTokenCount"] and reason in ("STOP", "MAX_TOKENS"))
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
        {"candidates": 2 * _candidate({"text": "Hello"})},
        {"candidates": _candidate({"text": "Hello", "inlineData": {"data": "AAAA"}})},
        {"candidates": [{**_candidate({"text": "Hello"})[0], "groundingMetadata": {}}]},
        {"candidates": [{**_candidate({"text": "Hello"})[0], "index": 1}]},
        {"candidates": _candidate({"text": "Hello"}, "OTHER")},
        {"aNewMember": 1},
        {"usageMetadata": {**dict.fromkeys(NAMES, 3), "toolUsePromptTokenCount": 2}},
        {"embedding": {"values": [1.0]}},
        {"usageMetadata": dict.fromkeys(NAMES, "3")},
        {"usageMetadata": {**dict.fromkeys(NAMES, 3), "cached_content_token_count": 2}},
        {"usageMetadata": {**dict.fromkeys(NAMES, 3), "thoughts_token_count": 2}},
        {"modelVersion": None},
    ],
)
def test_what_is_not_all_of_an_answer_goes_the_long_way(backend: Backend, response: dict[str, Any]) -> None:
    line = json.dumps(_line(backend, **response)).encode()
    assert UsualRows(backend, Reading()).one(line) is UsualRows(backend, Reading()).all(line) is None


SEEN = {
    "response": {"createTime": "2026-05-03T01:02:03Z", "responseId": "y"},
    "candidate": {"index": 0, "safetyRatings": [{"category": "C"}], "score": -0.5},
    "part": {"thoughtSignature": "c2ln"},
    "usage": {
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 3}],
        "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 3}],
        "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 1}],
        "trafficType": "ON_DEMAND",
        "serviceTier": "standard",
        "billablePromptUsage": {"textCount": 3},
        "cachedContentTokenCount": 1,
    },
}
"""Members of lines that live services wrote, by where they stand."""
NOTHING = st.none() | st.just("") | st.just([])
SOME = {
    where: st.fixed_dictionaries({}, optional={name: st.just(it) | NOTHING for name, it in members.items()})
    for where, members in SEEN.items()
}


@given(BACKENDS, st.fixed_dictionaries(SOME), st.booleans())
def test_both_ways_land_and_count_the_same_of_what_live_services_wrote(
    backend: Backend, more: dict[str, dict[str, Any]], drawn: bool
) -> None:
    (candidate,) = _candidate({"text": "Hello", **more["part"]})
    line = _line(
        backend,
        candidates=[{**candidate, **more["candidate"]}],
        usageMetadata={**dict.fromkeys(NAMES, 3), **more["usage"]},
        **more["response"],
    )
    straight, long = Reading(), Reading()
    usual = UsualRows(backend, straight)
    data = json.dumps(line).encode()
    row = usual.one(data) if drawn else (usual.all(data + b"\n") or [None])[0]
    wanted = read_fields(line, backend, long)
    if row is not None:
        assert (row, straight.dropped) == (wanted, long.dropped)
    whole = all(it == SEEN[where][name] for where, members in more.items() for name, it in members.items())
    assert row is not None or not whole


@pytest.mark.parametrize("backend", list(Backend))
@pytest.mark.parametrize(
    "beside", [{"error": None}, {"error": {"code": 3}}, {"predictions": []}, {"status": "No"}]
)
def test_what_says_more_than_a_response_goes_the_long_way(backend: Backend, beside: dict[str, Any]) -> None:
    assert UsualRows(backend, Reading()).one(json.dumps({**_line(backend), **beside}).encode()) is None


def test_lines_in_the_form_that_live_services_wrote_go_the_straight_way() -> None:
    """Their members are those of captures of Vertex AI of December 2025 and May 2026; their values are made up."""
    block = "".join(f"{line}\n" for line in lines("dated_answers")).encode()
    reading = Reading()
    rows = UsualRows(Backend.VERTEX, reading).all(block)
    assert rows is not None
    assert [row["text"] for row in rows] == ["Como", "Garda"]
    assert rows[1]["parts"] == [{"candidate": 0, "part": 0, "thought_signature": "c2lnbmVk"}]
    assert reading.dropped["avgLogprobs"] == 2


def test_an_answer_that_was_cut_off_goes_the_long_way_only_where_it_is_not_wanted() -> None:
    line = json.dumps(_line(Backend.GEMINI, candidates=_candidate({"text": "He"}, "MAX_TOKENS"))).encode()
    assert UsualRows(Backend.GEMINI, Reading()).one(line) == read_fields(json.loads(line), Backend.GEMINI)
    assert UsualRows(Backend.GEMINI, Reading(cut_off_is_good=False)).one(line) is None


def test_many_are_read_at_once_or_none() -> None:
    three = [_line(Backend.GEMINI, key) for key in "abc"]
    block = b"".join(json.dumps(line).encode() + b"\n" for line in three)
    usual = UsualRows(Backend.GEMINI, Reading())
    assert usual.all(block) == [read_fields(line, Backend.GEMINI) for line in three]
    assert usual.all(block + b'{"key": "d", "error": {}}\n') is None
