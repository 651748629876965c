"""A GenerateContentResponse as rows of the Gemini API hold it: dated captures of 2025 and 2026."""

from __future__ import annotations

import base64
import hashlib

from airflow_provider_genai_batch.emulator.jsontypes import JsonObject
from airflow_provider_genai_batch.emulator.model.reply import Reply


def shaped(reply: Reply) -> JsonObject:
    """Return the response.

    A model that has thought signs its answer: captures have the signature in the text's part or in one of its own.
    """
    parts: list[JsonObject] = [{"text": reply.text}]
    if reply.thought:
        signature = base64.b64encode(hashlib.sha256(reply.text.encode(errors="replace")).digest()).decode()
        if reply.number % 2:
            parts[0]["thoughtSignature"] = signature
        else:
            parts.append({"thoughtSignature": signature})
    return {
        "candidates": [
            {"content": {"parts": parts, "role": "model"}, "finishReason": reply.reason, "index": 0}
        ],
        "usageMetadata": _usage(reply),
        "modelVersion": reply.model,
        "responseId": f"{reply.number:014x}",
    }


def _usage(reply: Reply) -> JsonObject:
    counts = {
        "promptTokenCount": reply.asked,
        "candidatesTokenCount": reply.answered,
        "totalTokenCount": reply.asked + reply.answered + reply.thought,
    }
    # A zero is absent, as in every proto3 reply.
    result: JsonObject = {name: count for name, count in counts.items() if count}
    if reply.asked:
        result["promptTokensDetails"] = [{"modality": "TEXT", "tokenCount": reply.asked}]
    if reply.thought:
        result["thoughtsTokenCount"] = reply.thought
    return {**result, "serviceTier": "standard"}
