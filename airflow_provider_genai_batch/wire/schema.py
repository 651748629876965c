"""``responseSchema``: from a dict, a Pydantic model or a Python type to the service's dialect of OpenAPI 3.0.

References are resolved in place, ``null`` alternatives become ``nullable``, the order of fields is kept in
``propertyOrdering``. Source: Google's Schema reference; what Google's google-genai SDK sends for the same
value.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, EnumMeta
from types import GenericAlias, UnionType
from typing import Any, get_origin

from pydantic import BaseModel, TypeAdapter
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.spelling import fields_of, free

SCHEMA_FIELDS = frozenset(
    {
        "additionalProperties",
        "anyOf",
        "default",
        "defs",
        "description",
        "enum",
        "example",
        "format",
        "items",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minItems",
        "minLength",
        "minProperties",
        "minimum",
        "nullable",
        "pattern",
        "properties",
        "propertyOrdering",
        "ref",
        "required",
        "title",
        "type",
    }
)
_TO_JSON_SCHEMA = "Use response_json_schema, which takes JSON Schema as it is."


def response_schema(origin: Any, backend: Backend) -> dict[str, Any]:
    """Spell a response schema.

    Args:
        origin: a schema as dict or ``google.genai.types.Schema``; a Pydantic model; an Enum; a type such as
            ``list[int]`` or ``str | None``.
        backend: ``additionalProperties`` exists on Vertex AI only.

    Raises:
        RequestError: not a schema, or it uses a keyword that the dialect has not.
    """
    if isinstance(origin, type) and issubclass(origin, BaseModel):
        given: dict[str, Any] = origin.model_json_schema()
    elif isinstance(origin, (type, GenericAlias, UnionType)) or get_origin(origin) is not None:
        given = _of_type(origin)
        if isinstance(origin, EnumMeta):  # the dialect has enums of strings only
            given |= {"type": "string", "enum": [str(value) for value in given["enum"]]}
    elif (fields := fields_of(origin)) is not None:
        given = fields
    else:
        msg = f"response_schema cannot be {origin!r}"
        raise RequestError(msg, "Give a Pydantic model, a type, or a schema as dict.")
    definitions = given.get("$defs") or given.get("defs") or {}
    return _Reader(definitions, backend).read({k: v for k, v in given.items() if k not in ("$defs", "defs")})


def _of_type(origin: Any) -> dict[str, Any]:
    try:
        given = TypeAdapter(origin).json_schema()
    except (PydanticSchemaGenerationError, PydanticUserError) as error:
        msg = f"response_schema cannot be made of {origin!r}"
        raise RequestError(
            msg, "Give a Pydantic model, a type that Pydantic knows, or a schema as dict."
        ) from error
    return given


class _Reader:
    """Resolves and spells one schema; remembers which references are open, to end recursion."""

    def __init__(self, definitions: Mapping[str, Any], backend: Backend) -> None:
        self._definitions, self._backend = definitions, backend
        self._open: list[str] = []

    def read(self, value: Any) -> dict[str, Any]:
        fields = fields_of(value)
        if fields is None:
            msg = f"a schema is an object, not {value!r}"
            raise RequestError(msg, _TO_JSON_SCHEMA)
        fields = self._without_null(fields)
        if (name := fields.pop("$ref", None) or fields.pop("ref", None)) is not None:
            return {**self._spell(fields), **self._resolve(str(name))}
        return self._spell(fields)

    def _resolve(self, reference: str) -> dict[str, Any]:
        name = reference.rpartition("/")[2]
        if (
            name in self._open
        ):  # a model that contains itself: the dialect has no word for it, anything goes there
            return {}
        if name not in self._definitions:
            msg = f"response_schema refers to {reference}, which it does not define"
            raise RequestError(msg, _TO_JSON_SCHEMA)
        self._open.append(name)
        try:
            return self.read(self._definitions[name])
        finally:
            self._open.pop()

    def _without_null(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Say ``nullable`` where JSON Schema says ``null``."""
        fields = dict(fields)
        if _is_null(fields.get("type")):
            del fields["type"]
            return {**fields, "nullable": True}
        choices = fields.get("anyOf")
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

    def _spell(self, fields: dict[str, Any]) -> dict[str, Any]:
        if "const" in fields:
            fields = self._without_const(fields)
        spelled: dict[str, Any] = {}
        for name, inner in fields.items():
            if name not in SCHEMA_FIELDS:
                msg = f"response_schema cannot say {name!r}"
                raise RequestError(msg, _TO_JSON_SCHEMA)
            spelled[name] = self._field(name, inner)
        properties = spelled.get("properties", {})
        if len(properties) > 1 and "propertyOrdering" not in spelled:
            spelled["propertyOrdering"] = list(properties)
        return spelled

    def _field(self, name: str, inner: Any) -> Any:
        if name == "type":
            return _type_name(inner)
        if name == "properties":
            if not isinstance(inner, Mapping):
                msg = f"properties is {inner!r}, not a dict of schemas"
                raise RequestError(msg, _TO_JSON_SCHEMA)
            return {key: self.read(one) for key, one in inner.items()}
        if name == "items":
            return self.read(inner)
        if name == "anyOf":
            return [self.read(one) for one in inner]
        if name == "additionalProperties":
            if inner and self._backend is Backend.GEMINI:
                msg = "additionalProperties in response_schema exists only on Vertex AI"
                raise RequestError(msg, _TO_JSON_SCHEMA)
            return inner if isinstance(inner, bool) else self.read(inner)
        return free(inner, name)

    @staticmethod
    def _without_const(fields: dict[str, Any]) -> dict[str, Any]:
        fields = dict(fields)
        constant = fields.pop("const")
        if not isinstance(constant, str):
            msg = f"response_schema cannot say that a value is always {constant!r}: only strings"
            raise RequestError(msg, _TO_JSON_SCHEMA)
        return {**fields, "enum": [constant]}


def _type_name(value: Any) -> str:
    name = value.value if isinstance(value, Enum) else value
    if not isinstance(name, str):
        msg = f"response_schema cannot say that a type is {name!r}: only one"
        raise RequestError(msg, _TO_JSON_SCHEMA)
    return name.upper()


def _is_null(value: Any) -> bool:
    return isinstance(value, str) and value.lower() == "null"
