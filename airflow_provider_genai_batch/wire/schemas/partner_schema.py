"""Schemas of answers for partners' models: plain JSON Schema instead of Google's dialect, and Claude's answer tool.

Source: Google's Schema reference for the dialect; Anthropic's and OpenAI's pages on tools and structured output for
what is plain JSON Schema there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ANSWER_TOOL, VALUE_TOOL = "structured_answer", "structured_value"
"""Names of the tool that Claude has to call. The input of the first is the answer. A tool's input is an object, so an
answer that is a list or a scalar is the field ``value`` in the input of the second."""
VALUE = "value"
_HOLD_ONE = frozenset({"items", "additionalProperties"})
_NOT_PLAIN = frozenset({"nullable", "propertyOrdering", "example", "title", "defs"})
"""Keywords of the dialect that are omitted. References are resolved before, so ``defs`` is not needed."""


def plain_schema(schema: Any) -> Any:
    """Return a schema of Google's dialect as JSON Schema: types in lower case, null instead of ``nullable``."""
    if not isinstance(schema, dict):
        return schema
    plain = {name: _plain_value(name, value) for name, value in schema.items() if name not in _NOT_PLAIN}
    if not schema.get("nullable"):
        return plain
    if "anyOf" in plain or "enum" in plain:
        return {"anyOf": [plain, {"type": "null"}]}
    return {**plain, "type": [plain["type"], "null"]} if "type" in plain else plain


def _plain_value(name: str, value: Any) -> Any:
    if name == "type":
        return value.lower()
    if name == "anyOf":
        return [plain_schema(one) for one in value]
    if name == "properties":
        return {key: plain_schema(one) for key, one in value.items()}
    return plain_schema(value) if name in _HOLD_ONE else value


def answer_tool(schema: Any) -> dict[str, Any]:
    """Return the Claude tool whose input is an answer with a schema.

    ``output_config.format`` and strict tools are off by default on Vertex AI: a policy of the organisation has to allow
    them (``constraints/vertexai.allowedPartnerModelFeatures``). A plain tool with a forced call needs no permission.
    """
    if isinstance(schema, dict) and schema.get("type") == "object":
        return {"name": ANSWER_TOOL, "description": "Give the answer.", "input_schema": schema}
    whole: dict[str, Any] = {"type": "object", "properties": {VALUE: schema}, "required": [VALUE]}
    if isinstance(schema, dict) and "$defs" in schema:  # references start at the root
        whole["properties"][VALUE] = {name: value for name, value in schema.items() if name != "$defs"}
        whole["$defs"] = schema["$defs"]
    return {"name": VALUE_TOOL, "description": "Give the answer.", "input_schema": whole}


def answer_choice(tool: dict[str, Any]) -> dict[str, Any]:
    """Return the ``tool_choice`` that makes Claude call `answer_tool`, once."""
    return {"type": "tool", "name": tool["name"], "disable_parallel_tool_use": True}


def has_answer_tool(request: Mapping[str, Any]) -> bool:
    """Whether Claude has to give its answer by calling `answer_tool`."""
    choice = request.get("tool_choice", request.get("toolChoice"))
    return isinstance(choice, Mapping) and choice.get("name") in (ANSWER_TOOL, VALUE_TOOL)
