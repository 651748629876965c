"""Rules of the services' dialect of schemas.

Source: Google's Schema reference; errors of the live services in public reports: an object must have properties and an
array must have items; an enum has only strings, none of them empty; required names must be names of properties.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, NamedTuple

from airflow_provider_genai_batch.models.base import Backend

TEXTS = frozenset({"description", "format", "pattern", "title"})
NUMBERS = frozenset({"maximum", "minimum"})
COUNTS = frozenset({"maxItems", "maxLength", "maxProperties", "minItems", "minLength", "minProperties"})
LISTS = frozenset({"enum", "propertyOrdering", "required"})
SCHEMA_FIELDS = (
    TEXTS
    | NUMBERS
    | COUNTS
    | LISTS
    | {"additionalProperties", "anyOf", "default", "defs", "example", "items", "nullable"}
    | {"properties", "ref", "type"}
)
"""All keywords of the dialect, and those that `wire.schemas.schema` resolves."""
_UNSPECIFIED = "TYPE_UNSPECIFIED"
_TYPES = frozenset({"ARRAY", "BOOLEAN", "INTEGER", "NULL", "NUMBER", "OBJECT", "STRING", _UNSPECIFIED})
_OF_ONE_TYPE = {"items": "ARRAY", "properties": "OBJECT", "required": "OBJECT"}
_STRINGS = 'Write the values as strings, with "type": "string".'


class Wrong(NamedTuple):
    """An error in a schema, and what to do about it."""

    what: str
    remedy: str


def wrong_kind(name: str, value: Any) -> Wrong | None:
    """Return what is wrong with the value of a keyword, or None."""
    if name in TEXTS:
        right, due = isinstance(value, str), "text"
    elif name in NUMBERS:
        right, due = isinstance(value, (int, float)) and not isinstance(value, bool), "a number"
    elif name in COUNTS:
        right, due = _is_count(value), "a whole number"
    elif name in LISTS:
        right = isinstance(value, (list, tuple)) and all(isinstance(one, (str, Enum)) for one in value)
        due = "a list of strings"
    elif name == "nullable":
        right, due = isinstance(value, bool), "true or false"
    else:
        return None
    if right:
        return None
    return Wrong(f"{name} = {value!r}, which is not {due}", _STRINGS if name == "enum" else f"Give {due}.")


def unknown_type(name: str) -> Wrong | None:
    """Return what is wrong with the name of a type, or None."""
    if name.upper() in _TYPES:
        return None
    return Wrong(f"the unknown type {name!r}", f"There are {', '.join(sorted(_TYPES - {_UNSPECIFIED}))}.")


def with_type(spelled: dict[str, Any]) -> dict[str, Any]:
    """Add the only type that a schema without one can have."""
    if spelled.get("type") in (None, _UNSPECIFIED) and "anyOf" not in spelled:
        for name, kind in (("properties", "OBJECT"), ("items", "ARRAY"), ("enum", "STRING")):
            if name in spelled:
                return {**spelled, "type": kind}
    return spelled


def broken_rule(spelled: Mapping[str, Any], backend: Backend) -> Wrong | None:
    """Return what the service would refuse in a converted schema, without the schemas inside it; None: nothing."""
    kind = spelled.get("type")
    if kind in (None, _UNSPECIFIED) and "anyOf" not in spelled:
        return Wrong("no type", 'Give one, such as "type": "string".')
    for name, only in _OF_ONE_TYPE.items():
        if name in spelled and kind not in (only, None):
            return Wrong(f"{name} beside the type {kind}", f"It belongs to {only}.")
    if "enum" in spelled and (wrong := _wrong_enum(spelled, backend)):
        return wrong
    if kind == "ARRAY" and "items" not in spelled:
        return Wrong("an array without items", 'Say what they are, such as "items": {"type": "string"}.')
    return _wrong_object(spelled) if kind == "OBJECT" else None


def alone(spelled: Mapping[str, Any]) -> dict[str, Any]:
    """Move ``description`` and ``nullable`` from beside ``anyOf`` into its choices."""
    beside = {"description": spelled["description"]} if "description" in spelled else {}
    choices = [{**beside, **choice} for choice in spelled["anyOf"]]
    if spelled.get("nullable"):
        choices[0]["nullable"] = True
    return {"anyOf": [alone(choice) if "anyOf" in choice else choice for choice in choices]}


def _wrong_enum(spelled: Mapping[str, Any], backend: Backend) -> Wrong | None:
    # Vertex AI's reference also has numbers, written as strings, if format is enum.
    numbers = backend is Backend.VERTEX and spelled.get("format") == "enum"
    if spelled.get("type") != "STRING" and not (numbers and spelled.get("type") in ("INTEGER", "NUMBER")):
        return Wrong(f"an enum of the type {spelled.get('type')}", _STRINGS)
    if not spelled["enum"] or "" in spelled["enum"]:
        return Wrong("an enum with an empty value, or with none", "Leave that value out, or give it a name.")
    return None


def _wrong_object(spelled: Mapping[str, Any]) -> Wrong | None:
    properties = spelled.get("properties") or {}
    if not properties and not isinstance(spelled.get("additionalProperties"), Mapping):
        return Wrong(
            "an object without properties",
            "Name its fields, or ask for a list of objects with a key and a value; a function that takes nothing has "
            "no parameters.",
        )
    for name in ("required", "propertyOrdering"):
        if unknown := [one for one in spelled.get(name, ()) if one not in properties]:
            return Wrong(
                f"{unknown[0]!r} in {name}, which is none of the properties", "Name existing fields."
            )
    return None


def _is_count(value: Any) -> bool:
    if isinstance(value, str):
        return value.isascii() and value.isdigit()
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
