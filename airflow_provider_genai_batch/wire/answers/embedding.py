"""Embeddings as answers, for all families: a database of vectors takes all numbers of one or none."""

from __future__ import annotations

from math import isfinite
from typing import Any

from airflow_provider_genai_batch.wire.answers.answer import Answer
from airflow_provider_genai_batch.wire.answers.members import Dropped

_NUMBERS = {int, float}
_NONE = "the service sent no embedding"
_OTHER = "the service sent an embedding that is not a list of finite numbers"


def embedding_of(
    values: Any, dropped: Dropped, *, usage: dict[str, int] | None, model_version: str | None = None
) -> Answer:
    """Return the answer with these numbers; with anything else as `values`, it has no content and says why."""
    if _are_numbers(values):
        return Answer(output=values, usage=usage, model_version=model_version)
    if values:
        dropped.count("embedding.values")
    said = _OTHER if values else _NONE
    return Answer(usage=usage, model_version=model_version, blocked="no embedding", message=said)


def _are_numbers(values: Any) -> bool:
    if not isinstance(values, list) or not values or not _NUMBERS.issuperset(map(type, values)):
        return False
    try:
        return all(map(isfinite, values))
    except OverflowError:  # a whole number that no float can hold
        return False
