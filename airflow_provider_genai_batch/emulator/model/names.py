"""The model names that exist here: families that Google runs in batches, except names made to be refused."""

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
    """Return whether a base model with this id exists here."""
    return not says_unknown(model_id) and _FAMILIES.fullmatch(model_id) is not None


def says_unknown(model_id: str) -> bool:
    """Return whether the id was made to be refused."""
    return "no-such" in model_id or "unknown" in model_id


@lru_cache(maxsize=64)
def embeds(model: str) -> bool:
    """Return whether the model returns embeddings."""
    return _EMBEDDING.match(last_part(model)) is not None


@lru_cache(maxsize=64)
def predicts(model: str) -> bool:
    """Return whether the model is of the older embedding family, whose rows are instances and predictions."""
    return embeds(model) and not last_part(model).startswith("gemini-embedding-")


@lru_cache(maxsize=64)
def draws(model: str) -> bool:
    """Return whether the model returns pictures."""
    return "-image" in last_part(model) and "gemini-" in model


@lru_cache(maxsize=64)
def speaks(model: str) -> bool:
    """Return whether the model returns speech."""
    return "-tts" in last_part(model) and "gemini-" in model


@lru_cache(maxsize=64)
def shows(model: str) -> bool:
    """Return whether the model returns more than text."""
    return draws(model) or speaks(model)
