"""What the pretend model says to one request, before a service gives it its shape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from airflow_provider_genai_batch.emulator.jsontypes import JsonObject


@dataclass(frozen=True)
class Reply:
    """One answer.

    Attributes:
        text: What is said.
        reason: ``STOP`` or ``MAX_TOKENS``.
        prompt: The text that was asked, instructions included.
        asked: Tokens of the prompt.
        answered: Tokens of the text.
        thought: Tokens of thoughts.
        model: The model's id.
        number: A number that depends on the prompt alone.
    """

    text: str
    reason: str
    prompt: str
    asked: int
    answered: int
    thought: int
    model: str
    number: int


Shape: TypeAlias = Callable[[Reply], JsonObject]
"""Gives a reply the shape of a service's GenerateContentResponse."""


@dataclass(frozen=True)
class Parts:
    """What a script has an answer consist of: parts in the wire's spelling."""

    parts: tuple[JsonObject, ...]
