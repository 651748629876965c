"""The services' rules for a response schema, read apart from the product, and answers that follow one.

Source: Google's Schema reference; refusals of the live services that were published with their text: ``should be
non-empty for OBJECT type``, ``items: missing field``, ``enum: only allowed for STRING type``, ``enum[0]: cannot be
empty``, ``property is not defined``, ``Unknown name "additionalProperties"``, and in functions on Vertex AI
``When using any_of, it must be the only field set``.
"""

from __future__ import annotations

import math
import re
from typing import Any

from hypothesis import strategies as st

from airflow_provider_genai_batch.models.base import Backend

_SHARED = {
    "type": str,
    "format": str,
    "title": str,
    "description": str,
    "nullable": bool,
    "enum": list,
    "maxItems": int,
    "minItems": int,
    "properties": dict,
    "required": list,
    "minProperties": int,
    "maxProperties": int,
    "minLength": int,
    "maxLength": int,
    "pattern": str,
    "anyOf": list,
    "propertyOrdering": list,
    "items": dict,
    "minimum": (int, float),
    "maximum": (int, float),
    "default": (str, int, float, bool),
}
_FIELDS = {Backend.GEMINI: _SHARED, Backend.VERTEX: {**_SHARED, "additionalProperties": (dict, bool)}}
_BELONGS = {
    "enum": {"STRING"},
    "pattern": {"STRING"},
    "minLength": {"STRING"},
    "maxLength": {"STRING"},
    "items": {"ARRAY"},
    "minItems": {"ARRAY"},
    "maxItems": {"ARRAY"},
    "properties": {"OBJECT"},
    "required": {"OBJECT"},
    "propertyOrdering": {"OBJECT"},
    "additionalProperties": {"OBJECT"},
    "minimum": {"INTEGER", "NUMBER"},
    "maximum": {"INTEGER", "NUMBER"},
}
_TYPES = {"STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"}


def refusals(schema: Any, backend: Backend, at: str = "response_schema") -> list[str]:
    """Return what the service would say to a schema at a place; nothing: it takes it."""
    fields = _FIELDS[backend]
    said = [f"{at}: unknown name {name}" for name in schema if name not in fields]
    said += [
        f"{at}.{name}: wrong kind of value"
        for name, value in schema.items()
        if name in fields and not isinstance(value, fields[name])
    ]
    kind = schema.get("type")
    if "anyOf" in schema:
        if kind is not None or not schema["anyOf"]:
            said.append(f"{at}: any_of beside a type, or empty")
        if backend is Backend.VERTEX and at.startswith("parameters") and len(schema) > 1:
            said.append(f"{at}: other fields alongside any_of")
        for number, one in enumerate(schema["anyOf"]):
            said += refusals(one, backend, f"{at}.any_of[{number}]")
        return said
    if kind not in _TYPES:
        return [*said, f"{at}.type: {kind}"]
    said += [
        f"{at}.{name}: not allowed for {kind}" for name in schema if kind not in _BELONGS.get(name, {kind})
    ]
    if "enum" in schema:
        said += [
            f"{at}.enum: {value!r}" for value in schema["enum"] if not isinstance(value, str) or not value
        ]
        said += [f"{at}.enum: empty"] if not schema["enum"] else []
    if re.search(r"\(\?[=!<]|\\[1-9]", schema.get("pattern", "")):
        said.append(f"{at}.pattern: not RE2")
    if kind == "ARRAY":
        said += (
            refusals(schema["items"], backend, f"{at}.items")
            if "items" in schema
            else [f"{at}.items: missing"]
        )
    if kind == "OBJECT":
        said += _refusals_of_object(schema, backend, at)
    return said


def _refusals_of_object(schema: dict[str, Any], backend: Backend, at: str) -> list[str]:
    properties = schema.get("properties", {})
    more = schema.get("additionalProperties")
    said = [] if properties or isinstance(more, dict) else [f"{at}.properties: empty"]
    if isinstance(more, dict):
        said += refusals(more, backend, f"{at}.additionalProperties")
    for name in ("required", "propertyOrdering"):
        said += [
            f"{at}.{name}: {one} is not defined" for one in schema.get(name, ()) if one not in properties
        ]
    for name, one in properties.items():
        said += refusals(one, backend, f"{at}.properties[{name}]")
    return said


_TEXTS = {
    "date": st.dates().map(lambda value: value.isoformat()),
    "date-time": st.datetimes().map(lambda value: value.isoformat() + "Z"),
    "time": st.times().map(lambda value: value.isoformat()),
    "duration": st.integers(0, 10**5).map("PT{}S".format),
    "uuid": st.uuids().map(str),
}
"""What a format says; any other text where there is none of these."""
_LETTERS = st.characters(codec="utf-8", exclude_characters="\x00")


def answers(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return what a model may answer that follows a schema."""
    if "anyOf" in schema:
        found = st.one_of([answers(one) for one in schema["anyOf"]])
    else:
        found = _BY_TYPE[schema["type"]](schema)
    return st.none() | found if schema.get("nullable") else found


def _strings(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "pattern" in schema:
        return st.from_regex(schema["pattern"], fullmatch=True)
    if schema.get("format") in _TEXTS:
        return _TEXTS[schema["format"]]
    return st.text(_LETTERS, min_size=schema.get("minLength", 0), max_size=schema.get("maxLength", 12))


def _integers(schema: dict[str, Any]) -> st.SearchStrategy[int]:
    low, high = schema.get("minimum"), schema.get("maximum")
    return st.integers(None if low is None else math.ceil(low), None if high is None else math.floor(high))


def _numbers(schema: dict[str, Any]) -> st.SearchStrategy[float]:
    low, high = schema.get("minimum"), schema.get("maximum")
    broad = st.floats(low, high, allow_nan=False, allow_infinity=False)
    return broad if low is not None and high is not None else broad | _integers(schema).filter(_is_small)


def _is_small(value: int) -> bool:
    return abs(value) < 2**53


def _arrays(schema: dict[str, Any]) -> st.SearchStrategy[list[Any]]:
    least = schema.get("minItems", 0)
    return st.lists(answers(schema["items"]), min_size=least, max_size=schema.get("maxItems", least + 3))


def _objects(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    if "properties" not in schema:
        return st.dictionaries(
            st.text(_LETTERS, max_size=5), answers(schema["additionalProperties"]), max_size=3
        )
    fields = {name: answers(one) for name, one in schema["properties"].items()}
    due = set(schema.get("required", ()))
    return st.fixed_dictionaries(
        {name: one for name, one in fields.items() if name in due},
        optional={name: one for name, one in fields.items() if name not in due},
    )


_BY_TYPE = {
    "STRING": _strings,
    "INTEGER": _integers,
    "NUMBER": _numbers,
    "BOOLEAN": lambda _: st.booleans(),
    "NULL": lambda _: st.none(),
    "ARRAY": _arrays,
    "OBJECT": _objects,
}
