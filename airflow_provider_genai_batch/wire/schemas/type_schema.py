"""Python types as schemas in the service's dialect, and the conversion of its answers back to their values.

The dialect is limited: its enums have only strings, an array has one schema for its items, a union is ``anyOf``. So a
type is expressed in these terms, with three results: the schema, the keywords that it could not express and that the
check of the answers has to verify, and the texts of an answer that stand for values other than strings.
Source: Google's Schema reference; public reports of what the services refuse.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic import TypeAdapter

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.wire.schemas.pydantic_schema import pydantic_schema
from airflow_provider_genai_batch.wire.schemas.schema_rules import COUNTS, NUMBERS, TEXTS
from airflow_provider_genai_batch.wire.schemas.text_values import (
    Back,
    choice_back,
    fields_back,
    items_back,
    texts_back,
)

Schema: TypeAlias = dict[str, Any]

_TAKEN_OVER = (TEXTS | NUMBERS | COUNTS) - {"pattern"}
"""Keywords with the same meaning in JSON Schema and in the dialect."""
_SAYS_NOTHING = frozenset(
    {
        "$comment",
        "$id",
        "$schema",
        "deprecated",
        "discriminator",
        "examples",
        "readOnly",
        "uniqueItems",
        "writeOnly",
    }
)
"""Keywords that restrict no value. A set is also read from a list with duplicates."""
_READ_APART = frozenset(
    {
        "$defs",
        "$ref",
        "additionalProperties",
        "allOf",
        "anyOf",
        "const",
        "default",
        "enum",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "items",
        "oneOf",
        "pattern",
        "patternProperties",
        "prefixItems",
        "properties",
        "propertyNames",
        "required",
        "type",
    }
)
_PLAIN = {"string": str, "integer": int, "number": float, "boolean": bool}
_NOT_IN_RE2 = ("(?=", "(?!", "(?<=", "(?<!", "(?P=", *(f"\\{digit}" for digit in range(1, 10)))
"""Parts of a pattern that Google's regular expressions do not have."""


@dataclass(frozen=True)
class TypeSchema:
    """The schema by which a request asks for answers of a type."""

    schema: Schema
    """JSON Schema without references, with ``nullable`` instead of null."""
    left_out: tuple[str, ...] = ()
    """Keywords that the dialect does not have, as ``place: keyword``."""
    back: Back | None = None
    """Replaces texts that stand for other values; None if there are none."""


def schema_of_type(origin: Any, adapter: TypeAdapter[Any] | None = None) -> TypeSchema:
    """Return the schema of a type in the dialect.

    Args:
        origin: a Pydantic model, an Enum, or any type that a ``TypeAdapter`` accepts.
        adapter: for that type, if there already is one.

    Raises:
        RequestError: it is not such a type, or the dialect cannot express part of it, not even with the check of the
            answers: a type that contains itself, one that may be anything, keys that are not strings.
    """
    given = pydantic_schema(origin, adapter)
    teller = _Teller(given.get("$defs") or {})
    schema, back = teller.say(given, "")
    return TypeSchema(schema, tuple(teller.left_out), back)


