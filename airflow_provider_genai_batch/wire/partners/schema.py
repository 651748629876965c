"""What answers are to be, for partners' models: plain JSON Schema in place of Google's dialect.

Source: Google's Schema reference for the dialect; Anthropic's and OpenAI's pages on tools and structured output for
what is plain JSON Schema there.
"""

from __future__ import annotations

from typing import Any

ANSWER_TOOL, VALUE_TOOL = "structured_answer", "structured_value"
"""Names of the tool that Claude is made to call. Its input is the answer; of the second the field ``value`` is, for a
tool's input is an object, and an answer may be a list or a word."""
VALUE = "value"
_LISTS, _NAMED = ("anyOf", "prefixItems"), ("properties", "defs")
_RENAMED = {"defs": "$defs", "ref": "$ref"}
_NOT_PLAIN = frozenset({"nullable", "propertyOrdering", "example", "title"})


def plain_schema(schema: Any) -> Any:
    """Return a schema of Google's dialect as JSON Schema: types in lower case, null in place of ``nullable``."""
    if not isinstance(schema, dict):
        return schema
    plain = {
        _RENAMED.get(name, name): _plain_value(name, value)
        for name, value in schema.items()
        if name not in _NOT_PLAIN
    }
    if not schema.get("nullable"):
        return plain
    if "anyOf" in plain or "enum" in plain:
        return {"anyOf": [plain, {"type": "null"}]}
    return {**plain, "type": [plain["type"], "null"]} if "type" in plain else plain


def _plain_value(name: str, value: Any) -> Any:
    if name == "type" and isinstance(value, str):
        return value.lower()
    if name in _LISTS and isinstance(value, list):
        return [plain_schema(one) for one in value]
    if name in _NAMED and isinstance(value, dict):
        return {key: plain_schema(one) for key, one in value.items()}
    return plain_schema(value) if name == "items" else value


def answer_tool(schema: Any) -> dict[str, Any]:
    """Return the tool of Claude's whose input is an answer of a schema.

    ``output_config.format`` and strict tools are off by default on Vertex AI: a policy of the organisation has to allow
    them (``constraints/vertexai.allowedPartnerModelFeatures``). A plain tool that has to be called is not.
    """
    if isinstance(schema, dict) and schema.get("type") == "object":
        return {"name": ANSWER_TOOL, "description": "Give the answer.", "input_schema": schema}
    whole: dict[str, Any] = {"type": "object", "properties": {VALUE: schema}, "required": [VALUE]}
    if isinstance(schema, dict) and "$defs" in schema:  # references go from the root
        whole["properties"][VALUE] = {name: value for name, value in schema.items() if name != "$defs"}
        whole["$defs"] = schema["$defs"]
    return {"name": VALUE_TOOL, "description": "Give the answer.", "input_schema": whole}
