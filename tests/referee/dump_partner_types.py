"""Runs beside a partner's package: prints what its types say of requests and of answers, as JSON.

``{"package": "anthropic 0.125.0", "requests": {message: [field, …]}, "answer": JSON Schema}``. Messages have the names
that they have in `wire.partners.messages`. Which package is told by the argument, ``anthropic`` or ``openai``; what is
printed is kept in ``partner_types/``, as the packages need not be installed where tests run::

    python dump_partner_types.py anthropic >partner_types/anthropic-0.125.0.json
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any, get_args

TYPES = {
    "anthropic": {
        "Request": "message_create_params.MessageCreateParamsBase",
        "Turn": "MessageParam",
        "Block.text": "TextBlockParam",
        "Block.image": "ImageBlockParam",
        "Block.document": "DocumentBlockParam",
        "Block.tool_use": "ToolUseBlockParam",
        "Block.tool_result": "ToolResultBlockParam",
        "Block.thinking": "ThinkingBlockParam",
        "Block.redacted_thinking": "RedactedThinkingBlockParam",
        "Block.search_result": "SearchResultBlockParam",
        "Block.server_tool_use": "ServerToolUseBlockParam",
        "Block.web_search_tool_result": "WebSearchToolResultBlockParam",
        "Source.base64": "Base64ImageSourceParam Base64PDFSourceParam",
        "Source.text": "PlainTextSourceParam",
        "Source.content": "ContentBlockSourceParam",
        "Metadata": "MetadataParam",
        "OutputConfig": "beta.BetaOutputConfigParam",  # that without beta lacks task_budget
        "Thinking": "ThinkingConfigParam",
        "Tool": "ToolParam WebSearchTool20250305Param",
        "ToolChoice": "ToolChoiceParam",
    },
    "openai": {
        "Request": "chat.completion_create_params.CompletionCreateParamsBase",
        "Turn": "chat.ChatCompletionMessageParam",
        "Block.text": "chat.ChatCompletionContentPartTextParam",
        "ResponseFormat": (
            "shared_params.ResponseFormatText shared_params.ResponseFormatJSONObject "
            "shared_params.ResponseFormatJSONSchema"
        ),
        "JsonSchema": "shared_params.response_format_json_schema.JSONSchema",
        "Tool": "chat.ChatCompletionFunctionToolParam",
        "Function": "shared_params.FunctionDefinition",
        "ToolCall": "chat.ChatCompletionMessageFunctionToolCallParam",
        "Called": "chat.chat_completion_message_function_tool_call_param.Function",
    },
}
"""Where each message is below ``anthropic.types`` or ``openai.types``; several types make one message."""
ANSWERS = {"anthropic": "Message", "openai": "chat.ChatCompletion"}
_WORDS = ("description", "title", "default", "discriminator")
"""Of a schema, which decide nothing."""


def dump(package: str) -> dict[str, Any]:
    """Return what an installed package says."""
    fields = {
        message: sorted({field for name in names.split() for field in _fields(_found(package, name))})
        for message, names in TYPES[package].items()
    }
    version = importlib.import_module(package).__version__
    answer = _plain(_found(package, ANSWERS[package]).model_json_schema())
    return {"package": f"{package} {version}", "requests": fields, "answer": answer}


def _found(package: str, path: str) -> Any:
    module, _, name = f"{package}.types.{path}".rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except ImportError:  # a name that is not a module's
        outer, _, last = module.rpartition(".")
        return getattr(getattr(importlib.import_module(outer), last), name)


def _fields(kind: Any) -> set[str]:
    """Return the fields of a typed dict, or of a union of them."""
    return {field for one in get_args(kind) or (kind,) for field in one.__annotations__}


def _plain(schema: Any, *, named: bool = False) -> Any:
    if isinstance(schema, dict):
        kept = {name: one for name, one in schema.items() if named or name not in _WORDS}
        return {
            name: _plain(one, named=not named and name in ("properties", "$defs"))
            for name, one in kept.items()
        }
    return [_plain(one) for one in schema] if isinstance(schema, list) else schema


if __name__ == "__main__":
    json.dump(dump(sys.argv[1]), sys.stdout, separators=(",", ":"), sort_keys=True)
    sys.stdout.write("\n")
