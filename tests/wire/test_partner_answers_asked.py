"""What a request to a partner's model asks its answer to be: said once, in words that the model takes, and noticed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.requests.defaults import check_defaults
from airflow_provider_genai_batch.requests.write import request_lines
from airflow_provider_genai_batch.wire.schemas.output_type import ask_for, asks_for_type

CLAUDE = "publishers/anthropic/models/claude-sonnet-4-6"
OSS = "publishers/openai/models/gpt-oss-120b-maas"
LLAMA = "publishers/meta/models/llama-4-scout-17b-16e-instruct-maas"
ASKED = [{"role": "user", "content": "Name a lake."}]
GOOGLES = {"function_declarations": [{"name": "depth"}]}
CLAUDES = {"name": "depth", "input_schema": {"type": "object"}}
OPENS = {"type": "function", "function": {"name": "depth", "parameters": {"type": "object"}}}
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}}


class Lake(BaseModel):
    name: str
    depths: dict[str, int]
    places: dict[str, list[float | None]]


def body(item: Any, model: str, defaults: Any = None) -> dict[str, Any]:
    ((_, line),) = request_lines([item], Backend.VERTEX, Task.GENERATE, model, defaults)
    row = json.loads(line)
    asked: dict[str, Any] = row.get("request", row.get("body"))
    return asked


def refusal(item: Any, model: str, defaults: Any = None) -> str:
    with pytest.raises(RequestError) as caught:
        body(item, model, defaults)
    return str(caught.value)


@pytest.mark.parametrize("model", [CLAUDE, OSS])
def test_values_of_a_dict_are_asked_for_in_plain_json_schema(model: str) -> None:
    asked = body("Name a lake.", model, ask_for(Lake, None))
    schema = (
        asked["tools"][0]["input_schema"]
        if model is CLAUDE
        else asked["response_format"]["json_schema"]["schema"]
    )
    assert schema["properties"]["depths"]["additionalProperties"] == {"type": "integer"}
    numbers = schema["properties"]["places"]["additionalProperties"]
    assert numbers == {"type": "array", "items": {"type": ["number", "null"]}}
    words = json.dumps(schema)
    assert not any(f'"{kind}"' in words for kind in ("INTEGER", "ARRAY", "NUMBER", "STRING", "OBJECT"))


def test_claude_is_asked_for_one_answer() -> None:
    assert body("Name a lake.", CLAUDE, ask_for(Lake, None))["tool_choice"] == {
        "type": "tool",
        "name": "structured_answer",
        "disable_parallel_tool_use": True,
    }


@pytest.mark.parametrize(
    "config",
    [
        {"response_schema": SCHEMA, "tools": [GOOGLES]},
        {"response_schema": SCHEMA, "tools": [CLAUDES]},
        {"response_schema": SCHEMA, "tool_config": {"function_calling_config": {"mode": "AUTO"}}},
        {"response_schema": SCHEMA, "tool_choice": {"type": "auto"}},
    ],
    ids=["Google's tools", "Claude's tools", "Google's choice", "Claude's choice"],
)
def test_claude_is_not_given_tools_beside_the_one_that_is_its_answer(config: dict[str, Any]) -> None:
    said = refusal({"contents": "a", "config": config}, CLAUDE)
    name = next(name for name in config if name != "response_schema")
    assert f"{name} stands beside response_schema" in said
    with pytest.raises(RequestError, match=r"request_defaults: .*response_schema"):
        check_defaults(config, Backend.VERTEX, CLAUDE)


@pytest.mark.parametrize("tools", [{"tools": [GOOGLES]}, {"tools": [CLAUDES]}])
def test_tools_of_all_requests_are_not_lost_to_a_schema_of_one_nor_the_other_way(tools: Any) -> None:
    schema = {"response_schema": SCHEMA}
    for defaults, own in ((tools, schema), (schema, tools)):
        assert "stands beside the schema of" in refusal({"contents": "a", "config": own}, CLAUDE, defaults)


def test_tools_beside_an_output_type_are_refused_where_they_are_written() -> None:
    with pytest.raises(RequestError, match="tools stands beside"):
        check_defaults(ask_for(Lake, {"tools": [GOOGLES]}), Backend.VERTEX, CLAUDE)
    asked = body("a", LLAMA, ask_for(Lake, {"tools": [GOOGLES]}))
    assert {"tools", "response_format"} <= asked.keys()


@pytest.mark.parametrize(
    ("item", "model", "said"),
    [
        ({"messages": ASKED, "tool_choice": {"type": "tool", "name": "d"}}, CLAUDE, "there are no tools"),
        (
            {"messages": ASKED, "tools": [CLAUDES], "tool_choice": {"type": "tool", "name": "deep"}},
            CLAUDE,
            "'deep', which is none of the tools",
        ),
        ({"messages": ASKED, "tool_choice": {"type": "any"}}, CLAUDE, "there are no tools"),
        ({"messages": ASKED, "tool_choice": "required"}, LLAMA, "there are no tools"),
        (
            {
                "messages": ASKED,
                "tools": [OPENS],
                "tool_choice": {"type": "function", "function": {"name": "deep"}},
            },
            LLAMA,
            "'deep', which is none of the tools",
        ),
        ({"messages": ASKED, "tools": [OPENS], "tool_choice": "required"}, OSS, "auto or none"),
        (
            {
                "contents": "a",
                "config": {
                    "tools": [GOOGLES],
                    "tool_config": {
                        "function_calling_config": {"mode": "ANY", "allowed_function_names": ["deep"]}
                    },
                },
            },
            CLAUDE,
            "'deep', which is none of the tools",
        ),
    ],
)
def test_a_choice_of_a_tool_that_is_not_there_is_refused_by_name(item: Any, model: str, said: str) -> None:
    assert said in refusal(item, model)


@pytest.mark.parametrize("kind", ["enabled", "adaptive"])
def test_claude_does_not_think_where_it_has_to_call_a_tool(kind: str) -> None:
    thinking = {"type": kind, **({"budget_tokens": 1024} if kind == "enabled" else {})}
    assert "leave out output_type" in refusal(
        {"messages": ASKED, "thinking": thinking}, CLAUDE, ask_for(Lake, None)
    )


def test_a_tool_that_vertex_ai_does_not_have_is_refused_in_the_models_own_name() -> None:
    item = {"messages": ASKED, "tools": [{"type": "mcp"}]}
    assert "Claude" in refusal(item, CLAUDE)
    said = refusal(item, OSS)
    assert "Claude" not in said
    assert "an open model" in said


PART = {"inline_data": {"mime_type": "image/png", "data": "aaaa"}}


@pytest.mark.parametrize(
    "part", [{"inlineData": {"mimeType": "image/png", "data": "aaaa"}}, PART], ids=["REST", "SDK"]
)
def test_a_picture_by_itself_is_a_prompt_in_either_spelling(part: Any) -> None:
    asked = body(part, CLAUDE)
    assert asked["messages"][0]["content"][0]["source"]["data"] == "aaaa"
    assert body({"request": {"contents": part}}, CLAUDE) == asked


@pytest.mark.parametrize("name", ["fileData", "file_data"])
def test_a_file_by_itself_is_refused_as_a_file(name: str) -> None:
    part = {name: {"fileUri": "gs://b/a.png", "mimeType": "image/png"}}
    assert "a file at an address" in refusal(part, CLAUDE)
    assert "a file at an address" in refusal({"contents": part}, CLAUDE)


@pytest.mark.parametrize(
    ("given", "model"),
    [
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}}, OSS),
        ({"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}, CLAUDE),
        ({"response_schema": SCHEMA}, CLAUDE),
        ({"response_json_schema": SCHEMA}, CLAUDE),
        ({"response_schema": {"type": "array", "items": {"type": "string"}}}, CLAUDE),
        ({"response_schema": SCHEMA}, OSS),
    ],
)
def test_a_request_whose_answer_has_a_schema_asks_for_a_type_in_every_spelling(
    given: Any, model: str
) -> None:
    assert asks_for_type(None, given)
    assert asks_for_type(None, body({"contents": "a", "config": given}, model))
    assert asks_for_type(None, body("a", model, given))


@pytest.mark.parametrize(
    ("given", "model"),
    [
        ({"temperature": 0}, CLAUDE),
        ({"tools": [CLAUDES], "tool_choice": {"type": "tool", "name": "depth"}}, CLAUDE),
        ({"response_format": {"type": "text"}}, OSS),
        ({"output_config": {"effort": "low"}}, CLAUDE),
    ],
)
def test_other_requests_ask_for_no_type(given: Any, model: str) -> None:
    assert not asks_for_type(None, given)
    assert not asks_for_type(None, body({"contents": "a", "config": given}, model))


def test_a_text_format_of_google_with_a_schema_asks_for_a_type() -> None:
    given = {"response_format": [{"text": {"mime_type": "application/json", "schema": SCHEMA}}]}
    assert asks_for_type(None, given)
    assert asks_for_type(None, {"generationConfig": given})
    assert not asks_for_type(None, {"response_format": [{"text": {"mime_type": "text/plain"}}]})
