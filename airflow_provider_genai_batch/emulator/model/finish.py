"""Gemini answers that end differently, as a script says: finish reasons, filters, several candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_genai_batch.emulator.jsontypes import JsonObject

_WITH_CONTENT = frozenset({"STOP", "MAX_TOKENS"})
_NO_PICTURE = ("NO_IMAGE", "IMAGE_")
"""Prefixes of finish reasons without a picture; there may be text."""


def finished(response: JsonObject, reason: str, keep: bool | None) -> JsonObject:
    """Return the response with another finish reason.

    Args:
        response: A GenerateContentResponse.
        reason: The finish reason of every candidate.
        keep: Whether candidates have content; by default filtered ones have none.
    """
    return {**response, "candidates": [_ended(one, reason, keep) for one in response.get("candidates", [])]}


def _ended(candidate: JsonObject, reason: str, keep: bool | None) -> JsonObject:
    one = {**candidate, "finishReason": reason}
    if not (reason in _WITH_CONTENT if keep is None else keep):
        one.pop("content", None)
    elif reason.startswith(_NO_PICTURE) and "content" in one:
        parts = [part for part in one["content"]["parts"] if "inlineData" not in part]
        one["content"] = {**one["content"], "parts": parts}
    return one


def without_content(response: JsonObject) -> JsonObject:
    """Return the response without the content of its candidates."""
    bare = [{name: one[name] for name in one if name != "content"} for one in response.get("candidates", [])]
    return {**response, "candidates": bare}


def several(response: JsonObject, reasons: Sequence[str]) -> JsonObject:
    """Return the response with a candidate for each reason; all that have content have the same content.

    proto3 may leave out the index 0 of the first candidate; captures of the Gemini API have it.
    """
    first = response["candidates"][0]
    listed = [{**_ended(first, reason, None), "index": at} for at, reason in enumerate(reasons)]
    said = sum("content" in one for one in listed)
    usage = dict(response.get("usageMetadata") or {})
    answered = usage.get("candidatesTokenCount", 0)
    if answered:
        # The prompt counts once; the answer counts once for each candidate.
        usage["candidatesTokenCount"] = answered * said
        usage["totalTokenCount"] = usage.get("totalTokenCount", 0) + answered * (said - 1)
        if "candidatesTokensDetails" in usage:
            details = usage["candidatesTokensDetails"]
            usage["candidatesTokensDetails"] = [
                {**one, "tokenCount": one["tokenCount"] * said} for one in details
            ]
    return {**response, "candidates": listed, "usageMetadata": usage}


def with_members(response: JsonObject, members: Mapping[str, Any]) -> JsonObject:
    """Return the response with further members in its first candidate."""
    first, *others = response["candidates"]
    return {**response, "candidates": [{**first, **members}, *others]}


def blocked() -> JsonObject:
    """Return the response to a blocked prompt."""
    return {
        "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
        "usageMetadata": {"promptTokenCount": 4, "totalTokenCount": 4},
        "modelVersion": "gemini-2.5-flash",
    }
