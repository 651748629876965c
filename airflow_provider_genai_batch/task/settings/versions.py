"""The versions of a task's prompt, schema and defaults, known from its parameters before any row is read."""

from __future__ import annotations

from typing import Any

from pydantic_core import PydanticSerializationError, from_json, to_json

from airflow_provider_genai_batch.exceptions import GenAIBatchError
from airflow_provider_genai_batch.models.jobs.identity import digest
from airflow_provider_genai_batch.models.manifest.versions import Versions
from airflow_provider_genai_batch.wire.schemas.json_schema import SCHEMAS
from airflow_provider_genai_batch.wire.schemas.output_type import ask_for, output_schema
from airflow_provider_genai_batch.wire.schemas.type_name import type_name
from airflow_provider_genai_batch.wire.spelling import fields_of

_DIGITS = 16
_LONGEST = 128
"""Most characters of a name."""


def versions_of(task: Any) -> Versions | None:
    """Return the versions of a task; None: there are none.

    It never raises: invalid parameters are refused elsewhere.

    Args:
        task: an operator with its templates rendered, or its settings.
    """
    schema, name, defaults = _schema(task.output_type, task.request_defaults)
    found = Versions(
        prompt_name=task.prompt_name and str(task.prompt_name)[:_LONGEST],
        prompt=_digest(task.prompt),
        response_schema_name=name and name[:_LONGEST],
        response_schema=_digest(schema),
        request_defaults=_digest(defaults or None),
    )
    return found if found.model_dump() else None


def _schema(output_type: Any, request_defaults: Any) -> tuple[Any, str | None, Any]:
    """Return the response schema, its name, and the other fields of every request."""
    try:
        fields = {} if request_defaults is None else fields_of(request_defaults)
    except GenAIBatchError:
        fields = None
    if fields is None:
        return None, None, None
    inside = fields.get("generationConfig")
    inner = (fields_of(inside) or {}) if inside is not None else {}
    schema = next((it[one] for it in (fields, inner) for one in SCHEMAS if one in it), None)
    defaults = {one: it for one, it in fields.items() if one not in SCHEMAS}
    if inner:
        defaults["generationConfig"] = {one: it for one, it in inner.items() if one not in SCHEMAS}
    if output_type is not None:
        name = None if isinstance(output_type, str) else type_name(output_type)
        return _of_type(output_type), name, defaults
    if isinstance(schema, type):
        return _of_type(schema), type_name(schema), defaults
    return schema, None, defaults


def _of_type(output_type: Any) -> Any:
    try:
        return ask_for(output_type, None)["responseSchema"]
    except GenAIBatchError:  # such a type is only used to check answers, not in requests
        pass
    try:
        return output_schema(output_type)
    except GenAIBatchError:
        return None


def _digest(value: Any) -> str | None:
    if value is None:
        return None
    try:
        return digest(from_json(to_json(value, bytes_mode="base64", exclude_none=True)))[:_DIGITS]
    except (PydanticSerializationError, ValueError, TypeError):
        return None
