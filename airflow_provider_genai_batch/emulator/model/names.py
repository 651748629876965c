"""Which model names exist here: families that Google runs in batch, never one that says it does not exist."""

from __future__ import annotations

import re
from functools import lru_cache

_FAMILIES = re.compile(
    r"(gemini|gemma|text-embedding|gemini-embedding|text-multilingual-embedding|embedding|learnlm)"
    r"-[a-z0-9][a-z0-9.@-]*"
)
_EMBEDDING = re.compile(r"(text-embedding|gemini-embedding|text-multilingual-embedding|embedding)-")


def last_part(model: str) -> str:
    """Return the id at the end of a model's resource name."""
    return model.rsplit("/", 1)[-1]


def exists(model_id: str) -> bool:
    """Whether a base model of that id exists here."""
    return not says_unknown(model_id) and _FAMILIES.fullmatch(model_id) is not None


def says_unknown(model_id: str) -> bool:
    """Whether the id was made to be refused."""
    return "no-such" in model_id or "unknown" in model_id


@lru_cache(maxsize=64)
def embeds(model: str) -> bool:
    """Whether the model answers embeddings."""
    return _EMBEDDING.match(last_part(model)) is not None


@lru_cache(maxsize=64)
def predicts(model: str) -> bool:
    """Whether it is of the older embedding family, whose rows are instances and predictions."""
    return embeds(model) and not last_part(model).startswith("gemini-embedding-")


@lru_cache(maxsize=64)
def draws(model: str) -> bool:
    """Whether the model answers pictures."""
    return "-image" in last_part(model) and "gemini-" in model


@lru_cache(maxsize=64)
def speaks(model: str) -> bool:
    """Whether the model answers speech."""
    return "-tts" in last_part(model) and "gemini-" in model


@lru_cache(maxsize=64)
def shows(model: str) -> bool:
    """Whether the model answers with more than text."""
    return draws(model) or speaks(model)