class _Teller:
    """Reads one JSON Schema from Pydantic, and tracks the references that are being resolved."""

    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self._definitions, self._open = definitions, list[str]()
        self.left_out: list[str] = []

    def say(self, given: Any, place: str) -> tuple[Schema, Back | None]:
        """Return the schema at a place, ``a.b[]`` from the root, and the conversion of its answers."""
        if not isinstance(given, Mapping):
            raise _anything(place)
        given = self._opened(given, place)
        name = self._reference(given)
        if name is None:
            return self._said(given, place)
        if name in self._open:
            msg = f"{name} holds itself, at {place or 'its root'}, which response_schema cannot express"
            raise RequestError(
                msg, "Write the levels out: a type of its own for each, the last without the next."
            )
        self._open.append(name)
        try:
            beside = {key: value for key, value in given.items() if key != "$ref"}
            return self.say({**self._definitions[name], **beside}, place)
        finally:
            self._open.pop()

    def _opened(self, given: Mapping[str, Any], place: str) -> Mapping[str, Any]:
        """Return a schema in which the only member of ``allOf`` replaces it."""
        parts = given.get("allOf")
        if parts is None:
            return given
        if len(parts) != 1:
            msg = f"response_schema cannot say 'allOf'{_at(place)}"
            raise RequestError(msg, "Give one type that holds all of it.")
        return {**parts[0], **{key: value for key, value in given.items() if key != "allOf"}}

    def _reference(self, given: Mapping[str, Any]) -> str | None:
        name = str(given.get("$ref", "")).rpartition("/")[2]
        return name if name in self._definitions else None

    def _said(self, given: Mapping[str, Any], place: str) -> tuple[Schema, Back | None]:
        values = [given["const"]] if "const" in given else given.get("enum")
        choices = given.get("anyOf") or given.get("oneOf")
        kind = given.get("type")
        if values is not None:
            said, back = _of_values(values, place)
        elif choices is not None:
            said, back = self._of_choices(choices, _tag(given), place)
        elif kind == "object":
            said, back = self._object(given, place)
        elif kind == "array":
            said, back = self._array(given, place)
        elif kind in ("string", "integer", "number", "boolean", "null"):
            said, back = {"type": kind}, None
        else:
            raise _anything(place)
        kind = None if "enum" in said else said.get("type")
        return {**said, **self._words(given, kind, place)}, back

    def _words(self, given: Mapping[str, Any], kind: str | None, place: str) -> Schema:
        """Return the keywords that the dialect has, and note the others."""
        enumerated = "const" in given or "enum" in given
        words: Schema = {}
        for name, value in given.items():
            if name in ("title", "description") or (not enumerated and _is_shared(name, value)):
                words[name] = value
            elif name == "default":
                # A default does not affect the check, so only a plain value of the right kind is worth showing.
                if not enumerated and type(value) is _PLAIN.get(str(kind)):
                    words[name] = value
            elif name in ("exclusiveMinimum", "exclusiveMaximum"):
                words |= self._edge(name, value, kind, place)
            elif name == "pattern" or name not in _READ_APART | _SAYS_NOTHING | _TAKEN_OVER:
                self._leave_out(name, place)
        return words

    def _edge(self, name: str, value: Any, kind: str | None, place: str) -> Schema:
        """Return the nearest inclusive bound."""
        word = name.replace("exclusiveM", "m")
        if kind != "integer":
            self._leave_out(name, place)
            return {word: value}
        return {word: math.floor(value) + 1 if word == "minimum" else math.ceil(value) - 1}

    def _leave_out(self, name: str, place: str) -> None:
        self.left_out.append(f"{place}: {name}" if place else name)

    # ------------------------------------------------------------ kinds of value

    def _of_choices(self, choices: list[Any], tag: str | None, place: str) -> tuple[Schema, Back | None]:
        said: list[tuple[Schema, Back | None]] = []
        nullable = False
        for choice in choices:
            schema, back = self.say(choice, place)
            if tag is not None and tag in schema.get("properties", {}):
                # Pydantic selects the type by its tag, so an answer needs it even if the type has a default for it.
                schema["required"] = sorted(
                    {*schema.get("required", ()), tag}, key=list(schema["properties"]).index
                )
            if schema.get("type") == "null":
                nullable = True
            elif all(schema != known for known, _ in said):
                said.append((schema, back))
        if not said:
            return {"type": "null"}, None
        null = {"nullable": True} if nullable else {}
        if len(said) == 1:
            return {**said[0][0], **null}, said[0][1]
        return {"anyOf": [schema for schema, _ in said], **null}, choice_back(said)

    def _object(self, given: Mapping[str, Any], place: str) -> tuple[Schema, Back | None]:
        more = given.get("additionalProperties")
        said: Schema = {"type": "object"}
        if "properties" in given:
            read = {
                name: self.say(inner, f"{place}.{name}" if place else name)
                for name, inner in given["properties"].items()
            }
            said["properties"] = {name: schema for name, (schema, _) in read.items()}
            if given.get("required"):
                said["required"] = list(given["required"])
            if more is False:
                said["additionalProperties"] = False
            return said, fields_back({name: back for name, (_, back) in read.items()}, None)
        if patterns := given.get("patternProperties"):
            self._leave_out("patternProperties", place)
            more = next(iter(patterns.values())) if len(patterns) == 1 else {"anyOf": [*patterns.values()]}
        if more is None or more is False:
            return said, None
        schema, back = self.say(more, f"{place}{{}}")
        if (keys := given.get("propertyNames")) is not None:
            names, other = self.say({"type": "string", **keys}, f"{place}{{}}")
            if other is not None:
                msg = f"the keys{_at(place)} are no strings, as names in JSON are"
                raise RequestError(msg, "Give a dict whose keys are strings, or a list of pairs.")
            if "enum" in names:
                said["properties"] = dict.fromkeys(names["enum"], schema)
                return said, fields_back(dict.fromkeys(names["enum"], back), None)
            self._leave_out("propertyNames", place)
        return {**said, "additionalProperties": schema}, fields_back({}, back)

    def _array(self, given: Mapping[str, Any], place: str) -> tuple[Schema, Back | None]:
        first, rest = given.get("prefixItems") or [], given.get("items")
        kinds = [*first, *([rest] if isinstance(rest, Mapping) else [])]
        if not kinds:
            raise _anything(f"{place}[]")
        if len(kinds) == 1:
            schema, back = self.say(kinds[0], f"{place}[]")
        else:
            schema, back = self._of_choices(kinds, None, f"{place}[]")
            if "anyOf" in schema:
                self._leave_out("prefixItems", place)
        return {"type": "array", "items": schema}, items_back(back)


