"""Whole responses of the simulated model."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeAlias

from airflow_provider_genai_batch.emulator.jsontypes import JsonObject, field, snake
from airflow_provider_genai_batch.emulator.model import names
from airflow_provider_genai_batch.emulator.model.embed import default_dimension, unit_vector
from airflow_provider_genai_batch.emulator.model.errors import RowError
from airflow_provider_genai_batch.emulator.model.more import Wanted, in_words, more_of, scripted, wants_more
from airflow_provider_genai_batch.emulator.model.reply import Parts, Reply, Shape
from airflow_provider_genai_batch.emulator.model.schemas.schema import fitting, said_or_fitting
from airflow_provider_genai_batch.emulator.model.text import (
    content_text,
    cut,
    number_of,
    plain_answer,
    prompt_of,
    system_of,
    tokens,
)

Answer: TypeAlias = Callable[[JsonObject], Any]
"""The function that a user passes to answer requests."""

_WHOLE = ("candidates", "promptFeedback", "embedding")
_NAMES = ("responseSchema", "responseJsonSchema", "responseMimeType")
_FORMATS = frozenset({*_NAMES, *map(snake, _NAMES), "_responseJsonSchema"})
_GREATEST_DIMENSION = 3072
_BUSY_THOUGHTS = 3
_WITHOUT_USAGE = "gemini-embedding-001"
"""In captures, its rows have no usageMetadata; those of newer models do."""


class Responder:
    """Answers single requests."""

    def __init__(self, answer: Answer | None = None) -> None:
        """Use a function for the answers; None: generate them."""
        self._answer = answer

    def said(self, request: JsonObject) -> Any:
        """Return the answer of the user's function to a request; None: there is no function."""
        return None if self._answer is None else self._answer(request)

    def generate(
        self, request: JsonObject, model: str, shape: Shape, said: Any = None, media_bytes: int = 0
    ) -> JsonObject:
        """Return a GenerateContentResponse.

        Args:
            request: The GenerateContentRequest as received.
            model: The resource name of the model.
            shape: Converts a reply to the form of the service.
            said: An answer set by a script: text, JSON, a whole response, or its parts.
            media_bytes: The size of pictures; 0: as small as possible.

        Raises:
            RowError: The request is refused.
        """
        if said is None and self._answer is not None:
            said = self._answer(request)
        if isinstance(said, dict) and any(key in said for key in _WHOLE):
            return said
        prompt, system = prompt_of(request), system_of(request)
        config = field(request, "generationConfig") or {}
        model_id = names.last_part(model)

        more = None
        if isinstance(said, Parts):
            more = scripted(said)
        elif wants_more(request, config, model_id):
            wanted = Wanted(request, config, prompt + system, model_id, media_bytes)
            more = more_of(wanted, said, lambda at: self._words(said, config, in_words(prompt, at), system))
        text, reason = self._words(said, config, prompt, system) if more is None else ("", "STOP")
        number = number_of(prompt + system)
        return shape(
            Reply(
                text=text,
                reason=reason,
                prompt=prompt + system,
                asked=tokens(prompt) + tokens(system),
                answered=tokens(text) if more is None else sum(more.by_modality.values()),
                thought=_thoughts(config, model_id, number),
                model=model_id,
                number=number,
                more=more,
            )
        )

    def embed(self, request: JsonObject, model: str) -> JsonObject:
        """Return an EmbedContentResponse.

        Raises:
            RowError: The request is refused.
        """
        if self._answer is not None:
            said = self._answer(request)
            if isinstance(said, dict):
                return said
        content = request.get("content")
        text = content_text(content)
        if not text:
            raise RowError(3, "* EmbedContentRequest.content: contents is not specified")
        count = str(tokens(text))
        result: JsonObject = {
            "tokenCount": count,
            "embedding": {"values": unit_vector(text, dimension_of(request, model))},
        }
        if names.last_part(model) != _WITHOUT_USAGE:
            result["usageMetadata"] = {"promptTokenCount": int(count)}
        return result

    def _words(self, said: Any, config: JsonObject, prompt: str, system: str) -> tuple[str, str]:
        """Return a text, cut if it is too long, and its finish reason."""
        text = self._text(said, config, prompt, system)
        limit = field(config, "maxOutputTokens")
        if limit is not None and tokens(text) > int(limit):
            return cut(text, int(limit)), "MAX_TOKENS"
        return text, "STOP"

    def _text(self, said: Any, config: JsonObject, prompt: str, system: str) -> str:
        if said is None and _FORMATS.isdisjoint(config):
            return plain_answer(prompt, system)
        schema = field(config, "responseSchema")
        if schema is None:
            schema = field(config, "responseJsonSchema") or config.get("_responseJsonSchema")
        kind = field(config, "responseMimeType")
        if said is None and schema is not None and kind == "text/x.enum":
            return str(fitting(schema, prompt + system))
        if (given := said_or_fitting(said, schema, prompt + system)) is not None:
            return given
        text = plain_answer(prompt, system)
        return json.dumps({"answer": text}, ensure_ascii=False) if kind == "application/json" else text


def dimension_of(request: JsonObject, model: str) -> int:
    """Return the number of dimensions that an embedding request wants.

    Raises:
        RowError: The model cannot return so many or so few.
    """
    config = field(request, "embedContentConfig") or {}
    wanted = field(config, "outputDimensionality") or field(request, "outputDimensionality")
    if wanted is None:
        return default_dimension(names.last_part(model))
    if not 1 <= int(wanted) <= _GREATEST_DIMENSION:
        raise RowError(3, f"output_dimensionality must be between 1 and {_GREATEST_DIMENSION}.")
    return int(wanted)


def _thoughts(config: JsonObject, model: str, number: int) -> int:
    """Return the tokens of thoughts. Some answers of thinking models have some, and all that include thoughts."""
    thinking = field(config, "thinkingConfig") or {}
    if field(thinking, "thinkingBudget") == 0 or not model.startswith(("gemini-2.5", "gemini-3")):
        return 0
    seen = field(thinking, "includeThoughts")
    return 16 + number % 64 if seen or number % _BUSY_THOUGHTS == 0 else 0
