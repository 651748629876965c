"""``responseJsonSchema``, and the check of answers against it.

Source: a public report of batch jobs that answered it with endless text, although ``responseSchema`` worked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic_core import from_json

from airflow_provider_genai_batch.exceptions import InputError
from airflow_provider_genai_batch.wire.spelling import fields_of

_NAME = "responseJsonSchema"
SCHEMAS = ("responseSchema", _NAME)
"""Fields of ``generationConfig`` with the schema of an answer; the service accepts only one of them."""


def json_schema_of(request_defaults: Any) -> Any:
    """Return the JSON Schema in `request_defaults`, or None."""
    if request_defaults is None:
        return None
    fields = fields_of(request_defaults) or {}
    inside = fields_of(fields.get("generationConfig")) or {}
    return fields.get(_NAME, inside.get(_NAME))


def json_schema_check(schema: Any) -> Callable[[str], Any]:
    """Return a function that reads an answer's text as JSON. It raises ValueError with the places that do not fit.

    Raises:
        InputError: `schema` is not a JSON Schema.
    """
    from jsonschema import SchemaError, validators

    if not isinstance(schema, (Mapping, bool)):
        msg = f"response_json_schema is of type {type(schema).__name__}: give JSON Schema as a dict."
        raise InputError(msg)
    kind = validators.validator_for(schema, default=validators.validator_for({}))
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        where = ".".join(map(str, error.absolute_path)) or "its root"
        msg = f"response_json_schema is not a valid JSON Schema: {error.message}, at {where}."
        raise InputError(msg) from error
    validator = kind(schema)

    def check(text: str) -> Any:
        answer = from_json(text)
        found = list(validator.iter_errors(answer))
        if found:
            places = [".".join(map(str, error.absolute_path)) or "answer" for error in found[:3]]
            wrong = "; ".join(
                f"{place}: {error.message}" for place, error in zip(places, found, strict=False)
            )
            raise ValueError(wrong + (f"; and {len(found) - 3} more" if len(found) > 3 else ""))
        return answer

    return check
