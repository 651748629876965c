from __future__ import annotations

import enum
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.schemas.schema import response_schema

GEMINI = Backend.GEMINI


class Leaf(BaseModel):
    size: int = Field(ge=1)


class Tree(BaseModel):
    leaf: Leaf
    kind: Literal["oak", "elm"]
    same: Literal["tree"]
    last: Leaf | None = None


class Endless(BaseModel):
    child: Endless | None = None


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Opaque:
    pass


def test_references_are_resolved() -> None:
    schema = response_schema(Tree, GEMINI)
    assert schema["properties"]["leaf"] == {
        "properties": {"size": {"minimum": 1, "title": "Size", "type": "INTEGER"}},
        "required": ["size"],
        "title": "Leaf",
        "type": "OBJECT",
    }
    assert schema["properties"]["last"]["nullable"] is True
    assert "$ref" not in str(schema)
    assert "$defs" not in str(schema)


def test_the_order_of_fields_is_kept() -> None:
    assert response_schema(Tree, GEMINI)["propertyOrdering"] == ["leaf", "kind", "same", "last"]


def test_a_single_literal_is_an_enum_of_one() -> None:
    assert response_schema(Tree, GEMINI)["properties"]["same"] == {
        "title": "Same",
        "type": "STRING",
        "enum": ["tree"],
    }


@pytest.mark.parametrize(
    ("origin", "schema"),
    [
        (str, {"type": "STRING"}),
        (list[int], {"type": "ARRAY", "items": {"type": "INTEGER"}}),
        (int | None, {"type": "INTEGER", "nullable": True}),
        (int | str, {"anyOf": [{"type": "INTEGER"}, {"type": "STRING"}]}),
        (list[str] | None, {"type": "ARRAY", "items": {"type": "STRING"}, "nullable": True}),
        ({"type": "null"}, {"type": "NULL"}),
        ({"enum": ["a", None]}, {"enum": ["a"], "nullable": True, "type": "STRING"}),
        ({"type": "string", "max_length": 3}, {"type": "STRING", "maxLength": 3}),
        (
            {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False},
            {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}},
        ),
    ],
)
def test_types_and_dicts_become_the_services_dialect(origin: Any, schema: dict[str, Any]) -> None:
    assert response_schema(origin, GEMINI) == schema


def test_an_enum_of_numbers_is_asked_for_as_text() -> None:
    schema = response_schema(Level, GEMINI)
    assert (schema["type"], schema["enum"]) == ("STRING", ["1", "2"])


@pytest.mark.parametrize(
    ("keyword", "meant"),
    [("type_", "type"), ("propertys", "properties"), ("enums", "enum"), ("examples", "example")],
)
def test_a_misspelled_keyword_is_told_the_right_one(keyword: str, meant: str) -> None:
    with pytest.raises(RequestError) as caught:
        response_schema({keyword: 1}, Backend.VERTEX)
    assert caught.value.remedy == f"Did you mean {meant}?"


@pytest.mark.parametrize(
    "keyword",
    [
        *("allOf", "oneOf", "not", "uniqueItems", "patternProperties", "exclusiveMinimum", "multipleOf"),
        *("additionalItems", "dependentRequired", "unevaluatedProperties", "contains", "minContains"),
        *("propertyNames", "exclusiveMaximum", "dependentSchemas", "contentEncoding", "prefixItems"),
    ],
)
def test_a_keyword_of_json_schema_is_no_misspelling(keyword: str) -> None:
    with pytest.raises(RequestError) as caught:
        response_schema({keyword: 1}, Backend.VERTEX)
    assert "response_json_schema" in caught.value.remedy


def test_the_dict_given_is_not_changed() -> None:
    given = {"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}, {"type": "null"}]}}}
    before = repr(given)
    response_schema(given, GEMINI)
    assert repr(given) == before


@pytest.mark.parametrize(
    ("origin", "said"),
    [
        ({"oneOf": []}, "response_schema cannot say 'oneOf'"),
        ({"type": ["string", "null"]}, "cannot say that a type is ['string', 'null']"),
        ({"const": 5}, "cannot say that a value is always 5"),
        ({"$ref": "#/$defs/Missing"}, "refers to #/$defs/Missing, which it does not define"),
        ({"type": "object", "additionalProperties": True}, "exists only on Vertex AI"),
        ({"enum": [1, 2]}, "has enum = [1, 2], which is not a list of strings"),
        ({"type": "integer", "enum": ["1"]}, "has an enum of the type INTEGER"),
        ({"type": "string", "enum": [""]}, "an enum with an empty value"),
        ({"type": "object"}, "has an object without properties"),
        ({"type": "object", "properties": {"a": {"type": "array"}}}, "an array without items, at a"),
        ({"items": {}}, "response_schema has no type, at []"),
        ({"type": "strnig"}, "the unknown type 'strnig'"),
        ({"type": "string", "maxLength": "long"}, "maxLength = 'long', which is not a whole number"),
        ({"properties": {"a": {"type": "string"}}, "required": ["b"]}, "'b' in required"),
        (
            {"$ref": "#/$defs/A", "$defs": {"A": {"items": {"$ref": "#/$defs/A"}}}},
            "A contains itself, which response_schema cannot express, at []",
        ),
        (Endless, "Endless holds itself, at child"),
        ({"type": "object", "properties": 5}, "properties is 5, not a dict of schemas"),
        ({"items": "string"}, "a schema is an object, not 'string'"),
        ("string", "response_schema cannot be 'string'"),
        (object(), "response_schema cannot be <object"),
        (Opaque, "response_schema cannot be made of <class"),
    ],
)
def test_what_the_dialect_has_no_word_for_is_refused_with_a_remedy(origin: Any, said: str) -> None:
    with pytest.raises(RequestError) as caught:
        response_schema(origin, GEMINI)
    assert said in caught.value.reason
    assert caught.value.remedy
