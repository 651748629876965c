"""Two dated captures of a Gemini row of Vertex AI, which differ; a script can choose either form.

By default a row has what both forms share, and most of the later one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from airflow_provider_genai_batch.emulator.jsontypes import JsonObject
from airflow_provider_genai_batch.emulator.model.reply import signature


def _of_2025_12(response: JsonObject) -> JsonObject:
    """Return the form of 2.5 Flash-Lite: the score is also in `avgLogprobs`, and there is no billable usage."""
    candidates = [
        {**one, "avgLogprobs": one["score"]} if "score" in one else one
        for one in response.get("candidates", [])
    ]
    usage = {
        name: value
        for name, value in response.get("usageMetadata", {}).items()
        if name != "billablePromptUsage"
    }
    return {**response, "candidates": candidates, "usageMetadata": usage}


def _of_2026_05(response: JsonObject) -> JsonObject:
    """Return the form of 3.1 Flash-Lite: plain text is signed."""
    return {**response, "candidates": [_signed(one) for one in response.get("candidates", [])]}


def _signed(candidate: JsonObject) -> JsonObject:
    content = candidate.get("content")
    if not content:
        return candidate
    parts = [
        {**part, "thoughtSignature": signature(part["text"])}
        if "text" in part and not part.get("thought")
        else part
        for part in content["parts"]
    ]
    return {**candidate, "content": {**content, "parts": parts}}


FORMS: Mapping[str, Callable[[JsonObject], JsonObject]] = {"2025-12": _of_2025_12, "2026-05": _of_2026_05}
"""The forms by the month of the capture."""

WITHOUT_NULLS = frozenset({"2025-12"})
"""The forms in which the repeated request has no nulls."""
