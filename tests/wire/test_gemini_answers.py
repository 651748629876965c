"""Answers of Google's models that are more than one text."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_genai_batch.models import ResultRow
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.answers.answer import Reading, store_media
from airflow_provider_genai_batch.wire.answers.gemini import FINISH
from airflow_provider_genai_batch.wire.answers.results import read_fields

PLAIN = ["key", "index", "status", "text", "output", "error", "finish_reason", "usage", "model_version"]


def candidate(*parts: dict[str, Any], reason: Any = "STOP", **more: Any) -> dict[str, Any]:
    return {"content": {"role": "model", "parts": [*parts]}, "finishReason": reason, **more}


def read(*candidates: dict[str, Any], reading: Reading | None = None, **response: Any) -> dict[str, Any]:
    line = {"key": "a", "response": {"candidates": [*candidates], **response}}
    row = read_fields(line, Backend.GEMINI, reading)
    if not (reading and reading.keep_media):
        ResultRow.model_validate(row)
    return row


def test_a_plain_answer_has_the_fields_that_it_always_had() -> None:
    assert list(read(candidate({"text": "Hello"}, index=0))) == PLAIN


def test_a_picture_of_a_thought_is_no_answer_and_is_counted() -> None:
    reading = Reading(keep_media=True)
    picture = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
    row = read(candidate({**picture, "thought": True}, {**picture}), reading=reading)
    assert [medium["part"] for medium in row["media"]] == [1]
    assert reading.dropped == {"thought.inlineData": 1}
    assert read(candidate({**picture, "thought": True}))["status"] == "invalid"


def test_a_blocked_first_candidate_does_not_hide_a_good_second_one() -> None:
    row = read(
        candidate({"text": "ha"}, reason="SAFETY", index=0), candidate({"text": "good"}, index=1, score=-0.1)
    )
    assert (row["status"], row["text"], row["finish_reason"]) == ("ok", "good", "STOP")
    assert row["candidates"] == [
        {"index": 0, "text": "ha", "finish_reason": "SAFETY"},
        {"index": 1, "text": "good", "finish_reason": "STOP"},
    ]


def test_a_whole_candidate_comes_before_one_that_was_cut_off() -> None:
    row = read(candidate({"text": "ha"}, reason="MAX_TOKENS"), candidate({"text": "whole"}))
    assert (row["text"], [one["index"] for one in row["candidates"]]) == ("whole", [0, 1])


def test_a_call_keeps_its_signature() -> None:
    call = {"name": "f", "args": {"someKey": 1}}
    row = read(candidate({"functionCall": call, "thoughtSignature": "c2ln"}))
    assert row["output"] == [call]
    assert row["parts"] == [{"candidate": 0, "part": 0, "function_call": call, "thought_signature": "c2ln"}]


def test_parts_have_the_order_of_the_answer() -> None:
    row = read(
        candidate(
            {"text": "hm", "thought": True},
            {"text": "Let us see. "},
            {"executableCode": {"language": "PYTHON", "code": "print(1)"}},
            {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
            {"text": "One."},
        )
    )
    assert (row["status"], row["text"]) == ("ok", "Let us see. One.")
    assert row["parts"] == [
        {"candidate": 0, "part": 0, "text": "hm", "thought": True},
        {"candidate": 0, "part": 1, "text": "Let us see. "},
        {"candidate": 0, "part": 2, "executable_code": {"language": "PYTHON", "code": "print(1)"}},
        {"candidate": 0, "part": 3, "code_execution_result": {"outcome": "OUTCOME_OK", "output": "1"}},
        {"candidate": 0, "part": 4, "text": "One."},
    ]


def test_the_text_of_a_signed_part_stands_once() -> None:
    row = read(candidate({"text": "Hello", "thoughtSignature": "c2ln"}))
    assert row["parts"] == [{"candidate": 0, "part": 0, "thought_signature": "c2ln"}]


@pytest.mark.parametrize(
    "part",
    [
        {"executableCode": {"code": "1"}},
        {"toolCall": {"toolType": "SEARCH"}},
        {"audioTranscription": {"text": "hi"}},
        {"fileData": {"fileUri": "gs://b/a.png", "mimeType": "image/png"}},
    ],
)
def test_what_is_no_text_is_an_answer_too(part: dict[str, Any]) -> None:
    row = read(candidate(part))
    assert (row["status"], len(row["parts"])) == ("ok", 1)


@pytest.mark.parametrize("data", [{}, {"data": ""}, {"data": None}])
def test_a_picture_without_bytes_is_no_answer(data: dict[str, Any]) -> None:
    row = read(candidate({"inlineData": {"mimeType": "image/png", **data}}))
    assert (row["status"], row["error"]["status"]) == ("invalid", "STOP")


def test_pictures_are_counted_where_nobody_takes_them() -> None:
    reading = Reading()
    row = read(candidate({"inlineData": {"mimeType": "image/png", "data": "AAAA"}}), reading=reading)
    assert (row["status"], "media" in row) == ("ok", False)
    assert reading.dropped == {"inlineData": 1}


def test_pictures_go_to_whoever_stores_them_with_their_place() -> None:
    stored: list[Any] = []

    def store(*picture: Any) -> dict[str, Any]:
        stored.append(picture)
        return {"bytes": 3, "sha256": "00", "uri": "gs://b/a-0-1.png"}

    picture = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
    reading = Reading(keep_media=True)
    row = read(candidate({"text": "Here: "}, picture), reading=reading)
    store_media(row, store)
    assert stored == [("a", 0, 1, "image/png", "AAAA")]
    assert row["media"] == [
        {
            "candidate": 0,
            "part": 1,
            "mime_type": "image/png",
            "bytes": 3,
            "sha256": "00",
            "uri": "gs://b/a-0-1.png",
        }
    ]
    ResultRow.model_validate(row)
    assert not reading.dropped


@pytest.mark.parametrize("name", ["citations", "citationSources"])
def test_both_services_citations_are_one(name: str) -> None:
    cited = {"startIndex": 1, "endIndex": "9", "uri": "https://a", "publicationDate": {"year": 2020}}
    row = read(candidate({"text": "x"}, citationMetadata={name: [cited]}))
    assert row["citations"] == [
        {"start_index": 1, "end_index": 9, "uri": "https://a", "publication_date": {"year": 2020}}
    ]


def test_sources_and_addresses_are_grounding() -> None:
    row = read(
        candidate(
            {"text": "x"},
            groundingMetadata={
                "webSearchQueries": ["q"],
                "groundingChunks": [{"web": {"uri": "u", "title": "t"}}],
                "new": 1,
            },
            urlContextMetadata={"urlMetadata": [{"retrievedUrl": "u"}]},
        ),
        reading=(reading := Reading()),
    )
    assert row["grounding"] == {
        "web_search_queries": ["q"],
        "grounding_chunks": [{"web": {"uri": "u", "title": "t"}}],
        "url_metadata": [{"retrieved_url": "u"}],
    }
    assert reading.dropped == {"groundingMetadata.new": 1}


def test_tokens_of_tools_are_told_apart() -> None:
    row = read(
        candidate({"text": "x"}),
        usageMetadata={"promptTokenCount": 1, "toolUsePromptTokenCount": 5, "totalTokenCount": 6},
    )
    assert row["usage"]["tool_use"] == 5


def test_what_lands_nowhere_is_counted_by_kind() -> None:
    reading = Reading()
    read(
        candidate({"text": "x"}, safetyRatings=[{"category": "C"}], avgLogprobs=-0.1, tokenCount=None),
        reading=reading,
        responseId="r",
        new_member={"a": 1},
        usageMetadata={"totalTokenCount": 1, "trafficType": "ON_DEMAND"},
    )
    assert reading.dropped == {
        "safetyRatings": 1,
        "avgLogprobs": 1,
        "responseId": 1,
        "newMember": 1,
        "usageMetadata.trafficType": 1,
    }


@pytest.mark.parametrize("reason", [*FINISH, "A_NEW_ONE", 1, 3, None])
def test_only_reasons_that_mean_a_whole_answer_are_ok(reason: Any) -> None:
    row = read(candidate({"text": "half"}, reason=reason))
    good = reason in ("STOP", "MAX_TOKENS", None)
    assert (row["status"], row["text"]) == ("ok" if good else "invalid", "half")
    if not good:
        assert row["error"]["status"] == str(reason)
        assert str(reason) in row["error"]["message"]


def test_an_answer_that_was_cut_off_is_good_only_where_that_is_wanted() -> None:
    row = read(candidate({"text": "ha"}, reason="MAX_TOKENS"), reading=Reading(cut_off_is_good=False))
    assert (row["status"], row["error"]["status"]) == ("invalid", "MAX_TOKENS")
    assert "cut off" in row["error"]["message"]
