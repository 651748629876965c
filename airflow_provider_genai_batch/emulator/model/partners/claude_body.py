"""The body of a Claude row: that of the Messages API, as Vertex AI accepts it.

Sources: the types of Anthropic's client and Google's pages on Claude. `model` and `stream` are not members of a row's
body. URL sources, files, code execution, web fetch and MCP do not exist here. An organisation must allow structured
outputs, strict tools and web search (`constraints/vertexai.allowedPartnerModelFeatures`).
"""

from __future__ import annotations

from functools import cache

from airflow_provider_genai_batch.emulator.jsontypes import JsonObject
from airflow_provider_genai_batch.emulator.model.errors import RowError
from airflow_provider_genai_batch.emulator.model.partners.claude_blocks import (
    BLOCK,
    CACHE,
    KIND,
    NAME,
    NOT_HERE,
    TEXT,
)
from airflow_provider_genai_batch.emulator.model.partners.shapes import (
    Check,
    either,
    flag,
    free,
    items,
    members,
    null,
    number,
    refused,
    tagged,
    text,
    whole,
    words,
)

VERSION = "vertex-2023-10-16"

_NEEDS_LEAVE = (
    "The feature is not enabled: the organization policy constraints/vertexai.allowedPartnerModelFeatures "
    "does not allow it for this model."
)
_MESSAGE = members(
    {"role": words("user", "assistant"), "content": either(text(least=1), items(BLOCK, least=1))}
)
_THINKING = tagged(
    {
        "enabled": members({"type": KIND, "budget_tokens": whole(1024)}, {"display": text()}),
        "adaptive": members({"type": KIND}, {"display": text()}),
        "disabled": members({"type": KIND}),
    }
)
_ALONE = {"disable_parallel_tool_use": flag}
_CHOICE = tagged(
    {
        "auto": members({"type": KIND}, _ALONE),
        "any": members({"type": KIND}, _ALONE),
        "tool": members({"type": KIND, "name": text(NAME)}, _ALONE),
        "none": members({"type": KIND}),
    }
)
_SCHEMA = tagged({"object": free})


def _tool(features: bool) -> Check:
    strict: Check = (
        flag if features else lambda value, path: flag(value, path) or refused(_NEEDS_LEAVE)(value, path)
    )
    own = members(
        {"name": text(NAME), "input_schema": _SCHEMA},
        {
            "type": either(null, words("custom")),
            "description": text(),
            "cache_control": CACHE,
            "strict": strict,
            "input_examples": items(free),
            "eager_input_streaming": either(null, flag),
        },
    )

    def test(value: object, path: str) -> str | None:
        kind = value.get("type") if isinstance(value, dict) else None
        if not isinstance(kind, str) or kind == "custom":
            return own(value, path)
        if kind.startswith("web_search_"):
            return None if features else refused(_NEEDS_LEAVE)(value, path)
        if kind.startswith(("bash_", "text_editor_", "memory_", "computer_", "tool_search_tool_")):
            return free(value, path)
        return refused(f"'{kind}' is {NOT_HERE}")(value, path)

    return test


@cache
def _body(features: bool) -> Check:
    schema = members({"type": words("json_schema"), "schema": free})
    needs_leave: Check = either(null, schema) if features else either(null, refused(_NEEDS_LEAVE))
    return members(
        {"anthropic_version": words(VERSION), "messages": items(_MESSAGE, least=1), "max_tokens": whole(1)},
        {
            "anthropic_beta": items(text()),
            "cache_control": CACHE,
            "metadata": members({}, {"user_id": either(null, text())}),
            "output_config": members(
                {}, {"format": needs_leave, "effort": words("low", "medium", "high", "xhigh", "max")}
            ),
            "stop_sequences": items(text(least=1)),
            "system": either(text(), items(tagged({"text": TEXT}))),
            "temperature": number(0, 1),
            "thinking": _THINKING,
            "tool_choice": _CHOICE,
            "tools": items(_tool(features)),
            "top_k": whole(0),
            "top_p": number(0, 1),
        },
    )


def check_body(request: JsonObject, *, features: bool) -> None:
    """Refuse a body that the service would refuse.

    Args:
        request: The row's ``request``.
        features: Whether the organisation allows structured outputs, strict tools and web search.

    Raises:
        RowError: With code 3.
    """
    wrong = _body(features)(request, "") or _at_odds(request)
    if wrong:
        raise RowError(3, wrong)


def _at_odds(request: JsonObject) -> str | None:
    """Return the first conflict between members that are valid by themselves; None: there is none."""
    if request["messages"][0]["role"] != "user":
        return 'messages: first message must use the "user" role'
    names = [tool.get("name") for tool in request.get("tools") or ()]
    if len(names) != len(set(names)):
        return "tools: Tool names must be unique."
    choice = request.get("tool_choice")
    if choice and not names:
        return "tool_choice: may only be specified while providing tools."
    if choice and choice["type"] == "tool" and choice["name"] not in names:
        return f"tool_choice.name: Tool '{choice['name']}' not found in provided tools"
    return _thinking_at_odds(request)


def _thinking_at_odds(request: JsonObject) -> str | None:
    thinking, choice = request.get("thinking") or {}, request.get("tool_choice")
    thinks = thinking.get("type") in {"enabled", "adaptive"}
    if thinks and choice and choice["type"] in {"any", "tool"}:
        return "Thinking may not be enabled when tool_choice forces tool use."
    if thinking.get("budget_tokens", 0) >= request["max_tokens"]:
        return "`max_tokens` must be greater than `thinking.budget_tokens`."
    return None
