"""Lines of partner and open models."""

from __future__ import annotations

from typing import Any

CLAUDE = "publishers/anthropic/models/claude-haiku-4-5@20251001"
LLAMA = "publishers/meta/models/llama-4-scout-17b-16e-instruct-maas"
GPT = "publishers/openai/models/gpt-oss-120b-maas"

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def message(text: str, **more: Any) -> dict[str, Any]:
    """Return a Messages body."""
    user = {"role": "user", "content": text}
    return {"anthropic_version": "vertex-2023-10-16", "max_tokens": 200, "messages": [user], **more}


def claude(key: str, text: str = "hi", **more: Any) -> dict[str, Any]:
    """Return a Claude line."""
    return {"custom_id": key, "request": message(text, **more)}


def chat(key: str, text: str = "hi", **more: Any) -> dict[str, Any]:
    """Return a line of an open model."""
    body = {"messages": [{"role": "user", "content": text}], **more}
    return {"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": body}
