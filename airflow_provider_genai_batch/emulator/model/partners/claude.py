"""Answers of a simulated Claude: Anthropic's Message, as clients read it from live rows."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from airflow_provider_genai_batch.emulator.jsontypes import JsonObject
from airflow_provider_genai_batch.emulator.model.names import last_part
from airflow_provider_genai_batch.emulator.model.schemas.schema import fitting, said_or_fitting
from airflow_provider_genai_batch.emulator.model.text import (
    content_text,
    cut,
    number_of,
    plain_answer,
    tokens,
)
from airflow_provider_genai_batch.emulator.model.tools import chosen_of

_LETTERS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_ID_LENGTH = 22
_THOUGHT = "Let me see what is asked, and answer just that."


@dataclass(frozen=True)
class _Asked:
    prompt: str
    system: str
    limit: int
    seed: str


def message(request: JsonObject, model: str, said: Any = None) -> JsonObject:
    """Return the Message that answers a body.

    Args:
        request: A checked body.
        model: The resource name of the model.
        said: Text, JSON or a whole Message from a script or a test's function.
    """
    if isinstance(said, dict) and "content" in said:
        return said
    system = content_text(request.get("system"))
    prompt = content_text(request["messages"][-1]["content"])
    asked = _Asked(prompt, system, request["max_tokens"], json.dumps(request, sort_keys=True))
    content, reason, stopped_by = _content(request, asked, said)
    whole: JsonObject = {
        "id": f"msg_vrtx_01{_id(asked.seed)}",
        "type": "message",
        "role": "assistant",
        "model": last_part(model),
        "content": content,
        "stop_reason": reason,
        "stop_sequence": stopped_by,
        "usage": _usage(request, asked, content),
    }
    return whole


def finished(response: JsonObject, reason: str, keep: bool | None) -> JsonObject:
    """Return a Message with another stop reason.

    Args:
        response: The Message.
        reason: The ``stop_reason``.
        keep: Whether it has content; by default only a refusal has none.
    """
    kept = reason != "refusal" if keep is None else keep
    changed = {**response, "stop_reason": reason}
    if not kept:
        changed = emptied(changed)
    if reason == "refusal":
        changed["stop_details"] = {
            "type": "refusal",
            "category": "general_harms",
            "explanation": "This request appears to break the usage policy.",
        }
    return changed


def emptied(response: JsonObject) -> JsonObject:
    """Return a Message without content."""
    return {**response, "content": []}


def refusal(model: str) -> JsonObject:
    """Return the Message for a request that is refused before any output."""
    bare: JsonObject = {
        "id": f"msg_vrtx_01{_id('refused')}",
        "type": "message",
        "role": "assistant",
        "model": last_part(model),
        "content": [],
        "stop_sequence": None,
        "usage": {"input_tokens": 4, "output_tokens": 0},
    }
    return finished(bare, "refusal", keep=False)


def _content(request: JsonObject, asked: _Asked, said: Any) -> tuple[list[JsonObject], str, str | None]:
    thinking = request.get("thinking") or {}
    blocks: list[JsonObject] = []
    if thinking.get("type") in {"enabled", "adaptive"}:
        signature = base64.b64encode(hashlib.sha256(asked.seed.encode()).digest()).decode()
        blocks.append({"type": "thinking", "thinking": _THOUGHT, "signature": signature})
    tool = _called(request, asked.prompt)
    if tool is not None and not isinstance(said, str):
        given = said if said is not None else fitting(tool.get("input_schema") or {}, asked.seed)
        cut_off = tokens(json.dumps(given)) > asked.limit
        call = {
            "type": "tool_use",
            "id": f"toolu_vrtx_01{_id(asked.seed + tool['name'])}",
            "name": tool["name"],
            "input": {} if cut_off else given,
        }
        return [*blocks, call], "max_tokens" if cut_off else "tool_use", None
    text = _text(request, asked, said)
    for stop in request.get("stop_sequences") or ():
        if stop in text:
            return [*blocks, {"type": "text", "text": text.split(stop, 1)[0]}], "stop_sequence", stop
    if tokens(text) > asked.limit:
        return [*blocks, {"type": "text", "text": cut(text, asked.limit)}], "max_tokens", None
    return [*blocks, {"type": "text", "text": text}], "end_turn", None


def _text(request: JsonObject, asked: _Asked, said: Any) -> str:
    wanted = (request.get("output_config") or {}).get("format") or {}
    given = said_or_fitting(said, wanted.get("schema"), asked.seed)
    return plain_answer(asked.prompt, asked.system) if given is None else given


def _called(request: JsonObject, prompt: str) -> JsonObject | None:
    """Return the tool that is used: the forced one, or one named in the prompt."""
    tools: list[JsonObject] = [tool for tool in request.get("tools") or () if "input_schema" in tool]
    choice = request.get("tool_choice") or {"type": "auto"}
    if not tools or choice["type"] == "none":
        return None
    if choice["type"] == "tool":
        return next((tool for tool in tools if tool["name"] == choice["name"]), None)
    return chosen_of(tools, prompt, forced=choice["type"] == "any")


def _usage(request: JsonObject, asked: _Asked, content: list[JsonObject]) -> JsonObject:
    """Count tokens; cached ones are not included in ``input_tokens``."""
    earlier = [content_text(one["content"]) for one in request["messages"][:-1]]
    whole = tokens(asked.prompt) + tokens(asked.system) + sum(map(tokens, earlier))
    cached = tokens(asked.system) + sum(map(tokens, earlier)) if '"cache_control"' in asked.seed else 0
    written = cached if number_of(asked.seed) % 2 else 0
    said = sum(
        tokens(block.get("text") or json.dumps(block.get("input", block.get("thinking"))))
        for block in content
    )
    usage: JsonObject = {
        "input_tokens": whole - cached,
        "output_tokens": said,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": cached - written,
    }
    if cached:
        hour = '"ttl": "1h"' in asked.seed
        usage["cache_creation"] = {
            "ephemeral_5m_input_tokens": 0 if hour else written,
            "ephemeral_1h_input_tokens": written if hour else 0,
        }
    return usage


def _id(seed: str) -> str:
    number = int.from_bytes(hashlib.sha256(seed.encode(errors="replace")).digest()[:17], "big")
    letters = ""
    while len(letters) < _ID_LENGTH:
        number, place = divmod(number, len(_LETTERS))
        letters += _LETTERS[place]
    return letters
