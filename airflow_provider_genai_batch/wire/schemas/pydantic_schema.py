"""JSON Schema of a Python type: Pydantic's own, without values that Pydantic could not read from an answer."""

from __future__ import annotations

from enum import Enum
from types import NoneType
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import (
    PydanticInvalidForJsonSchema,
    PydanticSchemaGenerationError,
    PydanticUserError,
)
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaWarningKind
from pydantic_core import SchemaValidator, core_schema, to_json

from airflow_provider_genai_batch.exceptions import RequestError


def pydantic_schema(origin: Any, adapter: TypeAdapter[Any] | None = None) -> dict[str, Any]:
    """Return the JSON Schema of the input of a type, with references.

    Args:
        origin: a Pydantic model, an Enum, or any type that a ``TypeAdapter`` accepts.
        adapter: for that type, if there already is one.

    Raises:
        RequestError: it is not such a type, or has values that Pydantic cannot read from JSON.
    """
    try:
        return (adapter or TypeAdapter(origin)).json_schema(schema_generator=_Generator)
    except (PydanticSchemaGenerationError, PydanticUserError, TypeError) as error:
        why = f": {error.message}" if isinstance(error, PydanticInvalidForJsonSchema) else ""
        msg = f"response_schema cannot be made of {origin!r}{why}"
        raise RequestError(
            msg, "Give a Pydantic model, a type that Pydantic knows, or a schema as a dict."
        ) from error


class _Generator(GenerateJsonSchema):
    """Allows only values that the check of an answer accepts.

    Defaults do not affect the check, so a default that is not JSON needs no warning.
    """

    ignored_warning_kinds = {"non-serializable-default"}  # noqa: RUF012 - Pydantic's attribute

    def emit_warning(self, kind: JsonSchemaWarningKind, detail: str) -> None:
        """Refuse a union if Pydantic skips one of its types: an optional type would become only null."""
        if kind == "skipped-choice":
            raise PydanticInvalidForJsonSchema(detail)
        super().emit_warning(kind, detail)

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> dict[str, Any]:
        """Request numbers: texts are accepted too, but not any text."""
        said = super().decimal_schema(schema)
        return next((one for one in said.get("anyOf", ()) if one.get("type") == "number"), said)

    def enum_schema(self, schema: core_schema.EnumSchema) -> dict[str, Any]:
        """Refuse members that are not equal to any JSON value."""
        for member in schema["members"]:
            if not isinstance(member.value, (str, int, float, NoneType)):
                msg = f"{member} is a {type(member.value).__name__}, which JSON cannot represent"
                raise PydanticInvalidForJsonSchema(msg)
        return super().enum_schema(schema)

    def literal_schema(self, schema: core_schema.LiteralSchema) -> dict[str, Any]:
        """Refuse members that Pydantic cannot read from JSON, such as those of an Enum that is not a ``str``."""
        for value in schema["expected"]:
            try:
                SchemaValidator(core_schema.literal_schema([value])).validate_json(to_json(value))
            except (ValidationError, ValueError) as error:
                why = ", whose class is neither str nor int" if isinstance(value, Enum) else ""
                msg = f"Pydantic reads no JSON as {value!r}{why}"
                raise PydanticInvalidForJsonSchema(msg) from error
        return super().literal_schema(schema)
