"""``responseSchema`` and ``parameters``: from a dict or a Python type to the service's dialect of OpenAPI 3.0.

References are resolved in place, ``null`` alternatives become ``nullable``, and ``propertyOrdering`` keeps the order of
fields. The rules of the dialect are checked here, before a service refuses a schema: a type for every value, enums of
strings, properties for an object, items for an array.
Source: Google's Schema reference; what Google's google-genai SDK sends for the same value; public reports of what the
services refuse.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from enum import Enum
from types import GenericAlias, UnionType
from typing import Any, get_origin

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.schemas.schema_rules import (
    SCHEMA_FIELDS,
    Wrong,
    alone,
    broken_rule,
    unknown_type,
    with_type,
    wrong_kind,
)
from airflow_provider_genai_batch.wire.schemas.type_schema import TypeSchema, schema_of_type
from airflow_provider_genai_batch.wire.spelling import as_written, fields_of, free

_JSON_SCHEMA = {
    "response_schema": "Use response_json_schema, which takes JSON Schema as it is.",
    "parameters": "Use parameters_json_schema, which takes JSON Schema as it is.",
    "response": "Use response_json_schema of the function, which takes JSON Schema as it is.",
}
_MISSPELLED = 0.8
"""How alike two names are of which one is a misspelling; other keywords of JSON Schema are less alike than this."""


def response_schema(origin: Any, backend: Backend, *, holder: str = "response_schema") -> dict[str, Any]:
    """Convert a schema.

    Args:
        origin: a schema as dict or ``google.genai.types.Schema``; a Pydantic model; an Enum; a type such as
            ``list[int]`` or ``str | None``; a `TypeSchema`, whose answers are checked.
        backend: ``additionalProperties`` exists on Vertex AI only.
        holder: the field that contains the schema, for messages.

    Raises:
        RequestError: it is not a schema, uses a keyword that the dialect does not have, or would be refused.
    """
    if isinstance(origin, TypeSchema):
        return _Reader({}, backend, holder).read(origin.schema)
    if isinstance(origin, (type, GenericAlias, UnionType)) or get_origin(origin) is not None:
        said = schema_of_type(origin)
        if said.left_out:
            msg = f"{holder} cannot say {said.left_out[0]!r}, and nothing checks the answers for it"
            remedy = (
                "Leave it out"
                if holder != "response_schema"
                else "Give the type as output_type, or leave it out"
            )
            raise RequestError(msg, f"{remedy}.")
        return _Reader({}, backend, holder).read(said.schema)
    if (given := fields_of(origin)) is None:
        msg = f"{holder} cannot be {origin!r}"
        raise RequestError(msg, "Give a Pydantic model, a type, or a schema as a dict.")
    definitions = given.get("$defs") or given.get("defs") or {}
    rest = {name: value for name, value in given.items() if name not in ("$defs", "defs")}
    return _Reader(definitions, backend, holder).read(rest)


class _Reader:
    """Resolves and converts one schema, and tracks the references that are being resolved.

    Args:
        definitions: schemas by the names that references use.
        backend: where it goes.
        holder: the field that contains it.
    """

    def __init__(self, definitions: Mapping[str, Any], backend: Backend, holder: str) -> None:
        self._definitions, self._backend, self._holder = definitions, backend, holder
        self._ordered = holder == "response_schema"
        # In functions, Vertex AI refuses an anyOf with siblings; for answers this has not been seen.
        self._alone = backend is Backend.VERTEX and not self._ordered
        self._open: list[str] = []

    def read(self, value: Any, place: str = "") -> dict[str, Any]:
        fields = fields_of(value)
        if fields is None:
            msg = f"a schema is an object, not {value!r}"
            raise self._refusal(msg, place)
        fields = self._without_null(fields)
        if (name := fields.pop("$ref", None) or fields.pop("ref", None)) is not None:
            return self._resolve(str(name), fields, place)
        return self._spell(fields, place, value)

    def _resolve(self, reference: str, beside: dict[str, Any], place: str) -> dict[str, Any]:
        name = reference.rpartition("/")[2]
        if name in self._open:
            msg = f"{name} contains itself, which {self._holder} cannot express"
            raise self._refusal(msg, place, "Write the levels out, the last without the next.")
        if name not in self._definitions:
            msg = f"{self._holder} refers to {reference}, which it does not define"
            raise self._refusal(msg, place)
        self._open.append(name)
        try:
            return self.read({**(fields_of(self._definitions[name]) or {}), **beside}, place)
        finally:
            self._open.pop()

    def _without_null(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Replace JSON Schema's ``null`` by ``nullable``."""
        fields = dict(fields)
        choices, values = fields.get("anyOf"), fields.get("enum")
        if isinstance(values, (list, tuple)) and None in values:
            fields |= {"enum": [value for value in values if value is not None], "nullable": True}
        if not isinstance(choices, (list, tuple)):
            return fields
        kept = [one for one in choices if not _is_null((fields_of(one) or {}).get("type"))]
        if len(kept) == len(choices):
            return fields
        fields["nullable"] = True
        fields["anyOf"] = kept
        if len(kept) == 1:
            del fields["anyOf"]
            fields.update(fields_of(kept[0]) or {})
        return fields

    def _spell(self, fields: dict[str, Any], place: str, value: Any) -> dict[str, Any]:
        if "const" in fields:
            fields = self._without_const(fields, place)
        if self._backend is Backend.GEMINI and fields.get("additionalProperties") is False:
            # This service does not have the keyword, and behaves like this anyway.
            fields = {name: inner for name, inner in fields.items() if name != "additionalProperties"}
        spelled: dict[str, Any] = {}
        for name, inner in fields.items():
            if name not in SCHEMA_FIELDS:
                msg = f"{self._holder} cannot say {as_written(value, name)!r}"
                near = get_close_matches(name, SCHEMA_FIELDS, n=1, cutoff=_MISSPELLED)
                raise self._refusal(msg, place, f"Did you mean {near[0]}?" if near else None)
            spelled[name] = self._field(name, inner, place)
        spelled = with_type(spelled)
        self._refuse(broken_rule(spelled, self._backend), place)
        properties = spelled.get("properties", {})
        if self._ordered and len(properties) > 1 and "propertyOrdering" not in spelled:
            spelled["propertyOrdering"] = list(properties)
        return alone(spelled) if self._alone and "anyOf" in spelled else spelled

    def _field(self, name: str, inner: Any, place: str) -> Any:
        if name == "type":
            return self._type_name(inner, place)
        if name == "properties":
            if not isinstance(inner, Mapping):
                msg = f"properties is {inner!r}, not a dict of schemas"
                raise self._refusal(msg, place)
            return {
                key: self.read(one, f"{place}.{key}" if place else str(key)) for key, one in inner.items()
            }
        if name == "items":
            return self.read(inner, f"{place}[]")
        if name == "anyOf":
            if not isinstance(inner, (list, tuple)) or not inner:
                msg = f"anyOf is {inner!r}, not a list of schemas"
                raise self._refusal(msg, place)
            return [self.read(one, place) for one in inner]
        if name == "additionalProperties":
            if self._backend is Backend.GEMINI:
                msg = f"additionalProperties in {self._holder} exists only on Vertex AI"
                remedy = "Ask for a list of objects with a key and a value, or use a connection of Vertex AI."
                raise self._refusal(msg, place, remedy)
            return inner if isinstance(inner, bool) else self.read(inner, f"{place}{{}}")
        self._refuse(wrong_kind(name, inner), place)
        return free(inner, name)

    def _without_const(self, fields: dict[str, Any], place: str) -> dict[str, Any]:
        fields = dict(fields)
        constant = fields.pop("const")
        if not isinstance(constant, str):
            msg = f"{self._holder} cannot say that a value is always {constant!r}: only strings"
            raise self._refusal(msg, place)
        return {**fields, "enum": [constant]}

    def _type_name(self, value: Any, place: str) -> str:
        name = value.value if isinstance(value, Enum) else value
        if not isinstance(name, str):
            msg = f"{self._holder} cannot say that a type is {name!r}: only one"
            raise self._refusal(msg, place)
        self._refuse(unknown_type(name), place)
        return name.upper()

    def _refuse(self, wrong: Wrong | None, place: str) -> None:
        if wrong is not None:
            raise self._refusal(f"{self._holder} has {wrong.what}", place, wrong.remedy)

    def _refusal(self, reason: str, place: str, remedy: str | None = None) -> RequestError:
        at = f", at {place}" if place else ""
        return RequestError(reason + at, remedy or _JSON_SCHEMA.get(self._holder, ""))


def _is_null(value: Any) -> bool:
    return isinstance(value, str) and value.lower() == "null"
