"""Config for partners' models: from Google's fields, or the partner's own, to fields of the partner's request.

A field that the partner does not have is refused by name: leaving a setting out silently would change every answer.

Source: Google's GenerateContentRequest; Anthropic's Messages API; OpenAI's chat completions and "Call MaaS APIs for
open models".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.family import Family
from airflow_provider_genai_batch.wire.partners.content import system_text
from airflow_provider_genai_batch.wire.partners.messages import PARTNER_MESSAGES
from airflow_provider_genai_batch.wire.partners.typed import partner_message, unknown_field
from airflow_provider_genai_batch.wire.prompts.config import (
    FIELDS,
    OUTPUT_TYPE,
    contradiction,
    request_fields,
)
from airflow_provider_genai_batch.wire.schemas.json_schema import SCHEMAS
from airflow_provider_genai_batch.wire.schemas.partner_schema import (
    answer_choice,
    answer_tool,
    has_answer_tool,
    plain_schema,
)
from airflow_provider_genai_batch.wire.schemas.type_schema import TypeSchema
from airflow_provider_genai_batch.wire.spelling import config_fields, fields_of
from airflow_provider_genai_batch.wire.values import snake

SHOWN = {Family.ANTHROPIC: "Claude", Family.OPENAI: "an open model"}
SYSTEM = "system"
"""The field for the system instruction; for open models it becomes the first message."""
_GOOGLES = FIELDS | {"contents", "model"}
"""For the last two, the error comes from the checks of Google's fields."""
_SAME = {
    Family.ANTHROPIC: {
        "maxOutputTokens": "max_tokens",
        "stopSequences": "stop_sequences",
        "temperature": "temperature",
        "topK": "top_k",
        "topP": "top_p",
    },
    Family.OPENAI: {
        "candidateCount": "n",
        "frequencyPenalty": "frequency_penalty",
        "maxOutputTokens": "max_tokens",
        "presencePenalty": "presence_penalty",
        "seed": "seed",
        "stopSequences": "stop",
        "temperature": "temperature",
        "topP": "top_p",
    },
}
"""Fields with the same meaning in both formats."""
_INSTEAD = {
    (Family.ANTHROPIC, "thinkingConfig"): (
        'Write it as Claude has it: "thinking": {"type": "enabled", "budget_tokens": 2048}.'
    ),
    (Family.OPENAI, "thinkingConfig"): 'Write it as open models have it: "reasoning_effort": "low".',
    **{
        (Family.ANTHROPIC, name): "Give output_type or response_schema: Claude answers JSON by them."
        for name in ("responseFormat", "responseMimeType")
    },
}
_TOOLS = ("tools", "toolConfig", "tool_choice")
"""Fields about tools: common to both, Google's only, the partner's only."""
_ANSWER_IS_A_TOOL = "and Claude gives an answer of a schema by calling one tool that is made of it"
_KEEP_ONE = "Keep one of them, or take a Gemini model, which has both."
_CHOICES: dict[Family, dict[str, Any]] = {
    Family.ANTHROPIC: {"AUTO": {"type": "auto"}, "ANY": {"type": "any"}, "NONE": {"type": "none"}},
    Family.OPENAI: {"AUTO": "auto", "ANY": "required", "NONE": "none"},
}


def partner_fields(config: Any, family: Family, *, flat: bool = True, origin: Any = None) -> dict[str, Any]:
    """Convert config into fields of a partner's request, with the system instruction as `SYSTEM`.

    Args:
        config: Google's fields (SDK config or REST), the partner's own, or some of each; dict or object; None: nothing.
        family: the family that the fields are for.
        flat: whether Google's generation parameters may be at the top level.
        origin: has the names as the user spelled them, for messages, if `config` does not.

    Raises:
        RequestError: an unknown field, a value of the wrong kind, or something that the partner does not have.
    """
    if config is None:
        return {}
    fields = config_fields(config)
    own: dict[str, Any] = {}
    googles: dict[str, Any] = {}
    for name, value in fields.items():
        if _is_own(name, value, family):
            own[snake(name)] = value
        elif name == "responseFormat" and isinstance(value, Mapping):
            raise no_word(name, family)
        elif name in _GOOGLES:
            googles[name] = value
        else:
            kinds = PARTNER_MESSAGES[family]["Request"]
            raise unknown_field(snake(name), "Request", "", family, kinds, own)
    if family is Family.ANTHROPIC:
        _refuse_tools_beside_schema(own, googles)
    spelled = partner_message(own, "Request", "", family)
    translated = _translated(request_fields(googles, Backend.VERTEX, flat=flat, origin=origin), family)
    if twice := sorted(spelled.keys() & translated.keys()):
        msg = f"{twice[0]} is given twice, in two spellings"
        raise RequestError(msg, "Keep one.")
    return {**spelled, **translated}


def _refuse_tools_beside_schema(own: Mapping[str, Any], googles: Mapping[str, Any]) -> None:
    """Refuse tools beside a schema, because the answer to a schema is itself a tool call."""
    given = {**(fields_of(googles.get("generationConfig")) or {}), **googles}
    schema = next((name for name in SCHEMAS if name in given), None)
    tools = _tools_in({**own, **googles})
    if schema is None or tools is None:
        return
    said = OUTPUT_TYPE if isinstance(given[schema], TypeSchema) else snake(schema)
    msg = f"{snake(tools)} stands beside {said}, {_ANSWER_IS_A_TOOL}"
    raise RequestError(msg, _KEEP_ONE)


