"""Unit vectors that depend only on the text."""

from __future__ import annotations

import array
import hashlib
import math

from airflow_provider_genai_batch.emulator.jsontypes import JsonObject

_DIGITS = 8


def default_dimension(model_id: str) -> int:
    """Return the length of a vector if the request sets none."""
    return 3072 if model_id.startswith("gemini-embedding-") else 768


def unit_vector(text: str, dimensions: int) -> list[float]:
    """Return a vector of length one.

    Args:
        text: The text; equal texts give equal vectors.
        dimensions: The number of dimensions.
    """
    raw = array.array("h", hashlib.shake_256(text.encode(errors="replace")).digest(2 * dimensions))
    length = math.sqrt(math.fsum(value * value for value in raw)) or 1.0
    return [round(value / length, _DIGITS) for value in raw]


def counted(response: JsonObject, wanted: str) -> JsonObject:
    """Return an EmbedContentResponse with its token count in one of two forms.

    Args:
        response: The response.
        wanted: ``tokenCount`` or ``usageMetadata``.
    """
    bare = {name: value for name, value in response.items() if name not in {"tokenCount", "usageMetadata"}}
    count = response.get("tokenCount")
    if count is None:
        return bare
    usage = (
        {"tokenCount": count}
        if wanted == "tokenCount"
        else {"usageMetadata": {"promptTokenCount": int(count)}}
    )
    return {**usage, **bare}
