"""The table of partners' messages beside the types of the partners' own packages, where those are installed."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from airflow_provider_genai_batch.models.family import Family
from airflow_provider_genai_batch.wire.partners.messages import PARTNER_MESSAGES, REFUSED


def names(*types: Any) -> set[str]:
    """Return the fields of typed dicts, or of unions of them."""
    return {name for one in types for kind in (get_args(one) or (one,)) for name in kind.__annotations__}


def test_every_field_of_chat_completions_is_one_of_openais() -> None:
    chat = pytest.importorskip("openai.types.chat")
    table = PARTNER_MESSAGES[Family.OPENAI]
    base = chat.completion_create_params.CompletionCreateParamsBase
    theirs = {
        "Request": names(base),
        "Turn": names(chat.ChatCompletionMessageParam) | {"reasoning_content"},  # of MaaS alone
        "Block.text": names(chat.ChatCompletionContentPartTextParam),
        "Block.image_url": names(chat.ChatCompletionContentPartImageParam),
        "ToolCall": names(chat.ChatCompletionMessageFunctionToolCallParam),
        "Tool": names(chat.ChatCompletionFunctionToolParam),
    }
    for message, fields in theirs.items():
        assert table[message].keys() <= fields, message
    assert theirs["Request"] - table["Request"].keys() >= {name for _, name in REFUSED[Family.OPENAI]} - {
        "stream"
    }


def test_every_field_of_a_message_is_one_of_anthropics() -> None:
    types = pytest.importorskip("anthropic.types")
    table = PARTNER_MESSAGES[Family.ANTHROPIC]
    for message, theirs in {
        "Turn": types.MessageParam,
        "Block.text": types.TextBlockParam,
        "Block.image": types.ImageBlockParam,
        "Block.document": types.DocumentBlockParam,
        "Block.tool_use": types.ToolUseBlockParam,
        "Block.tool_result": types.ToolResultBlockParam,
        "Block.thinking": types.ThinkingBlockParam,
        "Metadata": types.MetadataParam,
    }.items():
        assert table[message].keys() <= names(theirs), message
