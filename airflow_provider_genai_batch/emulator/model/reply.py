"""What the pretend model says to one request, before a service gives it its shape."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from airflow_provider_genai_batch.emulator.jsontypes import JsonObject


@dataclass(frozen=True)
class Said:
    """One candidate: its parts in the wire's spelling, and why it ended."""

    parts: list[JsonObject]
    reason: str


@dataclass(frozen=True)
class More:
    """What an answer has that is not one text.

    Attributes:
        candidates: One or several.
        members: What a candidate has beside its content, such as ``groundingMetadata``.
        by_modality: Tokens that were said, such as ``{"TEXT": 3, "IMAGE": 1120}``.
        tools: Tokens of what tools gave back, which no prompt counts.
    """

    candidates: tuple[Said, ...]
    members: JsonObject = field(default_factory=dict)
    by_modality: Mapping[str, int] = field(default_factory=dict)
    tools: int = 0


class Reply(NamedTuple):
    """One answer; a tuple, as there is one for every row.

    Attributes:
        text: What is said.
        reason: ``STOP`` or ``MAX_TOKENS``.
        prompt: The text that was asked, instructions included.
        asked: Tokens of the prompt.
        answered: Tokens of what is said.
        thought: Tokens of thoughts.
        model: The model's id.
        number: A number that depends on the prompt alone.
        more: What there is if it is not one text; then ``text`` and ``reason`` say nothing.
    """

    text: str
    reason: str
    prompt: str
    asked: int
    answered: int
    thought: int
    model: str
    number: int
    more: More | None = None


Shape: TypeAlias = Callable[[Reply], JsonObject]
"""Gives a reply the shape of a service's GenerateContentResponse."""


@dataclass(frozen=True)
class Parts:
    """What a script has an answer consist of: parts in the wire's spelling."""

    parts: tuple[JsonObject, ...]


def signature(text: str) -> str:
    """Return a thought signature, the same for the same text."""
    return base64.b64encode(hashlib.sha256(text.encode(errors="replace")).digest()).decode()


def tool_usage(more: More) -> JsonObject:
    """Return what usageMetadata says of tools."""
    if not more.tools:
        return {}
    details = [{"modality": "TEXT", "tokenCount": more.tools}]
    return {"toolUsePromptTokenCount": more.tools, "toolUsePromptTokensDetails": details}


def details(by_modality: Mapping[str, int]) -> list[JsonObject]:
    """Return tokens by modality as both services spell them."""
    return [{"modality": name, "tokenCount": count} for name, count in by_modality.items() if count]
