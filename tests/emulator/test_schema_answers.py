"""Answers of the pretend model fit the schema they were asked for."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_genai_batch.emulator.gemini.answers import shaped
from airflow_provider_genai_batch.emulator.model.respond import Responder
from airflow_provider_genai_batch.emulator.model.schemas.schema import fitting
from airflow_provider_genai_batch.emulator.model.text import plain_answer
from tests.emulator.talk import question

NAMES = st.sampled_from(["alpha", "beta", "gamma", "delta"])
COUNT = st.integers(0, 4)


def leaves() -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(
        st.builds(lambda text: {"type": "string", "enum": text}, st.lists(NAMES, min_size=1, unique=True)),
        st.builds(
            lambda low, more: {"type": "string", "minLength": low, "maxLength": low + more}, COUNT, COUNT
        ),
        st.builds(
            lambda low, more: {"type": "integer", "minimum": low, "maximum": low + more},
            st.integers(-9, 9),
            COUNT,
        ),
        st.builds(
            lambda low, more: {"type": "number", "minimum": low, "maximum": low + more},
            st.floats(-9, 9),
            COUNT,
        ),
        st.just({"type": "boolean"}),
        st.just({"type": "null"}),
        st.sampled_from(["date-time", "date", "uuid", "email"]).map(
            lambda kind: {"type": "string", "format": kind}
        ),
    )


def nested(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(
        st.builds(
            lambda items, low, more: {
                "type": "array",
                "items": items,
                "minItems": low,
                "maxItems": low + more,
            },
            inner,
            COUNT,
            COUNT,
        ),
        st.builds(
            lambda properties: {
                "type": "object",
                "properties": properties,
                "required": list(properties)[:2],
                "propertyOrdering": list(reversed(properties)),
            },
            st.dictionaries(NAMES, inner, min_size=1),
        ),
        st.builds(lambda options: {"anyOf": options}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda one: {**one, "nullable": True}, inner),
    )


SCHEMAS = st.recursive(leaves(), nested, max_leaves=10)


def upper(schema: Any) -> Any:
    """Return the schema in Google's spelling of types, with int64 as text."""
    if isinstance(schema, list):
        return [upper(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    result = {}
    for key, value in schema.items():
        if key == "type":
            result[key] = value.upper()
        elif key in {"minItems", "maxItems", "minLength", "maxLength"}:
            result[key] = str(value)
        else:
            result[key] = upper(value)
    return result


def fits(value: Any, schema: dict[str, Any]) -> bool:  # noqa: PLR0911 - one return a keyword
    if value is None and schema.get("nullable"):
        return True
    if "anyOf" in schema:
        return any(fits(value, one) for one in schema["anyOf"])
    if "enum" in schema:
        return value in schema["enum"]
    kind = schema["type"]
    if kind == "array":
        right = isinstance(value, list) and schema["minItems"] <= len(value) <= schema["maxItems"]
        return right and all(fits(one, schema["items"]) for one in value)
    if kind == "object":
        known = schema["properties"]
        return (
            isinstance(value, dict)
            and set(schema["required"]) <= set(value) <= set(known)
            and all(fits(inner, known[name]) for name, inner in value.items())
        )
    if kind == "string":
        return isinstance(value, str) and schema.get("minLength", 0) <= len(value) <= schema.get(
            "maxLength", math.inf
        )
    if kind in {"integer", "number"}:
        whole = isinstance(value, int) if kind == "integer" else isinstance(value, (int, float))
        return whole and not isinstance(value, bool) and schema["minimum"] <= value <= schema["maximum"]
    return isinstance(value, bool) if kind == "boolean" else value is None


@given(SCHEMAS, st.text(max_size=5))
def test_the_answer_fits_in_either_spelling_of_types(schema: dict[str, Any], seed: str):
    assert fits(fitting(schema, seed), schema)
    assert fits(fitting(upper(schema), seed), schema)


@given(SCHEMAS, st.text(max_size=5))
def test_the_same_prompt_gets_the_same_answer(schema: dict[str, Any], seed: str):
    assert fitting(schema, seed) == fitting(schema, seed)


def text_of(config: dict[str, Any], prompt: str = "hi") -> str:
    response = Responder().generate(question(prompt, generationConfig=config), "gemini-2.5-flash", shaped)
    return response["candidates"][0]["content"]["parts"][0]["text"]


@pytest.mark.parametrize(
    "name", ["responseSchema", "responseJsonSchema", "response_schema", "_responseJsonSchema"]
)
def test_every_spelling_of_the_schema_is_heard(name: str):
    schema = {"type": "OBJECT", "properties": {"a": {"type": "STRING", "enum": ["x"]}}, "required": ["a"]}
    assert json.loads(text_of({name: schema, "responseMimeType": "application/json"})) == {"a": "x"}


def test_properties_come_in_the_order_asked_for():
    properties = {name: {"type": "BOOLEAN"} for name in "abc"}
    schema = {"type": "OBJECT", "properties": properties, "propertyOrdering": ["c", "a", "b"]}
    assert list(json.loads(text_of({"responseSchema": schema}))) == ["c", "a", "b"]


def test_references_are_followed_and_recursion_ends():
    node = {
        "type": "object",
        "properties": {"next": {"$ref": "#/$defs/node"}, "n": {"type": "integer"}},
        "required": ["n"],
    }
    found = fitting({"$defs": {"node": node}, "$ref": "#/$defs/node"}, "s")
    assert isinstance(found["n"], int)


def test_an_enum_is_answered_as_bare_text_when_that_was_asked():
    config = {"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING", "enum": ["one"]}}
    assert text_of(config) == "one"


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ("I love it, great! Answer with: positive, negative or neutral", "positive"),
        ("Terrible and broken. Classify as positive/negative", "negative"),
        ("What is the sentiment? It is awful.", "negative"),
        ("What is the sentiment? It is a table.", "neutral"),
        ("Say hello", "Answer to: Say hello"),
    ],
)
def test_a_prompt_gets_a_sensible_answer(prompt: str, answer: str):
    assert plain_answer(prompt) == answer


def test_usage_adds_up_and_zero_counts_are_absent():
    for number in range(30):
        used = Responder().generate(question(f"{number}"), "gemini-2.5-flash", shaped)["usageMetadata"]
        parts = [
            used.get(name, 0) for name in ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount")
        ]
        assert sum(parts) == used["totalTokenCount"]
        assert 0 not in used.values()
