"""``output_type``: the request for answers of a type, and the check of the answers.

Google's batch endpoint has answered ``responseJsonSchema`` with degenerate output where ``responseSchema`` worked. So
this module sends ``responseSchema``, with references resolved (`wire.schemas.schema`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from msgspec import DecodeError, Raw
from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import SchemaError, from_json, to_json
from typing_extensions import override

from airflow_provider_genai_batch.exceptions import ConfigurationError, InputError, RequestError
from airflow_provider_genai_batch.wire.schemas.column_text import type_of_columns
from airflow_provider_genai_batch.wire.schemas.json_schema import SCHEMAS, json_schema_check, json_schema_of
from airflow_provider_genai_batch.wire.schemas.partner_schema import has_answer_tool
from airflow_provider_genai_batch.wire.schemas.plain_types import plain_reader
from airflow_provider_genai_batch.wire.schemas.text_values import Back
from airflow_provider_genai_batch.wire.schemas.type_schema import schema_of_type
from airflow_provider_genai_batch.wire.spelling import fields_of

_SAID_ALREADY = (*SCHEMAS, "responseMimeType")


def ask_for(output_type: Any, request_defaults: Any) -> Any:
    """Add a type to the fields that every request gets. Defaults that have no fields are returned unchanged.

    Raises:
        ConfigurationError: the fields already have a schema.
        InputError: `output_type` is not a type, or has no schema.
    """
    fields = fields_of({} if request_defaults is None else request_defaults)
    if fields is None:
        return request_defaults
    output_type = given_type(output_type)
    twice = [name for name in _SAID_ALREADY if name in fields]
    if twice:
        msg = f"The type of the answers is given twice, as output_type and as request_defaults[{twice[0]!r}]: keep one."
        raise ConfigurationError(msg)
    try:
        schema = schema_of_type(output_type, _adapter(output_type))
    except RequestError as error:
        raise error.at("output_type") from error
    return {**fields, "responseMimeType": "application/json", "responseSchema": schema}


@dataclass(frozen=True)
class AnswerCheck:
    """Reads an answer's text as a type. It raises ValueError with the places that do not fit.

    It raises ConfigurationError if code of the type fails otherwise, which says nothing about the answer.

    Attributes:
        read: returns an instance of the type.
        core: Pydantic's schema of the type.
    """

    read: Callable[[str], Any]
    core: Any

    @cached_property
    def fast(self) -> Callable[[str], bytes] | None:
        """Converts an answer that certainly fits to JSON without creating an instance; None if that is not possible."""
        return plain_reader(self.core)

    def __call__(self, text: str) -> Any:
        """Return the text's value."""
        try:
            return self.read(text)
        except ValueError:
            raise
        except Exception as error:
            raise _own_code_failed(error) from error

    def spelled(self, text: str) -> Any:
        """Return the value as JSON, or unchanged if JSON cannot represent it."""
        if self.fast is not None:
            try:
                return Raw(self.fast(text))
            except (ValueError, DecodeError, OverflowError, RecursionError):
                pass  # Pydantic decides
        output = self(text)
        try:
            return Raw(to_json(output, inf_nan_mode="null", fallback=str))
        except Exception as error:
            raise _own_code_failed(error) from error


def spelled(output: Any) -> Any:
    """Return an output as JSON, or unchanged if JSON cannot represent it."""
    try:
        return Raw(to_json(output, inf_nan_mode="null"))
    except ValueError:
        return output


def answer_check(output_type: Any) -> AnswerCheck:
    """Return the check of answers against a type.

    Args:
        output_type: a Pydantic model, any type that a ``TypeAdapter`` accepts, or a text of columns.

    Raises:
        InputError: it is not such a type.
    """
    output_type = given_type(output_type)
    adapter = _adapter(output_type)
    # The adapter's own method costs as much as a small answer, and each setting a fifth of one. The schema names the
    # fields by name, so they are also read by name, even if they have aliases.
    read: Callable[[str | bytes], Any] = adapter.validator.validate_json
    if has_aliases(adapter.core_schema):
        read = partial(adapter.validator.validate_json, by_alias=True, by_name=True)
    back = _way_back(output_type, adapter)

    def check(text: str) -> Any:
        try:
            return read(text)
        except ValidationError as error:
            first = error
        for meant in _meant(text, back):
            try:
                return read(meant)
            except ValidationError as error:
                first = error
        raise ValueError(_what_is_wrong(first)) from first

    return AnswerCheck(check, adapter.core_schema)


def job_check(output_type: Any, request_defaults: Any) -> Callable[[str], Any] | None:
    """Return the check for every answer of a job; None if its answers have no type.

    Raises:
        InputError: `output_type` is not a type, or the JSON Schema is invalid.
    """
    if output_type is not None:
        return answer_check(output_type)
    schema = json_schema_of(request_defaults)
    return None if schema is None else json_schema_check(schema)


