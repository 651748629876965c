"""A GenerateContentResponse in the form of the Gemini API's rows. Source: dated captures of 2025 and 2026."""

from __future__ import annotations

from airflow_provider_genai_batch.emulator.jsontypes import JsonObject
from airflow_provider_genai_batch.emulator.model.reply import More, Reply, details, signature, tool_usage


def shaped(reply: Reply) -> JsonObject:
    """Return the response.

    A thinking model signs its answer. In captures, the signature is in the part with the text or in a separate part.
    """
    return {
        "candidates": [_candidate(_plain(reply), reply.reason, 0)]
        if reply.more is None
        else _several(reply.more),
        "usageMetadata": _usage(reply),
        "modelVersion": reply.model,
        "responseId": f"{reply.number:014x}",
    }


def _plain(reply: Reply) -> list[JsonObject]:
    parts: list[JsonObject] = [{"text": reply.text}]
    if reply.thought:
        signed = {"thoughtSignature": signature(reply.text)}
        if reply.number % 2:
            parts[0] |= signed
        else:
            parts.append(signed)
    return parts


def _candidate(parts: list[JsonObject], reason: str, at: int) -> JsonObject:
    return {"content": {"parts": parts, "role": "model"}, "finishReason": reason, "index": at}


def _several(more: More) -> list[JsonObject]:
    listed = [_candidate(one.parts, one.reason, at) for at, one in enumerate(more.candidates)]
    listed[0] |= more.members
    return listed


def _usage(reply: Reply) -> JsonObject:
    counts = {
        "promptTokenCount": reply.asked,
        "candidatesTokenCount": reply.answered,
        "totalTokenCount": reply.asked
        + reply.answered
        + reply.thought
        + (reply.more.tools if reply.more else 0),
    }
    # A zero is absent, as in every proto3 reply.
    result: JsonObject = {name: count for name, count in counts.items() if count}
    if reply.asked:
        result["promptTokensDetails"] = [{"modality": "TEXT", "tokenCount": reply.asked}]
    if reply.thought:
        result["thoughtsTokenCount"] = reply.thought
    if reply.more is not None:
        result |= tool_usage(reply.more)
        result["candidatesTokensDetails"] = details(reply.more.by_modality)
    return {**result, "serviceTier": "standard"}
