"""The simulated model's answer to one request, before it gets the form of a service."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from airflow_provider_genai_batch.emulator.jsontypes import JsonObject


@dataclass(frozen=True)
class Said:
    """One candidate: its parts in wire format, and its finish reason."""

    parts: list[JsonObject]
    reason: str


@dataclass(frozen=True)
class More:
    """The content of an answer that is not one text.

    Attributes:
        candidates: One or several candidates.
        members: Members of a candidate in addition to its content, such as ``groundingMetadata``.
        by_modality: Output tokens, such as ``{"TEXT": 3, "IMAGE": 1120}``.
        tools: Tokens of the results of tools, which are not among the prompt's tokens.
    """

    candidates: tuple[Said, ...]
    members: JsonObject = field(default_factory=dict)
    by_modality: Mapping[str, int] = field(default_factory=dict)
    tools: int = 0


class Reply(NamedTuple):
    """One answer. It is a tuple, because there is one for every row.

    Attributes:
        text: The text of the answer.
        reason: ``STOP`` or ``MAX_TOKENS``.
        prompt: The text of the prompt, including instructions.
        asked: The tokens of the prompt.
        answered: The tokens of the answer.
        thought: The tokens of thoughts.
        model: The model's id.
        number: A number that depends only on the prompt.
        more: The content if it is not one text; then ``text`` and ``reason`` are not used.
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
"""Converts a reply to a service's GenerateContentResponse."""


@dataclass(frozen=True)
class Parts:
    """The parts of an answer that a script gives, in wire format."""

    parts: tuple[JsonObject, ...]


def signature(text: str) -> str:
    """Return a thought signature; equal texts have equal signatures."""
    return base64.b64encode(hashlib.sha256(text.encode(errors="replace")).digest()).decode()


def tool_usage(more: More) -> JsonObject:
    """Return the members of usageMetadata about tools."""
    if not more.tools:
        return {}
    details = [{"modality": "TEXT", "tokenCount": more.tools}]
    return {"toolUsePromptTokenCount": more.tools, "toolUsePromptTokensDetails": details}


def details(by_modality: Mapping[str, int]) -> list[JsonObject]:
    """Return tokens by modality in the form of both services."""
    return [{"modality": name, "tokenCount": count} for name, count in by_modality.items() if count]
