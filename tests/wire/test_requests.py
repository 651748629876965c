from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.models import BatchRequest
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.wire.lines.entry import file_line, inline_entry
from airflow_provider_genai_batch.wire.lines.request import WireRequest, rest_request

HI = [{"parts": [{"text": "hi"}], "role": "user"}]
MODEL = "gemini-2.5-flash"


def spell(item: Any, *, backend: Backend = Backend.GEMINI, defaults: Any = None) -> WireRequest:
    return rest_request(item, backend=backend, task=Task.GENERATE, model=MODEL, defaults=defaults)


@pytest.mark.parametrize(
    "item",
    [
        BatchRequest(contents="hi", key="k", config={"seed": 1}),
        {"contents": "hi", "key": "k", "config": {"seed": 1}},
        {"contents": "hi", "metadata": {"key": "k"}, "config": {"seed": 1}},
        {"contents": HI, "key": "k", "generationConfig": {"seed": 1}},
        {"contents": HI, "key": "k", "generation_config": {"seed": 1}},
        {"key": "k", "request": {"contents": HI, "generationConfig": {"seed": 1}}},
        {"request": {"contents": "hi", "generation_config": {"seed": 1}}, "metadata": {"key": "k"}},
        {
            "key": "k",
            "request": {"contents": HI, "generationConfig": {"seed": 1}, "model": f"models/{MODEL}"},
        },
        {"key": "k", "contents": "hi", "model": f"publishers/google/models/{MODEL}", "config": {"seed": 1}},
    ],
)
def test_every_spelling_is_the_same_request(item: Any) -> None:
    assert spell(item) == WireRequest("k", {"contents": HI, "generationConfig": {"seed": 1}})


@pytest.mark.parametrize("item", ["hi", ["hi"], {"text": "hi"}, {"parts": ["hi"], "role": "user"}, HI])
def test_a_bare_prompt_is_a_request_without_key(item: Any) -> None:
    assert spell(item) == WireRequest(None, {"contents": HI})


def test_defaults_are_merged_into_every_spelling() -> None:
    defaults = {"system_instruction": "s", "temperature": 0, "seed": 5}
    system = {"parts": [{"text": "s"}], "role": "user"}
    for item in (
        BatchRequest(contents="hi", config={"seed": 1}),
        {"request": {"contents": HI, "generationConfig": {"seed": 1}}},
    ):
        assert spell(item, defaults=defaults).request == {
            "contents": HI,
            "systemInstruction": system,
            "generationConfig": {"temperature": 0, "seed": 1},
        }


def test_metadata_travels_beside_the_key_inline() -> None:
    request = spell({"contents": "hi", "metadata": {"key": "k", "team": "x"}})
    assert inline_entry("k", request) == {"request": {"contents": HI}, "metadata": {"team": "x", "key": "k"}}


def test_metadata_has_no_place_in_a_file() -> None:
    request = spell({"contents": "hi", "metadata": {"team": "x"}})
    with pytest.raises(RequestError, match=r"metadata \(team\) cannot be written to a file"):
        file_line("k", request, Backend.GEMINI, Task.GENERATE, MODEL)


@pytest.mark.parametrize(("backend", "written"), [(Backend.GEMINI, "0042"), (Backend.VERTEX, "key=0042")])
def test_a_line_carries_its_key(backend: Backend, written: str) -> None:
    line = file_line("0042", spell("hi ü\n"), backend, Task.GENERATE, MODEL)
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    assert json.loads(line) == {
        "key": written,
        "request": {"contents": [{"parts": [{"text": "hi ü\n"}], "role": "user"}]},
    }


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (5, "a request cannot be of type int"),
        ({}, "neither contents nor request: there is nothing"),
        ({"foo": 1}, "neither contents nor request: there is foo"),
        ({"my_column": 1}, "neither contents nor request: there is my_column"),
        ({"custom_id": "a", "body": {}}, "unknown field 'custom_id' and no contents"),
        ({"messages": []}, "unknown field 'messages' and no contents"),
        ({"prompt": "hi"}, "unknown field 'prompt' and no contents"),
        ({"custom_id": "a", "request": {"contents": "hi"}}, "unknown field 'custom_id' beside request"),
        ({"request": {"contents": "hi"}, "config": {}}, "unknown field 'config' beside request"),
        ({"request": 5}, "request is of type int"),
        ({"request": {"generationConfig": {}}}, "the request has no contents"),
        ({"request": {"contents": "hi", "config": {}}}, "config inside request is the SDK's spelling"),
        ({"contents": "hi", "temperature": 1}, "temperature stands beside contents"),
        ({"contents": "hi", "top_p": 1}, "topP (written 'top_p') stands beside contents"),
        ({"contents": "hi", "safety": 1}, "unknown field 'safety'"),
        ({"contents": "hi", "config": {"seed": 1}, "labels": {}}, "labels stands beside config"),
        ({"contents": "hi", "model": "gemini-2.5-pro"}, "the request is for model gemini-2.5-pro"),
        ({"contents": "hi", "metadata": {"a": 1}}, "metadata is not a dict of strings"),
        ({"contents": "hi", "metadata": "a"}, "metadata is not a dict of strings"),
        ({"contents": "hi", "key": "a", "metadata": {"key": "b"}}, "key is 'a' but metadata says 'b'"),
        ({"contents": "hi", "key": 5}, "key is 5, not a string"),
        ({"contents": "hi", "key": ""}, "key is empty"),
    ],
)
def test_what_is_no_request_is_refused_with_a_remedy(item: Any, said: str) -> None:
    with pytest.raises(RequestError) as caught:
        spell(item)
    assert said in caught.value.reason
    assert caught.value.remedy
    assert caught.value.at("request 3").where == "request 3"


def test_rows_where_requests_are_due_are_told_of_prompt() -> None:
    with pytest.raises(RequestError) as caught:
        spell({"my_column": 1, "other": 2})
    assert 'give prompt to the operator, such as prompt="… {my_column} …"' in caught.value.remedy