def _is_own(name: str, value: Any, family: Family) -> bool:
    """Whether a field is the partner's own; Google may have a field of the same name."""
    word = snake(name)
    if word not in PARTNER_MESSAGES[family]["Request"] or word in ("messages", "model"):
        return False
    if word == "logprobs":
        return isinstance(value, bool)
    if word == "response_format":
        return isinstance(value, Mapping)
    if word == "tools":
        typical = {"name", "input_schema", "type"} if family is Family.ANTHROPIC else {"function", "type"}
        return isinstance(value, (list, tuple)) and any(
            isinstance(one, Mapping) and not typical.isdisjoint(one) for one in value
        )
    return True


def _translated(request: dict[str, Any], family: Family) -> dict[str, Any]:
    body: dict[str, Any] = {}
    generation = dict(request.pop("generationConfig", {}))
    for name in ("responseSchema", "responseJsonSchema"):
        if name in generation:
            schema = generation.pop(name)
            schema = schema if name == "responseJsonSchema" else plain_schema(schema)
            body |= _asked(schema, family)
            generation.pop("responseMimeType", None)
    for name, value in generation.items():
        if word := _SAME[family].get(name):
            body[word] = value
        else:
            body |= _of_its_own(name, value, family)
    for name, value in request.items():
        if name == "systemInstruction":
            body[SYSTEM] = system_text(value)
        elif name == "tools":
            body["tools"] = _tools(value, family)
        elif name == "toolConfig":
            body["tool_choice"] = _choice(value, family)
        else:
            raise no_word(name, family)
    return body


def _asked(schema: Any, family: Family) -> dict[str, Any]:
    """Return the fields that request answers with a schema."""
    if family is Family.ANTHROPIC:
        tool = answer_tool(schema)
        return {"tools": [tool], "tool_choice": answer_choice(tool)}
    asked = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    return {"response_format": asked}


def _of_its_own(name: str, value: Any, family: Family) -> dict[str, Any]:
    """Convert a field that a partner has for some values only."""
    openai = family is Family.OPENAI
    if name == "responseMimeType" and value == "text/plain":
        return {}
    if name == "responseMimeType" and value == "application/json" and openai:
        return {"response_format": {"type": "json_object"}}
    if name == "responseModalities" and [one.upper() for one in value] == ["TEXT"]:
        return {}
    if name == "candidateCount" and value == 1:
        return {}
    if name == "responseLogprobs" and openai:
        return {"logprobs": value}
    if name == "logprobs" and openai:
        return {"logprobs": True, "top_logprobs": value}
    raise no_word(name, family)


def no_word(name: str, family: Family) -> RequestError:
    """Return the error for a Google field that a partner does not have."""
    remedy = _INSTEAD.get((family, name), "Leave it out, or take a Gemini model.")
    return RequestError(f"{SHOWN[family]} has nothing like {snake(name)}", remedy)


def _tools(tools: list[dict[str, Any]], family: Family) -> list[dict[str, Any]]:
    spelled = []
    for tool in tools:
        if other := [name for name in tool if name != "functionDeclarations"]:
            raise no_word(f"tools.{other[0]}", family)
        for function in tool["functionDeclarations"]:
            schema = function.get("parametersJsonSchema", plain_schema(function.get("parameters")))
            said = {name: function[name] for name in ("name", "description") if name in function}
            given = schema or {"type": "object", "properties": {}}
            if family is Family.ANTHROPIC:
                spelled.append({**said, "input_schema": given})
            else:
                spelled.append({"type": "function", "function": {**said, "parameters": given}})
    return spelled


def _choice(config: dict[str, Any], family: Family) -> Any:
    calling = dict(config.get("functionCallingConfig", {}))
    if other := [name for name in config if name != "functionCallingConfig"]:
        raise no_word(other[0], family)
    mode, names = calling.pop("mode", "AUTO"), calling.pop("allowedFunctionNames", [])
    choice = _CHOICES[family].get(mode)
    if calling or choice is None or len(names) > 1 or (names and mode != "ANY"):
        raise no_word(next(iter(calling), "allowedFunctionNames" if names else f"mode {mode}"), family)
    if not names:
        return choice
    if family is Family.ANTHROPIC:
        return {"type": "tool", "name": names[0]}
    return {"type": "function", "function": {"name": names[0]}}


def merged_fields(defaults: dict[str, Any], own: dict[str, Any], *, checked: str) -> dict[str, Any]:
    """Merge a request's own fields over the defaults.

    Args:
        defaults: from `partner_fields`.
        own: the request's fields.
        checked: the schema that every answer of the job is checked against; empty: none.

    Raises:
        RequestError: the request contradicts the defaults.
    """
    if checked:
        asks = {"tools", "tool_choice", "response_format"}
        if twice := sorted(asks & defaults.keys() & own.keys()):
            raise contradiction(twice[0], checked)
    both = ((defaults, own, "the request"), (own, defaults, "request_defaults"))
    for asking, other, whose in both:
        if has_answer_tool(asking) and not has_answer_tool(other) and (tools := _tools_in(other)):
            where = "request_defaults" if whose == "the request" else "the request"
            msg = f"{tools} of {whose} stands beside the schema of {where}, {_ANSWER_IS_A_TOOL}"
            raise RequestError(msg, _KEEP_ONE)
    return {**defaults, **own}


def _tools_in(fields: Mapping[str, Any]) -> str | None:
    """Return the name of the first field about tools."""
    return next((name for name in _TOOLS if name in fields), None)
