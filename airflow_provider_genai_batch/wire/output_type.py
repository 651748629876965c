"""What answers are to be: asked for as the schema that is safe on batch endpoints, and checked when they come.

Google's batch endpoint has answered ``responseJsonSchema`` with degenerate output where ``responseSchema`` worked, so
the latter is sent, with references resolved (`wire.schema`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError

from airflow_provider_genai_batch.exceptions import ConfigurationError, InputError
from airflow_provider_genai_batch.wire.spelling import fields_of

_SAID_ALREADY = ("responseSchema", "responseJsonSchema", "responseMimeType")


def ask_for(output_type: Any, request_defaults: Any) -> Any:
    """Add a type to the fields that every request gets; what are no fields is for others to refuse.

    Raises:
        ConfigurationError: they say already what answers are to be.
    """
    fields = fields_of({} if request_defaults is None else request_defaults)
    if fields is None:
        return request_defaults
    twice = [name for name in _SAID_ALREADY if name in fields]
    if twice:
        msg = f"What answers are to be is given twice, as output_type and as request_defaults[{twice[0]!r}]: keep one."
        raise ConfigurationError(msg)
    return {**fields, "responseMimeType": "application/json", "responseSchema": output_type}


def answer_check(output_type: Any) -> Callable[[str], Any]:
    """Return what reads an answer's text as a type, or raises ValueError with where it is not of it.

    Args:
        output_type: a Pydantic model, or any type that a ``TypeAdapter`` takes.

    Raises:
        InputError: it is no such type.
    """
    try:
        # Without the adapter's own call around it, which costs as much as a small answer.
        read = TypeAdapter(output_type).validator.validate_json
    except (PydanticSchemaGenerationError, PydanticUserError, TypeError) as error:
        msg = f"output_type={output_type!r} is no type that answers can be read as: {error}. Give a Pydantic model."
        raise InputError(msg) from error

    def check(text: str) -> Any:
        try:
            return read(text)
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False, include_context=False)
            where = "; ".join(
                f"{'.'.join(map(str, one['loc'])) or 'answer'}: {one['msg']}" for one in found[:3]
            )
            more = f"; and {len(found) - 3} more" if len(found) > 3 else ""
            raise ValueError(where + more) from error

    return check