def output_schema(output_type: Any) -> dict[str, Any] | None:
    """Return the JSON Schema of `answer_check`'s values, as rows have them; None if the type has none."""
    try:
        return _adapter(given_type(output_type)).json_schema(
            mode="serialization", schema_generator=_AsWritten
        )
    except PydanticUserError:
        return None


class _AsWritten(GenerateJsonSchema):
    """Lists all members that are always written as required, including those with a default."""

    @override
    def field_is_required(self, field: Any, total: bool) -> bool:
        if field["type"] == "typed-dict-field":
            return bool(field.get("required", total))
        return not field.get("serialization_exclude_if")


def asks_for_type(output_type: Any, request: Any) -> bool:
    """Whether a request asks for answers of a type. An answer that was cut off does not fit a type.

    Args:
        output_type: the task's, or None.
        request: a whole request of any family, or the fields that every request gets, or None.
    """
    fields = fields_of(request) or {}
    inside = fields_of(fields.get("generationConfig")) or {}
    config = fields.get("outputConfig")
    formats = [fields.get("responseFormat"), inside.get("responseFormat")]
    if config is not None:
        formats.append((fields_of(config) or {}).get("format"))
    return (
        output_type is not None
        or any(name in fields or name in inside for name in SCHEMAS)
        or any(_has_schema(one) for one in formats if one is not None)
        or has_answer_tool(fields)
    )


def _has_schema(response_format: Any) -> bool:
    """Whether an answer format, or one of several, has a schema, in itself or in one of its members."""
    several = response_format if isinstance(response_format, (list, tuple)) else [response_format]
    for one in several:
        fields = fields_of(one) or {}
        if "schema" in fields or any("schema" in (fields_of(inner) or {}) for inner in fields.values()):
            return True
    return False


def read_back(output_type: Any, text: str) -> str:
    """Return an answer with the values that its texts stand for, as text that another check can read."""
    output_type = given_type(output_type)
    adapter = _adapter(output_type)
    readings = [text.encode(errors="replace"), *_meant(text, _way_back(output_type, adapter))]
    for reading in readings:
        with suppress(ValidationError):
            adapter.validate_json(reading)
            return reading.decode()
    return text


def given_type(output_type: Any) -> Any:
    """Return a type unchanged; for a text such as ``kind STRING, tags ARRAY<STRING>``, the type that it describes.

    Raises:
        InputError: the text cannot be parsed.
    """
    return type_of_columns(output_type) if isinstance(output_type, str) else output_type


def has_aliases(core: Any) -> bool:
    """Whether a member of a type may have another name in JSON, according to Pydantic's schema of the type."""
    if isinstance(core, Mapping):
        return any(("alias" in str(name) and value) or has_aliases(value) for name, value in core.items())
    return isinstance(core, (list, tuple)) and any(map(has_aliases, core))


def _adapter(output_type: Any) -> TypeAdapter[Any]:
    if isinstance(output_type, dict):
        raise _no_type(output_type, "")
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(output_type)
    except (PydanticSchemaGenerationError, PydanticUserError, SchemaError, NameError, TypeError) as error:
        raise _no_type(output_type, str(error).partition("\n")[0]) from error
    return adapter


def _no_type(output_type: Any, why: str) -> InputError:
    if isinstance(output_type, dict):
        remedy = "A schema goes into request_defaults, as response_schema or response_json_schema."
    else:
        remedy = f"Give a Pydantic model. ({why})"
    msg = f"output_type={output_type!r} is not a type that answers can be read as. {remedy}"
    return InputError(msg)


def _way_back(output_type: Any, adapter: TypeAdapter[Any]) -> Back | None:
    try:
        return schema_of_type(output_type, adapter).back
    except RequestError:
        return None  # no request can have used this type


def _meant(text: str, back: Back | None) -> Iterator[bytes]:
    if back is None:
        return
    try:
        answer = from_json(text)
    except ValueError:
        return
    yield from map(to_json, back(answer))


def _own_code_failed(error: Exception) -> ConfigurationError:
    msg = (
        f"The code of output_type failed on an answer with {type(error).__name__}: {error}. Let it raise ValueError "
        "for answers that it refuses. Once it is mended, the next attempt reads the same answers, and nothing is "
        "billed again."
    )
    return ConfigurationError(msg)


def _what_is_wrong(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_input=False, include_context=False)
    where = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'answer'}: {one['msg']}" for one in found[:3])
    return where + (f"; and {len(found) - 3} more" if len(found) > 3 else "")
