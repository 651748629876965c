from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.prompts.config import merged, request_fields

GEMINI, VERTEX = Backend.GEMINI, Backend.VERTEX


@pytest.mark.parametrize(
    "config",
    [
        {"temperature": 0.5, "system_instruction": "s", "thinking_config": {"thinking_budget": 1}},
        {"temperature": 0.5, "systemInstruction": "s", "thinkingConfig": {"thinkingBudget": 1}},
        {
            "generation_config": {"temperature": 0.5, "thinking_config": {"thinkingBudget": 1}},
            "systemInstruction": "s",
        },
        {
            "generationConfig": {"temperature": 0.5},
            "thinkingConfig": {"thinkingBudget": 1},
            "systemInstruction": "s",
        },
    ],
)
def test_sdk_and_rest_spellings_of_a_config_say_the_same(config: Any) -> None:
    assert request_fields(config, GEMINI) == {
        "systemInstruction": {"parts": [{"text": "s"}], "role": "user"},
        "generationConfig": {"temperature": 0.5, "thinkingConfig": {"thinkingBudget": 1}},
    }


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"generation_config": {"top_k": 1}, "topK": 2}, "topK stands in generationConfig and beside it"),
        (
            {"temperature": 1, "generationConfig": {"temperature": 1}},
            "temperature stands in generationConfig",
        ),
        ({"response_schema": str, "response_json_schema": {}}, "has responseSchema and responseJsonSchema"),
        (
            {"response_schema": str, "generationConfig": {"responseJsonSchema": {}}},
            "has responseSchema and responseJsonSchema",
        ),
    ],
)
def test_a_parameter_is_given_once_inside_generation_config_or_beside_it(config: Any, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        request_fields(config, GEMINI)


def test_no_config_says_nothing() -> None:
    assert request_fields(None, GEMINI) == request_fields({}, GEMINI) == {}


def test_what_concerns_only_the_sdk_is_left_out() -> None:
    assert request_fields({"http_options": {"timeout": 1}, "automatic_function_calling": {}}, GEMINI) == {}


def test_a_requests_own_values_win_field_by_field() -> None:
    defaults = {"generationConfig": {"temperature": 0, "seed": 1}, "labels": {"a": "1"}, "tools": [{"x": {}}]}
    own = {"generationConfig": {"temperature": 1}, "labels": {"b": "2"}}
    assert merged(defaults, own) == {
        "generationConfig": {"temperature": 1, "seed": 1},
        "labels": {"b": "2"},
        "tools": [{"x": {}}],
    }
    assert defaults["generationConfig"] == {"temperature": 0, "seed": 1}


def test_a_schema_of_ones_own_ousts_the_default_in_the_other_spelling() -> None:
    defaults = {"generationConfig": {"responseSchema": {"type": "STRING"}, "seed": 1}}
    own = {"generationConfig": {"responseJsonSchema": {"type": "string"}}}
    assert merged(defaults, own) == {
        "generationConfig": {"responseJsonSchema": {"type": "string"}, "seed": 1}
    }


def test_the_fields_of_several_function_tools_end_in_one_tool() -> None:
    given = {"tools": [{"functionDeclarations": [{"name": "a"}]}, {"functionDeclarations": [{"name": "b"}]}]}
    assert request_fields(given, GEMINI) == {
        "tools": [{"functionDeclarations": [{"name": "a"}, {"name": "b"}]}]
    }


class Answer(BaseModel):
    word: str


def _function() -> None: ...


@pytest.mark.parametrize(
    ("config", "backend", "said"),
    [
        ({"temprature": 1}, GEMINI, "unknown field 'temprature'. Did you mean temperature?"),
        ({"max_tokens_to_sample": 1}, GEMINI, "unknown field 'max_tokens_to_sample'"),
        ({"generation_config": {"top_x": 1}}, GEMINI, "unknown field 'top_x' in generationConfig"),
        ({"generation_config": 5}, GEMINI, "generationConfig is of type int"),
        (5, GEMINI, "config is of type int"),
        ({"tools": [_function]}, GEMINI, "the Python function _function, which nothing in a batch can call"),
        ({"tools": [object()]}, GEMINI, "tools holds a object"),
        ({"tools": [{"search_engine": {}}]}, GEMINI, "unknown tool 'search_engine'"),
        ({"response_json_schema": Answer}, GEMINI, "response_json_schema is the class Answer"),
        ({"cached_content": "cachedContents/a"}, VERTEX, "does not work in a batch on Vertex AI"),
        (
            {"tools": [{"retrieval": {"vertex_rag_store": {}}}]},
            VERTEX,
            "retrieval.vertexRagStore does not work",
        ),
        ({"stop_sequences": "END"}, GEMINI, "stopSequences is not a list"),
        ({"safety_settings": {"category": "X"}}, GEMINI, "safetySettings is not a list"),
        ({"labels": {"a": 1}}, GEMINI, "labels is not a dict of strings"),
        ({"store": True}, VERTEX, "request.store exists only on the Gemini Developer API"),
        ({"routing_config": {}}, GEMINI, "generationConfig.routingConfig exists only on Vertex AI"),
    ],
)
def test_what_no_batch_can_do_is_refused_with_a_remedy(config: Any, backend: Backend, said: str) -> None:
    with pytest.raises(RequestError) as caught:
        request_fields(config, backend)
    assert said in str(caught.value)
    assert caught.value.remedy
