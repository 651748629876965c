"""Requests to Claude and open models: from any spelling users write to the family's own line, or refused by name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel

from airflow_provider_genai_batch.exceptions import InputError, RequestError
from airflow_provider_genai_batch.models import BatchRequest
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.models.family import Family
from airflow_provider_genai_batch.requests.defaults import check_defaults
from airflow_provider_genai_batch.requests.preflight import Preflight
from airflow_provider_genai_batch.requests.tables.prompt_template import Prompt
from airflow_provider_genai_batch.requests.tables.write import TableWriter
from airflow_provider_genai_batch.requests.write import request_lines
from airflow_provider_genai_batch.wire.keys import read_custom_id, spell_custom_id
from airflow_provider_genai_batch.wire.lines.request import rest_request
from airflow_provider_genai_batch.wire.partners.request import MOST_TOKENS, VERSION, check_whole
from airflow_provider_genai_batch.wire.schemas.output_type import ask_for

VERTEX, GENERATE = Backend.VERTEX, Task.GENERATE
CLAUDE = "publishers/anthropic/models/claude-sonnet-5"
OSS = "publishers/openai/models/gpt-oss-120b-maas"
LLAMA = "publishers/meta/models/llama-4-scout-17b-16e-instruct-maas"
ASKED = [{"role": "user", "content": "Name a lake."}]
DEFAULTS = {
    "system_instruction": "Be brief.",
    "temperature": 0.5,
    "top_p": 0.9,
    "max_output_tokens": 20,
    "stop_sequences": ["."],
}


class Lake(BaseModel):
    name: str
    depth: float | None = None


def written(item: Any, model: str, defaults: Any = None) -> dict[str, Any]:
    ((_, line),) = request_lines([item], VERTEX, GENERATE, model, defaults)
    return json.loads(line)


def body(item: Any, model: str, defaults: Any = None) -> dict[str, Any]:
    line = written(item, model, defaults)
    return line["request"] if model is CLAUDE else line["body"]


def refusal(item: Any, model: str, defaults: Any = None) -> str:
    with pytest.raises(RequestError) as caught:
        written(item, model, defaults)
    return str(caught.value)


def test_a_prompt_becomes_a_line_of_claude() -> None:
    assert written("Name a lake.", CLAUDE) == {
        "custom_id": "r00000000",
        "request": {"anthropic_version": VERSION, "max_tokens": MOST_TOKENS, "messages": ASKED},
    }


def test_a_prompt_becomes_a_line_of_an_open_model() -> None:
    assert written("Name a lake.", OSS) == {
        "custom_id": "r00000000",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {"model": OSS, "messages": ASKED},
    }


def test_one_set_of_defaults_is_put_into_the_words_of_each_family() -> None:
    common = {"temperature": 0.5, "top_p": 0.9, "max_tokens": 20}
    claude, oss = body("Name a lake.", CLAUDE, DEFAULTS), body("Name a lake.", OSS, DEFAULTS)
    assert claude == {
        "anthropic_version": VERSION,
        "messages": ASKED,
        "system": "Be brief.",
        "stop_sequences": ["."],
        **common,
    }
    assert oss == {
        "model": OSS,
        "messages": [{"role": "system", "content": "Be brief."}, *ASKED],
        "stop": ["."],
        **common,
    }
    own = {"contents": "Name a lake.", "config": {"max_output_tokens": 7, "system_instruction": "Shout."}}
    assert (body(own, CLAUDE, DEFAULTS)["max_tokens"], body(own, CLAUDE, DEFAULTS)["system"]) == (7, "Shout.")
    assert body(own, OSS, DEFAULTS)["messages"][0]["content"] == "Shout."


@pytest.mark.parametrize("model", [CLAUDE, OSS])
@pytest.mark.parametrize(
    "given",
    [
        {"contents": "Name a lake.", "key": "k1"},
        {"key": "k1", "request": {"contents": [{"role": "user", "parts": [{"text": "Name a lake."}]}]}},
        {"custom_id": "k1", "contents": "Name a lake."},
        BatchRequest(contents="Name a lake.", key="k1"),
        BatchRequest(contents=ASKED, key="k1"),
        {"custom_id": "k1", "messages": ASKED},
        {"key": "k1", "messages": ASKED},
    ],
)
def test_one_request_is_the_same_in_every_spelling(given: Any, model: str) -> None:
    line = written(given, model)
    assert line.pop("custom_id") == "k1"
    plain = written("Name a lake.", model)
    assert line == {name: value for name, value in plain.items() if name != "custom_id"}


@pytest.mark.parametrize(
    ("line", "model"),
    [
        ({"custom_id": "k1", "request": {"messages": ASKED, "max_tokens": 5}}, CLAUDE),
        (
            {"custom_id": "k1", "params": {"model": "claude-sonnet-5", "messages": ASKED, "max_tokens": 5}},
            CLAUDE,
        ),
        (
            {
                "custom_id": "k1",
                "method": "POST",
                "url": "/v1/chat/completions",
                "body": {"model": "openai/gpt-oss-120b-maas", "messages": ASKED, "max_tokens": 5},
            },
            OSS,
        ),
    ],
)
def test_whole_lines_are_taken_from_lists_and_files_alike(line: dict[str, Any], model: str) -> None:
    check = Preflight(VERTEX, GENERATE, model, name="in.jsonl")
    (from_file,) = check.lines([json.dumps(line).encode() + b"\n"])
    assert json.loads(from_file) == written(line, model)
    again = Preflight(VERTEX, GENERATE, model, name="in.jsonl")
    assert (list(again.lines([from_file])), again.unchanged) == ([from_file], True)


def test_a_conversation_with_a_picture_keeps_its_turns() -> None:
    given = [
        {
            "role": "user",
            "parts": [{"text": "Which?"}, {"inline_data": {"mime_type": "image/png", "data": "aaaa"}}],
        },
        {"role": "model", "parts": [{"text": "Baikal."}]},
        {"role": "user", "parts": [{"text": "How deep?"}]},
    ]
    first, *rest = body({"contents": given}, CLAUDE)["messages"]
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aaaa"}}
    assert first["content"] == [{"type": "text", "text": "Which?"}, picture]
    assert rest == [{"role": "assistant", "content": "Baikal."}, {"role": "user", "content": "How deep?"}]


@pytest.mark.parametrize("model", [LLAMA, OSS])
def test_a_picture_is_refused_by_name_for_open_models_whose_batches_read_text_alone(model: str) -> None:
    """Each row would be refused, after the rest of the job was paid for."""
    picture = {"inline_data": {"mime_type": "image/png", "data": "aaaa"}}
    assert f"{model.rpartition('/')[2]} does not read" in refusal(["Which?", picture], model)
    own = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aaaa"}}
    said = refusal({"messages": [{"role": "user", "content": [own]}]}, model)
    assert "messages[0].content[0] has the type 'image_url'" in said
    assert "Give text" in said


@pytest.mark.parametrize("given", ["-_-_-w", "-_-_-w==", "+/+/+w==", b"\xfb\xff\xbf\xfb"])
def test_bytes_reach_claude_in_the_alphabet_that_it_reads(given: str | bytes) -> None:
    """Google's SDK writes bytes in the other one, and Google's services read both."""
    for prompt in (
        [{"inline_data": {"mime_type": "image/png", "data": given}}],
        {"messages": [{"role": "user", "content": [{"type": "image", "source": _source(given)}]}]},
    ):
        assert body(prompt, CLAUDE)["messages"][0]["content"][0]["source"] == _source("+/+/+w==")


@pytest.mark.parametrize("kind", ["image/jpg", "image/svg+xml", "audio/mpeg", "image/tiff"])
def test_a_picture_of_a_type_that_claude_does_not_read_is_refused(kind: str) -> None:
    said = refusal([{"inline_data": {"mime_type": kind, "data": "aaaa"}}], CLAUDE)
    assert f"is {kind}, which {CLAUDE.rpartition('/')[2]} does not read" in said
    assert "image/jpeg" in said


@pytest.mark.parametrize(("model", "column"), [(CLAUDE, "request"), (LLAMA, "body")])
def test_a_list_beside_a_request_is_refused_because_it_would_come_back_empty(model: str, column: str) -> None:
    said = refusal({"custom_id": "a", column: {"messages": ASKED}, "note": {"tags": ["b"]}}, model)
    assert "the field 'note' beside request is not a single value" in said
    assert written({"custom_id": "a", column: {"messages": ASKED}, "note": "n"}, model)["note"] == "n"


def _source(data: str | bytes) -> dict[str, Any]:
    return {"type": "base64", "media_type": "image/png", "data": data}


def test_claude_is_made_to_call_a_tool_whose_input_is_the_answer() -> None:
    asked = body("Name a lake.", CLAUDE, ask_for(Lake, {"temperature": 0}))
    (tool,) = asked["tools"]
    assert asked["tool_choice"]["name"] == tool["name"]
    assert "output_config" not in asked
    assert tool["input_schema"]["properties"]["depth"] == {"type": ["number", "null"]}
    (tool,) = body("Count.", CLAUDE, ask_for(list[int], None))["tools"]
    assert tool["input_schema"]["properties"]["value"] == {"type": "array", "items": {"type": "integer"}}


def test_an_open_model_is_asked_for_a_schema() -> None:
    asked = body("Name a lake.", OSS, ask_for(Lake, None))["response_format"]
    assert asked["type"] == "json_schema"
    assert asked["json_schema"]["schema"]["required"] == ["name"]


def test_a_budget_for_thinking_is_less_than_the_most_tokens() -> None:
    item = {"messages": ASKED, "thinking": {"type": "enabled", "budget_tokens": 10_000}}
    assert "Set max_tokens over 10000" in refusal(item, CLAUDE)
    assert body(item, CLAUDE, {"max_output_tokens": 20_000})["max_tokens"] == 20_000


def test_a_template_over_pictures_has_their_type_in_a_column() -> None:
    prompt = Prompt([{"inline_data": {"mime_type": "{kind}", "data": "{picture}"}}, "What is it?"])
    rows = [{"kind": "image/png", "picture": "aaaa"}]
    (line,) = TableWriter(prompt, VERTEX, GENERATE, CLAUDE).blocks([rows])
    source = json.loads(line)["request"]["messages"][0]["content"][0]["source"]
    assert source == {"type": "base64", "media_type": "image/png", "data": "aaaa"}


def test_functions_are_declared_in_the_words_of_each_family() -> None:
    function = {"name": "depth", "parameters": {"type": "OBJECT", "properties": {"lake": {"type": "STRING"}}}}
    config = {
        "tools": [{"function_declarations": [function]}],
        "tool_config": {"function_calling_config": {"mode": "ANY"}},
    }
    schema = {"type": "object", "properties": {"lake": {"type": "string"}}}
    claude, llama = (body({"contents": "a", "config": config}, model) for model in (CLAUDE, LLAMA))
    assert claude["tools"] == [{"name": "depth", "input_schema": schema}]
    assert claude["tool_choice"] == {"type": "any"}
    assert llama["tools"] == [{"type": "function", "function": {"name": "depth", "parameters": schema}}]
    assert llama["tool_choice"] == "required"


@pytest.mark.parametrize("model", [CLAUDE, OSS])
@pytest.mark.parametrize(
    ("config", "name"),
    [
        (
            {"safety_settings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}]},
            "safety_settings",
        ),
        ({"thinking_config": {"thinking_budget": 5}}, "thinking_config"),
        ({"tools": [{"google_search": {}}]}, "google_search"),
        ({"response_modalities": ["IMAGE"]}, "response_modalities"),
        ({"speech_config": "Kore"}, "speech_config"),
    ],
)
def test_what_a_family_has_no_word_for_is_refused_by_name(config: Any, name: str, model: str) -> None:
    said = refusal({"contents": "a", "config": config}, model)
    assert said.startswith("request 1")
    assert "has nothing like" in said
    with pytest.raises(RequestError, match="request_defaults"):
        check_defaults(config, VERTEX, model)


@pytest.mark.parametrize(
    ("item", "model", "said"),
    [
        (
            {"custom_id": "a", "request": {"messages": ASKED, "max_token": 5}},
            CLAUDE,
            "Did you mean max_tokens?",
        ),
        ({"messages": ASKED, "maxTokens": 5}, CLAUDE, "Did you mean max_tokens?"),
        ({"messages": ASKED, "max_output_tokens": 5}, OSS, "Did you mean max_tokens?"),
        ({"messages": ASKED, "stop": "."}, CLAUDE, "Did you mean stop_sequences?"),
        ({"messages": ASKED, "stream": True}, CLAUDE, "a batch has none"),
        ({"messages": ASKED, "max_tokens": "many"}, CLAUDE, "max_tokens is not a number"),
        ({"messages": [{"role": "model", "content": "a"}]}, CLAUDE, "Write assistant"),
        ({"messages": [{"role": "system", "content": "a"}]}, CLAUDE, "Give it as system"),
        ({"messages": [{"role": "user"}]}, OSS, "messages[0] has no content"),
        ({"messages": []}, CLAUDE, "no messages"),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "u"}}]}
                ]
            },
            CLAUDE,
            "reads no addresses",
        ),
        ({"messages": [{"role": "user", "content": [{"type": "txt"}]}]}, OSS, "the type 'txt'"),
        ({"model": "claude-opus-5", "messages": ASKED}, CLAUDE, "one job for each model"),
        ({"custom_id": "a", "method": "GET", "body": {"messages": ASKED}}, OSS, "Write POST"),
        (
            {"custom_id": "a", "url": "/v1/embeddings", "body": {"messages": ASKED}},
            OSS,
            "/v1/chat/completions",
        ),
        ({"custom_id": "a", "request": {"messages": ASKED}, "status": ""}, CLAUDE, "writes into rows"),
        ({"custom_id": "a b", "request": {"messages": ASKED}}, CLAUDE, "letters, digits, - and _"),
        ({"custom_id": "a" * 65, "request": {"messages": ASKED}}, CLAUDE, "1 to 64"),
        ({"custom_id": "a", "body": {"messages": ASKED}}, CLAUDE, '"request": {"messages"'),
        ({"prompt": "Name a lake."}, CLAUDE, '"request": {"messages"'),
        ({"name": "Baikal"}, OSS, "… {name} …"),
        ({"role": "user", "content": "Name a lake."}, CLAUDE, '"request": {"messages"'),
        ({"messages": ASKED, "anthropic_version": "2023-06-01"}, CLAUDE, VERSION),
        (5, CLAUDE, "type int"),
        ({}, CLAUDE, "there is nothing"),
        ({"messages": ASKED, "max_tokens": 0}, OSS, "from 1 on"),
        ({"custom_id": "a", "request": {"messages": ASKED}, "max_tokens": 5}, CLAUDE, "Put it into request"),
        (
            {"messages": ASKED, "tools": [{"type": "web_fetch_20250910", "name": "f"}]},
            CLAUDE,
            "not have it on Vertex",
        ),
        ({"messages": ASKED, "tools": [{"type": "web_search", "name": "f"}]}, OSS, "tools[0]"),
    ],
)
def test_a_mistake_in_a_familys_line_is_told_in_the_familys_words(item: Any, model: str, said: str) -> None:
    told = refusal(item, model)
    assert said in told
    for word in ("contents", "generationConfig", "maxOutputTokens", "parts"):
        assert word not in told


@pytest.mark.parametrize("model", [CLAUDE, OSS])
def test_a_request_has_one_prompt_that_says_something(model: str) -> None:
    assert "messages and contents" in refusal({"messages": ASKED, "contents": "a"}, model)
    assert "empty text" in refusal({"contents": ""}, model)
    wrong = {"contents": "a", "config": {"response_format": {"type": "nonsense", "kind": 1}}}
    assert "generationConfig" not in refusal(wrong, model)


def test_a_mistake_in_a_file_names_its_line() -> None:
    good, bad = (
        {"custom_id": "a", "request": {"messages": ASKED}},
        {"custom_id": "b", "request": {"message": ASKED}},
    )
    lines = "".join(json.dumps(one) + "\n" for one in (good, bad)).encode()
    with pytest.raises(RequestError, match=r"line 2 of in\.jsonl") as caught:
        list(Preflight(VERTEX, GENERATE, CLAUDE, name="in.jsonl").lines([lines]))
    assert "Did you mean messages?" in str(caught.value)


def test_a_request_that_says_what_it_answers_contradicts_output_type() -> None:
    own = {"messages": ASKED, "tools": [{"name": "t", "input_schema": {"type": "object"}}]}
    assert "contradicts output_type" in refusal(own, CLAUDE, ask_for(Lake, None))
    own = {"messages": ASKED, "response_format": {"type": "json_object"}}
    assert "contradicts output_type" in refusal(own, OSS, ask_for(Lake, None))
    own = {"messages": ASKED, "thinking": {"type": "enabled", "budget_tokens": 1024}}
    assert "leave out output_type" in refusal(own, CLAUDE, ask_for(Lake, None))


@pytest.mark.parametrize("key", ["0042", "true", "1e5", "_key-x", "plain"])
def test_an_id_that_an_importer_could_take_for_something_else_is_marked(key: str) -> None:
    spelled = spell_custom_id(key)
    assert (spelled == key) == (key == "plain")
    assert read_custom_id(spelled) == key
    assert written({"contents": "a", "key": key}, CLAUDE)["custom_id"] == spelled


@pytest.mark.parametrize("model", [CLAUDE, OSS])
def test_a_template_makes_lines_of_the_family(model: str) -> None:
    rows = [{"text": 'a "lake"'}, {"text": "50 %"}]
    (block,) = TableWriter(Prompt("Say {text}!"), VERTEX, GENERATE, model).blocks([rows])
    lines = [*map(json.loads, block.splitlines())]
    inside = [line.get("request", line.get("body"))["messages"][0]["content"] for line in lines]
    assert inside == ['Say a "lake"!', "Say 50 %!"]
    assert [line["custom_id"] for line in lines] == ["r00000000", "r00000001"]


def test_a_table_that_goes_as_it_is_has_what_claude_needs() -> None:
    given = {"messages": ASKED, "max_tokens": 5}
    asked = rest_request({"request": given}, backend=VERTEX, task=GENERATE, model=CLAUDE).request
    with pytest.raises(RequestError, match=f'Write "anthropic_version": "{VERSION}"'):
        check_whole(given, asked, Family.ANTHROPIC)
    check_whole({**given, "anthropic_version": VERSION}, asked, Family.ANTHROPIC)
    with pytest.raises(InputError, match="no messages in the column body"):
        check_whole({"contents": "a"}, asked, Family.OPENAI)
