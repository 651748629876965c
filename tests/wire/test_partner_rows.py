"""Rows of Claude and open models: the forms that clients have read from live jobs, read as the same plain rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_genai_batch.models import ResultRow
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.family import Family
from airflow_provider_genai_batch.results.read import TOO_LONG, RowReader
from airflow_provider_genai_batch.wire.answers.answer import PlainRow, Reading
from airflow_provider_genai_batch.wire.answers.results import read_fields
from airflow_provider_genai_batch.wire.services.bigquery import count_rows

CLAUDE = {
    "id": "msg_vrtx_01",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-5",
    "content": [{"type": "text", "text": "Como"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 9,
        "output_tokens": 4,
        "cache_creation_input_tokens": 20,
        "cache_read_input_tokens": 100,
        "service_tier": "batch",
    },
}
CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_770_000_000,
    "model": "openai/gpt-oss-120b-maas",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Como", "reasoning_content": "A lake."},
            "finish_reason": "stop",
        }
    ],
    "usage": {
        "prompt_tokens": 30,
        "completion_tokens": 10,
        "total_tokens": 40,
        "prompt_tokens_details": {"cached_tokens": 16},
        "completion_tokens_details": {"reasoning_tokens": 6},
    },
}


def read(line: dict[str, Any], reading: Reading | None = None) -> PlainRow:
    """Read a line as it stands in a file; every row is one that `ResultRow` takes."""
    reader = RowReader(Backend.VERTEX, reading)
    (row,) = reader.feed(json.dumps(line).encode() + b"\n")
    ResultRow.model_validate(row)
    assert not reader.bad_count
    return row


def claude(**changes: Any) -> PlainRow:
    return read({"custom_id": "r00000003", "status": "", "response": {**CLAUDE, **changes}})


def chat(message: dict[str, Any], reason: str = "stop", **changes: Any) -> PlainRow:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason, **changes}
    return read({"id": "1", "custom_id": "a", "response": {**CHAT, "choices": [choice]}})


@pytest.mark.parametrize(
    "line",
    [
        {
            "custom_id": "r00000003",
            "processed_time": "x",
            "request": {"messages": []},
            "status": "",
            "response": CLAUDE,
        },
        {"custom_id": "r00000003", "request": "{}", "status": "", "response": json.dumps(CLAUDE)},
        {"custom_id": "r00000003", "response": CLAUDE},
        {
            "instance": {"requestId": "r00000003", "request": {"messages": []}},
            "status": "",
            "response": CLAUDE,
        },
        {"requestId": "r00000003", "status": {"code": 0}, "response": CLAUDE},
    ],
    ids=["a file", "a table", "bare", "a gateway's", "a status as object"],
)
def test_a_message_of_claude_is_a_row_with_all_of_its_input_counted(line: dict[str, Any]) -> None:
    assert read(line) == {
        "key": "r00000003",
        "index": 3,
        "status": "ok",
        "text": "Como",
        "output": None,
        "error": None,
        "finish_reason": "end_turn",
        "usage": {"input": 129, "output": 4, "cached": 100, "thoughts": 0, "total": 133},
        "model_version": "claude-sonnet-5",
    }


@pytest.mark.parametrize(
    "response",
    [
        CHAT,
        json.dumps(CHAT),
        {"status_code": 200, "body": CHAT},
        json.dumps({"status_code": 200, "body": CHAT}),
    ],
    ids=["an object", "JSON text", "an envelope", "an envelope as text"],
)
def test_a_chat_completion_is_a_row_with_its_reasoning_apart(response: Any) -> None:
    row = read({"id": "b1", "custom_id": "a", "response": response, "error": None})
    assert (row["key"], row["status"], row["text"], row["finish_reason"]) == ("a", "ok", "Como", "stop")
    assert row["usage"] == {"input": 30, "output": 4, "cached": 16, "thoughts": 6, "total": 40}
    assert row["parts"] == [{"candidate": 0, "part": 0, "text": "A lake.", "thought": True}]
    assert "input" not in row


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("end_turn", "ok"),
        ("stop_sequence", "ok"),
        ("max_tokens", "ok"),
        ("model_context_window_exceeded", "ok"),
        ("pause_turn", "invalid"),
        ("refusal", "invalid"),
        ("a_new_one", "invalid"),
    ],
)
def test_a_stop_reason_of_claude_decides_whether_its_text_is_an_answer(reason: str, status: str) -> None:
    row = claude(stop_reason=reason)
    assert (row["status"], row["finish_reason"], row["text"]) == (status, reason, "Como")
    cut = read(
        {"custom_id": "a", "response": {**CLAUDE, "stop_reason": reason}}, Reading(cut_off_is_good=False)
    )
    assert (cut["status"] == "ok") == (reason in ("end_turn", "stop_sequence"))


@pytest.mark.parametrize(
    ("reason", "status"),
    [("stop", "ok"), ("length", "ok"), ("content_filter", "invalid"), ("a_new_one", "invalid")],
)
def test_a_finish_reason_of_an_open_model_decides_the_same(reason: str, status: str) -> None:
    assert chat({"content": "Como"}, reason)["status"] == status


def test_a_refusal_says_why() -> None:
    row = claude(
        stop_reason="refusal",
        content=[],
        stop_details={"type": "refusal", "category": "bio", "explanation": "No."},
    )
    assert row["error"] == {"code": None, "status": "refusal", "message": "bio: No."}
    row = chat({"content": None, "refusal": "I cannot."})
    assert (row["status"], row["error"]["message"]) == ("invalid", "I cannot.")


def test_the_tool_that_claude_was_made_to_call_is_the_answers_text() -> None:
    tool = {"type": "tool_use", "id": "t", "name": "structured_answer", "input": {"name": "Como"}}
    assert claude(content=[tool], stop_reason="tool_use")["text"] == '{"name":"Como"}'
    tool = {**tool, "name": "structured_value", "input": {"value": [1, 2]}}
    row = claude(content=[tool], stop_reason="tool_use")
    assert (row["text"], row["output"], row["status"]) == ("[1,2]", None, "ok")


def test_calls_of_functions_are_output_in_the_same_words_for_all_families() -> None:
    call = {"id": "t1", "name": "depth", "args": {"lake": "Como"}}
    blocks = [
        {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "eA=="},
        {"type": "tool_use", "id": "t1", "name": "depth", "input": {"lake": "Como"}},
    ]
    row = claude(content=blocks, stop_reason="tool_use")
    assert (row["status"], row["output"]) == ("ok", [call])
    assert [part.get("function_call", part.get("thought_signature")) for part in row["parts"]] == [
        "c2ln",
        "eA==",
        call,
    ]
    asked = {"id": "t1", "type": "function", "function": {"name": "depth", "arguments": '{"lake":"Como"}'}}
    assert chat({"content": None, "tool_calls": [asked]}, "tool_calls")["output"] == [call]
    asked["function"]["arguments"] = "{half"  # type: ignore[index]
    assert chat({"content": None, "tool_calls": [asked]}, "tool_calls")["output"][0]["args"] == {
        "arguments": "{half"
    }


def test_tokens_of_thinking_are_apart_where_they_are_told() -> None:
    usage = {"input_tokens": 9, "output_tokens": 40, "output_tokens_details": {"thinking_tokens": 30}}
    told = claude(usage=usage)["usage"]
    assert (told["output"], told["thoughts"], told["total"]) == (10, 30, 49)


def test_several_choices_are_candidates_and_a_good_one_behind_a_blocked_one_is_the_answer() -> None:
    choices = [
        {"index": 0, "message": {"content": ""}, "finish_reason": "content_filter"},
        {"index": 1, "message": {"content": "Como"}, "finish_reason": "stop"},
    ]
    row = read({"custom_id": "a", "response": {**CHAT, "choices": choices}})
    assert (row["status"], row["text"]) == ("ok", "Como")
    assert [one["finish_reason"] for one in row["candidates"]] == ["content_filter", "stop"]


def test_choices_are_known_by_their_index_and_not_by_their_place() -> None:
    choices = [
        {"index": 1, "message": {"content": "Garda", "reasoning_content": "Hm."}, "finish_reason": "stop"},
        {"index": 0, "message": {"content": "Como", "reasoning_content": "Ah."}, "finish_reason": "stop"},
    ]
    row = read({"custom_id": "a", "response": {**CHAT, "choices": choices}})
    assert [(one["index"], one["text"]) for one in row["candidates"]] == [(1, "Garda"), (0, "Como")]
    assert [(part["candidate"], part["text"]) for part in row["parts"]] == [(1, "Hm."), (0, "Ah.")]
    for choice in choices:
        choice["index"] = 7  # tells nothing apart
    row = read({"custom_id": "a", "response": {**CHAT, "choices": choices}})
    assert [one["index"] for one in row["candidates"]] == [0, 1]


def test_citations_and_probabilities_are_in_the_row() -> None:
    cited = {"type": "char_location", "cited_text": "deep", "document_title": "Lakes", "start_char_index": 1}
    row = claude(content=[{"type": "text", "text": "Como", "citations": [cited]}])
    assert row["citations"] == [{"cited_text": "deep", "title": "Lakes", "start_index": 1}]
    token = {"token": "Como", "logprob": -0.5, "top_logprobs": [{"token": "Garda", "logprob": -2.0}]}
    row = chat({"content": "Como"}, logprobs={"content": [token]})
    assert row["logprobs"]["chosen_candidates"] == [{"token": "Como", "log_probability": -0.5}]
    assert row["logprobs"]["top_candidates"][0]["candidates"][0]["token"] == "Garda"


ERROR = {"type": "invalid_request_error", "message": "max_tokens: too large"}


@pytest.mark.parametrize(
    ("line", "code", "status"),
    [
        (
            {
                "status": 'Bad Request: {"error":{"code":400,"message":"max_tokens: too large"}}',
                "response": {},
            },
            400,
            "",
        ),
        (
            {"status": json.dumps({"type": "error", "error": ERROR}), "response": "{}"},
            None,
            "invalid_request_error",
        ),
        ({"status": json.dumps(ERROR)}, None, "invalid_request_error"),
        ({"status": {"error": ERROR}, "response": None}, None, "invalid_request_error"),
        ({"status": {"code": 3, "message": "max_tokens: too large"}}, 3, "INVALID_ARGUMENT"),
        ({"response": {"status_code": 400, "body": {"error": ERROR}}}, 400, "invalid_request_error"),
        ({"response": None, "error": json.dumps("max_tokens: too large").strip('"')}, None, ""),
        ({"response": "", "error": {"code": 400, "message": "max_tokens: too large"}}, 400, ""),
    ],
)
def test_a_refused_row_is_an_error_in_each_form_that_was_seen(
    line: dict[str, Any], code: Any, status: str
) -> None:
    row = read({"custom_id": "_key-0042", **line})
    assert (row["key"], row["status"]) == ("0042", "error")
    assert row["error"] == {"code": code, "status": status, "message": "max_tokens: too large"}
    assert "input" not in row


def test_a_row_without_answer_and_error_is_an_error() -> None:
    row = read({"custom_id": "a", "status": "", "response": {}})
    assert (row["status"], row["error"]["message"]) == (
        "error",
        "the service sent neither a response nor an error",
    )


def test_what_lands_nowhere_is_counted_unless_the_response_is_kept() -> None:
    reading = Reading()
    blocks = [{"type": "text", "text": "Como", "new": 1}, {"type": "hologram", "data": "x"}]
    line = {"custom_id": "a", "response": {**CLAUDE, "stop_sequence": ".", "content": blocks}}
    read(line, reading)
    assert dict(reading.dropped) == {
        "id": 1,
        "stopSequence": 1,
        "usage.serviceTier": 1,
        "content.text.new": 1,
        "content.hologram": 1,
    }
    kept = Reading(keep_response=True)
    assert read(line, kept)["response"] == line["response"]
    assert not kept.dropped


def test_what_else_came_back_beside_a_request_is_the_rows_input() -> None:
    assert read({"custom_id": "a", "order": 7, "method": "POST", "body": {}, "response": CHAT})["input"] == {
        "order": 7
    }
    gemini = {"custom_id": "a", "request": {"contents": []}, "response": {"candidates": []}}
    assert read_fields(gemini, Backend.VERTEX)["input"] == {"custom_id": "a"}


ODD = [None, 0, -1.5, True, "", "x", [], {}, [None], [5], {"a": 1}, "{}", 1 << 70]
CITED = {"type": "char_location", "cited_text": "deep", "document_title": "Lakes", "start_char_index": 1}
RICH = {
    **CLAUDE,
    "stop_details": {"category": "bio"},
    "content": [
        {"type": "text", "text": "Como", "citations": [CITED]},
        {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
        {"type": "tool_use", "id": "t", "name": "depth", "input": {"lake": "Como"}},
        {"type": "tool_use", "id": "t", "name": "structured_value", "input": {"value": 1}},
        {"type": "web_search_tool_result", "tool_use_id": "t", "content": []},
    ],
}
TOKEN = {"token": "Como", "logprob": -0.5, "top_logprobs": [{"token": "Garda", "logprob": -2.0}]}
CALLED = {"content": "Como", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]}
TALKATIVE = {**CHAT, "choices": [{"index": 0, "message": CALLED, "logprobs": {"content": [TOKEN]}}] * 2}


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Give the way to every value inside another one."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in inside:
        yield (*way, name)
        yield from places(inner, (*way, name))


@pytest.mark.parametrize(
    "line",
    [
        {"custom_id": "a", "status": "", "request": {"messages": []}, "response": RICH},
        {"custom_id": "a", "id": "1", "body": {}, "response": TALKATIVE, "error": None},
        {"custom_id": "a", "status": json.dumps({"error": ERROR}), "response": {}},
        {"custom_id": "a", "response": {"status_code": 400, "body": {"error": ERROR}}},
    ],
    ids=["Claude's", "an open model's", "a refusal", "a refusal in an envelope"],
)
def test_whatever_stands_in_a_row_it_is_a_row(line: dict[str, Any]) -> None:
    for way in places(line):
        for odd in ODD:
            changed = json.loads(json.dumps(line))
            holder = changed
            for name in way[:-1]:
                holder = holder[name]
            holder[way[-1]] = odd
            read(changed)


def test_of_a_line_that_is_too_long_the_key_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_genai_batch.wire.lines.line_reader.MAX_LINE_BYTES", 100)
    line = b'{"custom_id": "r00000003", "response": "' + b"x" * 200
    reader = RowReader(Backend.VERTEX)
    assert not reader.feed(line)
    (row,) = reader.feed(b'"}\n')
    assert (row["key"], row["error"]["status"]) == ("r00000003", TOO_LONG)


def test_tables_are_counted_by_the_columns_that_each_family_has() -> None:
    claude_query, chat_query, gemini = (
        count_rows("bq://p.d.t", early=False, family=family)
        for family in (Family.ANTHROPIC, Family.OPENAI, Family.GOOGLE)
    )
    assert "status" in claude_query
    assert "response" in claude_query
    assert "status" not in chat_query
    assert "response" in chat_query
    assert "response" not in gemini
