"""The config of a prompt: from SDK config or REST fields to the fields of a GenerateContentRequest.

Source: Google's GenerateContentRequest and GenerationConfig references; captures of where Google's
google-genai SDK puts each field of its GenerateContentConfig.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.prompts.advice import CONFIG, advice
from airflow_provider_genai_batch.wire.prompts.backend_fields import check_field
from airflow_provider_genai_batch.wire.prompts.content import content
from airflow_provider_genai_batch.wire.prompts.messages import MESSAGES
from airflow_provider_genai_batch.wire.prompts.tools import tools
from airflow_provider_genai_batch.wire.prompts.typed import typed, unknown
from airflow_provider_genai_batch.wire.schemas.json_schema import SCHEMAS, json_schema_of
from airflow_provider_genai_batch.wire.schemas.schema import response_schema
from airflow_provider_genai_batch.wire.schemas.type_schema import TypeSchema
from airflow_provider_genai_batch.wire.spelling import as_written, camel, config_fields, fields_of

_GENERATION = MESSAGES["GenerationConfig"]
_REQUEST = {
    name: kind
    for name, kind in MESSAGES["GenerateContentRequest"].items()
    if name not in ("contents", "generationConfig", "model")
}
_SDK_NAMES = {"modelSelectionConfig": "modelConfig", "generationOutputConfig": "outputConfig"}
_OF_THE_SDK_ALONE = frozenset(
    {"httpOptions", "shouldReturnHttpResponse", "automaticFunctionCalling", "automaticContinuation"}
)
"""Settings of the SDK's own calls: they never reach the service."""
FIELDS = frozenset({"generationConfig", *_REQUEST, *_GENERATION, *_SDK_NAMES, *_OF_THE_SDK_ALONE})
"""All lowerCamel names that `request_fields` accepts."""
OUTPUT_TYPE, _JSON = "output_type", "application/json"


def request_fields(config: Any, backend: Backend, *, flat: bool = True, origin: Any = None) -> dict[str, Any]:
    """Convert config into the fields of a request, without ``contents``.

    Args:
        config: ``GenerateContentConfig`` or REST fields (``generationConfig``, ``systemInstruction``, …),
            dict or object, either casing; None: nothing.
        backend: where the request goes.
        flat: whether generation parameters may be at the top level, as in the SDK's config.
        origin: has the names as the user spelled them, for messages, if `config` does not.

    Raises:
        RequestError: an unknown field, one of the other service, or one that does not work in a batch.
    """
    if config is None:
        return {}
    fields = config_fields(config, of="GenerateContentConfig")
    request: dict[str, Any] = {}
    generation: dict[str, Any] = {}
    nested: dict[str, Any] = {}
    for given, value in fields.items():
        name = _SDK_NAMES.get(given, given)
        if name == "generationConfig":
            nested = _generation_config(value, backend)
        elif name in _REQUEST:
            check_field("GenerateContentRequest", name, backend, "request")
            request[name] = _request_field(name, value, backend)
        elif name in _GENERATION and flat:
            generation[name] = _generation_field(name, value, backend)
        elif name not in _OF_THE_SDK_ALONE or not flat:
            raise _unknown(as_written(origin or config, given), backend, fields, flat=flat)
    if twice := sorted(nested.keys() & generation.keys()):
        msg = f"{twice[0]} stands in generationConfig and beside it"
        raise RequestError(msg, "Keep one.")
    generation = {**nested, **generation}
    if generation.keys() >= {*SCHEMAS}:
        msg = "the config has responseSchema and responseJsonSchema"
        raise RequestError(msg, "Keep one: the service takes one of them.")
    if generation:
        request["generationConfig"] = generation
    return request


def merged(defaults: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Merge a request's own fields over the defaults, ``generationConfig`` field by field.

    A request with a schema in one spelling does not inherit a schema in the other.
    """
    ours, theirs = own.get("generationConfig", {}), defaults.get("generationConfig", {})
    if not ours.keys().isdisjoint(SCHEMAS):
        theirs = {name: value for name, value in theirs.items() if name not in SCHEMAS}
    both = {**defaults, **own}
    if theirs or ours:
        both["generationConfig"] = {**theirs, **ours}
    return both


def checked_against(defaults: Any) -> str:
    """Return the schema that every answer of a job is checked against, for messages; empty: none.

    Args:
        defaults: SDK config or REST fields for every request, as the user gave them.
    """
    given = fields_of(defaults) or {}
    if isinstance(given.get("responseSchema"), TypeSchema):
        return OUTPUT_TYPE
    return "response_json_schema in request_defaults" if json_schema_of(given) is not None else ""


def contradiction(name: str, checked: str) -> RequestError:
    """Return the error for a request's field that contradicts the result of `checked_against`."""
    msg = f"{name} of the request contradicts {checked}, against which every answer of the job is checked"
    return RequestError(
        msg, "Keep one, or make a job of its own of the requests that are answered otherwise."
    )


def check_one_schema(checked: str, own: dict[str, Any]) -> None:
    """Refuse a request with its own schema if the job's answers are checked against another.

    Args:
        checked: the result of `checked_against`.
        own: the request's fields, converted.

    Raises:
        RequestError: it has its own schema.
    """
    ours = own.get("generationConfig", {})
    names = [*SCHEMAS]
    if checked == OUTPUT_TYPE and ours.get("responseMimeType") != _JSON:
        names.append("responseMimeType")
    if checked and (twice := sorted(name for name in names if name in ours)):
        raise contradiction(twice[0], checked)


def _generation_config(config: Any, backend: Backend) -> dict[str, Any]:
    fields = fields_of(config)
    if fields is None:
        msg = f"generationConfig is of type {type(config).__name__}"
        raise RequestError(msg, "Give its fields as a dict or an object.")
    spelled = {}
    for given, value in fields.items():
        name = _SDK_NAMES.get(given, given)
        if name not in _GENERATION:
            raise unknown(as_written(config, given), "GenerationConfig", "generationConfig", backend, fields)
        spelled[name] = _generation_field(name, value, backend)
    return spelled


def _generation_field(name: str, value: Any, backend: Backend) -> Any:
    check_field("GenerationConfig", name, backend, "generationConfig")
    if name == "responseSchema":
        return response_schema(value, backend)
    if name == "speechConfig" and isinstance(value, str):
        return {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": value}}}
    if name == "responseJsonSchema" and isinstance(value, type):
        msg = f"response_json_schema is the class {value.__name__}"
        raise RequestError(msg, "Give a schema as a dict, or give the class as response_schema.")
    return typed(value, _GENERATION[name], f"generationConfig.{name}", backend)


def _request_field(name: str, value: Any, backend: Backend) -> Any:
    if name == "systemInstruction":
        return content(value, backend, name)
    if name == "tools":
        return tools(value, backend)
    spelled = typed(value, _REQUEST[name], name, backend)
    if name == "cachedContent" and "/" not in spelled:
        return f"cachedContents/{spelled}"
    return spelled


def _unknown(written: str, backend: Backend, present: dict[str, Any], *, flat: bool) -> RequestError:
    name = camel(written)
    if flat or name not in _GENERATION:
        return unknown(written, CONFIG if flat else "GenerateContentRequest", "", backend, present)
    remedy = advice(name, ("GenerateContentRequest",), backend, present)
    if name in (fields_of(present.get("generationConfig")) or {}):
        remedy = "Leave this one out: generationConfig has it too."
    shown = name if name == written else f"{name} (written {written!r})"
    return RequestError(f"{shown} stands beside contents", remedy)