def _of_values(values: list[Any], place: str) -> tuple[Schema, Back | None]:
    """Return the schema of an enum. The dialect's enums have only strings, and none of them may be empty."""
    null = {"nullable": True} if None in values else {}
    some = [value for value in values if value is not None]
    if not some:
        return {"type": "null"}, None
    if sorted(map(repr, some)) == ["False", "True"]:
        return {"type": "boolean", **null}, None
    texts: dict[str, Any] = {value: value for value in some if isinstance(value, str) and value}
    for value in some:
        if not isinstance(value, (str, int, float)):
            msg = f"response_schema cannot say that a value is {value!r}{_at(place)}"
            raise RequestError(msg, "Give text, numbers, true or false.")
        if not isinstance(value, str):
            texts.setdefault(str(value).lower() if isinstance(value, bool) else str(value), value)
    if not texts:
        msg = f"response_schema cannot say that a value is always empty text{_at(place)}"
        raise RequestError(msg, "Leave the field out.")
    return {"type": "string", "enum": list(texts), **null}, texts_back(texts)


def _is_shared(name: str, value: Any) -> bool:
    """Whether a keyword has the same meaning in JSON Schema and in the dialect."""
    if name == "pattern":
        return not any(part in value for part in _NOT_IN_RE2)
    return name in _TAKEN_OVER


def _tag(given: Mapping[str, Any]) -> str | None:
    """Return the field by which Pydantic distinguishes the types of a union."""
    tag = (given.get("discriminator") or {}).get("propertyName")
    return None if tag is None else str(tag)


def _anything(place: str) -> RequestError:
    where = place if place and place[0] not in "[{" else f"the answer{place}"
    return RequestError(
        f"{where} may be anything, which response_schema cannot express",
        "Give it a type, such as str for text that is read later.",
    )


def _at(place: str) -> str:
    return f" at {place}" if place else ""
