"""Jobs of open models on Vertex AI: OpenAI's lines, ChatCompletions, refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator, JobScript
from tests.emulator.bodies import GPT, LLAMA, PERSON, chat
from tests.emulator.talk import Vertex, keyed

Put = Callable[..., str]
Output = Callable[[dict[str, Any]], list[dict[str, Any]]]
FUNCTION = {"type": "function", "function": {"name": "person", "parameters": PERSON}}


@pytest.fixture
def rows(jobs: Vertex, put: Put, place: str, output: Output) -> Callable[..., dict[str, dict[str, Any]]]:
    def run(*given: dict[str, Any], model: str = LLAMA) -> dict[str, dict[str, Any]]:
        ended = jobs.run(put(list(given)), place, model=model)
        assert ended["state"] == "JOB_STATE_SUCCEEDED", ended["error"]
        return {row["custom_id"]: row for row in output(ended)}

    return run


def test_a_row_is_a_completion_in_openais_columns(rows: Any):
    row = rows({**chat("a", "Name a lake."), "note": "x"})["a"]
    assert list(row) == ["note", "id", "custom_id", "response", "error"]
    assert (row["note"], row["error"]) == ("x", None)
    response = row["response"]
    assert response["object"] == "chat.completion"
    assert response["model"] == "meta/llama-4-scout-17b-16e-instruct-maas"
    assert response["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Answer to: Name a lake."},
            "finish_reason": "stop",
            "logprobs": None,
            "matched_stop": None,
        }
    ]
    assert response["usage"] == {
        "prompt_tokens": 3,
        "completion_tokens": 6,
        "total_tokens": 9,
        "prompt_tokens_details": {"cached_tokens": 0},
        "extra_properties": {"google": {"traffic_type": "ON_DEMAND"}},
    }


def test_a_status_and_an_envelope_come_by_script(vertex_emulator: Emulator, rows: Any):
    vertex_emulator.script(JobScript(status_column=True, envelope=True, row_errors={"b": 8}))
    found = rows(chat("a"), chat("b"))
    assert found["a"]["response"]["status_code"] == 200
    assert found["a"]["response"]["body"]["choices"]
    assert found["a"]["status"] == ""
    assert found["b"]["response"] is None
    assert found["b"]["error"]["code"] == "429"
    assert found["b"]["status"].startswith("Too Many Requests: ")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"messages": []}, "messages: List should have at least 1 item"),
        ({"messages": [{"role": "model", "content": "x"}]}, "messages.0.role: Input should be 'system' or"),
        ({"contents": []}, "contents: Extra inputs are not permitted"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
            "messages.0.content.0: only text is supported",
        ),
        ({"max_tokens": "5"}, "max_tokens: Input should be a valid integer"),
        ({"stream": True}, "stream: streaming is not supported"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}},
            "response_format.json_schema",
        ),
        ({"tool_choice": "required"}, "tool_choice: may only be specified"),
    ],
)
def test_a_body_that_is_none_fails_its_row(rows: Any, wrong: dict[str, Any], why: str):
    row = rows(chat("a", **wrong))["a"]
    assert row["response"] is None
    assert row["error"]["code"] == "400"
    assert row["error"]["message"].startswith(why)


def test_answers_fit_a_schema_and_calls_their_parameters(rows: Any):
    schema = {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON}}
    found = rows(
        chat("schema", response_format=schema),
        chat("called", tools=[FUNCTION], tool_choice="required"),
        chat("cut", "a b c d e f g h", max_tokens=2),
        chat("thought", stop="to"),
    )
    choices = {key: row["response"]["choices"][0] for key, row in found.items()}
    assert set(json.loads(choices["schema"]["message"]["content"])) == {"name", "age"}
    (call,) = choices["called"]["message"]["tool_calls"]
    assert set(json.loads(call["function"]["arguments"])) == {"name", "age"}
    assert choices["called"]["finish_reason"] == "tool_calls"
    assert choices["cut"]["finish_reason"] == "length"
    assert choices["thought"]["matched_stop"] == "to"


def test_gpt_oss_reasons_and_knows_no_forced_tool(rows: Any):
    found = rows(chat("a"), chat("b", tools=[FUNCTION], tool_choice="required"), model=GPT)
    response = found["a"]["response"]
    assert response["choices"][0]["message"]["reasoning_content"]
    assert response["usage"]["completion_tokens"] > response["usage"]["reasoning_tokens"] > 0
    assert "only 'auto' and 'none'" in found["b"]["error"]["message"]


def test_cached_tokens_are_among_those_of_the_prompt(rows: Any):
    found = rows(*(chat(f"r{at}", f"{at} " + "word " * 100) for at in range(8)))
    usages = [row["response"]["usage"] for row in found.values()]
    cached = {one["prompt_tokens_details"]["cached_tokens"] for one in usages}
    assert len(cached) > 1
    assert all(one["prompt_tokens"] >= 125 for one in usages)


def test_reasons_come_by_script(vertex_emulator: Emulator, rows: Any):
    script = JobScript(
        finish_reasons={"a": "content_filter", "b": "content_filter", "c": "length", "d": "odd"},
        content={"b": True},
    )
    vertex_emulator.script(script)
    choices = {key: row["response"]["choices"][0] for key, row in rows(*map(chat, "abcd")).items()}
    assert [choices[key]["finish_reason"] for key in "abcd"] == [
        "content_filter",
        "content_filter",
        "length",
        "odd",
    ]
    assert choices["a"]["message"]["content"] is None
    assert choices["b"]["message"]["content"]


@pytest.mark.parametrize("how", ["import", "row"])
def test_a_gemini_line_never_succeeds(
    jobs: Vertex, vertex_emulator: Emulator, put: Put, place: str, output: Output, how: str
):
    vertex_emulator.script(JobScript(foreign_lines=how))
    ended = jobs.run(put(keyed(1)), place, model=LLAMA)
    if how == "import":
        assert (ended["state"], ended["error"]["code"]) == ("JOB_STATE_FAILED", 3)
    else:
        (row,) = output(ended)
        assert (row["response"], row["error"]["code"]) == (None, "400")
