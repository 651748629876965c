"""The straight way to a row and the long way are one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import encode as to_json
from msgspec.structs import asdict

from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.answers.answer import PlainRow, Reading
from airflow_provider_genai_batch.wire.answers.fast_results import UsualReader
from airflow_provider_genai_batch.wire.answers.results import read_fields
from airflow_provider_genai_batch.wire.answers.usual_rows import UsualRows
from airflow_provider_genai_batch.wire.keys import stamped_index, stamped_indices
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


def _straight(backend: Backend, line: bytes, reading: Reading | None = None) -> PlainRow | None:
    """Return the row of a usual line."""
    (found,) = UsualReader(backend, reading or Reading()).read(line + b"\n")
    if isinstance(found, bytes):
        assert found == line
        return None
    (row,) = found.plain()
    return row


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
    row = _straight(backend, json.dumps(line).encode())
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
    assert _straight(backend, line) is None


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
    backend: Backend, more: dict[str, dict[str, Any]], alone: bool
) -> None:
    (candidate,) = _candidate({"text": "Hello", **more["part"]})
    line = _line(
        backend,
        candidates=[{**candidate, **more["candidate"]}],
        usageMetadata={**dict.fromkeys(NAMES, 3), **more["usage"]},
        **more["response"],
    )
    straight, long = Reading(), Reading()
    data = json.dumps(line).encode()
    if alone:
        row = _straight(backend, data, straight)
    else:  # an odd line has each of its neighbours read by itself
        rows = UsualReader(backend, straight).read(b"{}\n" + data + b"\n")[1:]
        row = rows[0].plain()[0] if isinstance(rows[0], UsualRows) else None
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
    assert _straight(backend, json.dumps({**_line(backend), **beside}).encode()) is None


def test_lines_in_the_form_that_live_services_wrote_go_the_straight_way() -> None:
    """Their members are those of captures of Vertex AI of December 2025 and May 2026; their values are made up."""
    block = "".join(f"{line}\n" for line in lines("dated_answers")).encode()
    reading = Reading()
    (found,) = UsualReader(Backend.VERTEX, reading).read(block)
    assert isinstance(found, UsualRows)
    rows = found.plain()
    assert [row["text"] for row in rows] == ["Como", "Garda"]
    assert rows[1]["parts"] == [{"candidate": 0, "part": 0, "thought_signature": "c2lnbmVk"}]
    assert reading.dropped["avgLogprobs"] == 2


def test_an_answer_that_was_cut_off_goes_the_long_way_only_where_it_is_not_wanted() -> None:
    line = json.dumps(_line(Backend.GEMINI, candidates=_candidate({"text": "He"}, "MAX_TOKENS"))).encode()
    assert _straight(Backend.GEMINI, line) == read_fields(json.loads(line), Backend.GEMINI)
    assert _straight(Backend.GEMINI, line, Reading(cut_off_is_good=False)) is None


def test_usual_lines_that_stand_together_are_read_together() -> None:
    odd = [b'{"key": "x", "error": {}}', b"", b"{}{}"]
    usual = [json.dumps(_line(Backend.GEMINI, key)).encode() for key in "abc"]
    block = b"".join(line + b"\n" for line in (*usual, *odd, usual[0]))
    found = UsualReader(Backend.GEMINI, Reading()).read(block)
    rows = [one.plain() if isinstance(one, UsualRows) else one for one in found]
    wanted = [read_fields(json.loads(line), Backend.GEMINI) for line in usual]
    assert rows == [wanted, *odd, wanted[:1]]


@given(st.lists(KEYS | st.from_regex(r"r[0-9]{7,9}(,r[0-9]{8})?", fullmatch=True), max_size=4))
def test_the_indices_of_many_keys_are_those_of_each(keys: list[str]) -> None:
    assert list(stamped_indices(keys)) == [stamped_index(key) for key in keys]


@given(BACKENDS, st.lists(COUNTS, min_size=1, max_size=4), st.sampled_from(["STOP", "MAX_TOKENS"]))
def test_sums_of_many_rows_are_those_of_each(
    backend: Backend, many: list[dict[str, int]], reason: str
) -> None:
    counts = [{**one, "totalTokenCount": one["totalTokenCount"] + 1} for one in many]
    lines = [
        json.dumps(_line(backend, usageMetadata=one, candidates=_candidate({"text": "a"}, reason)))
        for one in counts
    ]
    (found,) = UsualReader(backend, Reading()).read("".join(f"{line}\n" for line in lines).encode())
    assert isinstance(found, UsualRows)
    rows = found.plain()
    sums = {kind: sum(row["usage"][kind] for row in rows) for kind in rows[0]["usage"]}
    assert asdict(found.tokens) == sums
    assert found.longest == max(row["usage"]["input"] for row in rows)
    assert found.cut_off == sum(row["finish_reason"] == "MAX_TOKENS" for row in rows)
    assert json.loads(to_json(found.rows[0])) == rows[0]
