"""What goes with a prompt: from SDK config or REST fields to the fields of a GenerateContentRequest.

Source: Google's GenerateContentRequest and GenerationConfig references; captures of where Google's
google-genai SDK puts each field of its GenerateContentConfig.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.content import content
from airflow_provider_genai_batch.wire.only import check_field
from airflow_provider_genai_batch.wire.schema import response_schema
from airflow_provider_genai_batch.wire.spelling import as_written, camel, fields_of, plain
from airflow_provider_genai_batch.wire.tools import tools

GENERATION_FIELDS = frozenset(
    {
        "audioTimestamp",
        "audioTranscriptionConfig",
        "candidateCount",
        "enableAffectiveDialog",
        "enableEnhancedCivicAnswers",
        "frequencyPenalty",
        "imageConfig",
        "logprobs",
        "maxOutputTokens",
        "mediaResolution",
        "modelConfig",
        "presencePenalty",
        "responseFormat",
        "responseJsonSchema",
        "responseLogprobs",
        "responseMimeType",
        "responseModalities",
        "responseSchema",
        "routingConfig",
        "seed",
        "speechConfig",
        "stopSequences",
        "temperature",
        "thinkingConfig",
        "topK",
        "topP",
        "translationConfig",
    }
)
REQUEST_FIELDS = frozenset(
    {
        "cachedContent",
        "continuationToken",
        "labels",
        "modelArmorConfig",
        "outputConfig",
        "safetySettings",
        "serviceTier",
        "store",
        "systemInstruction",
        "toolConfig",
        "tools",
    }
)
_SDK_NAMES = {"modelSelectionConfig": "modelConfig", "generationOutputConfig": "outputConfig"}
_OF_THE_SDK_ALONE = frozenset(
    {"httpOptions", "shouldReturnHttpResponse", "automaticFunctionCalling", "automaticContinuation"}
)
"""About the SDK's own calls: they never reach the service."""
_LISTS = frozenset({"safetySettings", "stopSequences", "responseModalities"})
SCHEMAS = frozenset({"responseSchema", "responseJsonSchema"})
"""Fields of ``generationConfig`` that say what an answer is to be, of which the service takes one."""


def request_fields(config: Any, backend: Backend, *, flat: bool = True) -> dict[str, Any]:
    """Spell config as the fields of a request, without ``contents``.

    Args:
        config: ``GenerateContentConfig`` or REST fields (``generationConfig``, ``systemInstruction``, …),
            dict or object, either casing; None: nothing.
        backend: where the request goes.
        flat: whether generation parameters may stand beside the rest, as in the SDK's config.

    Raises:
        RequestError: an unknown field, one of the other service, or one that does not work in a batch.
    """
    if config is None:
        return {}
    fields = fields_of(config)
    if fields is None:
        msg = f"config is of type {type(config).__name__}"
        raise RequestError(msg, "Give GenerateContentConfig fields as dict or object.")
    request: dict[str, Any] = {}
    generation: dict[str, Any] = {}
    for given, value in fields.items():
        name = _SDK_NAMES.get(given, given)
        if name == "generationConfig":
            generation |= _generation_config(value, backend)
        elif name in REQUEST_FIELDS:
            check_field("request", name, backend)
            request[name] = _request_field(name, value, backend)
        elif name in GENERATION_FIELDS and flat:
            generation[name] = _generation_field(name, value, backend)
        elif name not in _OF_THE_SDK_ALONE or not flat:
            raise _unknown(as_written(config, given), flat=flat)
    if generation:
        request["generationConfig"] = generation
    return request


def merged(defaults: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Put a request's own fields over defaults; ``generationConfig`` field by field.

    A request that brings a schema in one spelling does not inherit one in the other.
    """
    ours, theirs = own.get("generationConfig", {}), defaults.get("generationConfig", {})
    if SCHEMAS & ours.keys():
        theirs = {name: value for name, value in theirs.items() if name not in SCHEMAS}
    both = {**defaults, **own}
    if theirs or ours:
        both["generationConfig"] = {**theirs, **ours}
    return both


def _generation_config(config: Any, backend: Backend) -> dict[str, Any]:
    fields = fields_of(config)
    if fields is None:
        msg = f"generationConfig is of type {type(config).__name__}"
        raise RequestError(msg, "Give its fields as dict or object.")
    spelled = {}
    for given, value in fields.items():
        name = _SDK_NAMES.get(given, given)
        if name not in GENERATION_FIELDS:
            raise _unknown(as_written(config, given), flat=True, where="generationConfig")
        spelled[name] = _generation_field(name, value, backend)
    return spelled


def _generation_field(name: str, value: Any, backend: Backend) -> Any:
    check_field("generationConfig", name, backend)
    if name == "responseSchema":
        return response_schema(value, backend)
    if name == "speechConfig" and isinstance(value, str):
        return {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": value}}}
    if name == "responseJsonSchema" and isinstance(value, type):
        msg = f"response_json_schema is the class {value.__name__}"
        raise RequestError(msg, "Give a schema as dict, or give the class as response_schema.")
    return _listed(name, plain(value, name, backend))


def _request_field(name: str, value: Any, backend: Backend) -> Any:
    if name == "systemInstruction":
        return content(value, backend)
    if name == "tools":
        return tools(value, backend)
    if name == "cachedContent":
        return value if "/" in str(value) else f"cachedContents/{value}"
    if name == "labels":
        _check_labels(value)
    return _listed(name, plain(value, name, backend))


def _check_labels(labels: Any) -> None:
    if not isinstance(labels, Mapping) or not all(isinstance(text, str) for text in labels.values()):
        msg = "labels is not a dict of strings"
        raise RequestError(msg, "Write numbers as strings.")


def _listed(name: str, value: Any) -> Any:
    if name in _LISTS and not isinstance(value, list):
        msg = f"{name} is not a list"
        raise RequestError(msg, "Put it into a list, also when there is only one.")
    return value


def _unknown(name: str, *, flat: bool, where: str = "") -> RequestError:
    place = f" in {where}" if where else ""
    if not flat and camel(name) in GENERATION_FIELDS:
        return RequestError(f"{name} stands beside contents", "Put it into config (or generationConfig).")
    near = get_close_matches(camel(name), GENERATION_FIELDS | REQUEST_FIELDS, n=1)
    remedy = f"Did you mean {near[0]}?" if near else "See GenerateContentConfig for the fields there are."
    return RequestError(f"unknown field {name!r}{place}", remedy)
