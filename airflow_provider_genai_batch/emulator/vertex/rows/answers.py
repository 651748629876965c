"""A GenerateContentResponse in the form of Vertex AI's rows. Source: captures since late 2025."""

from __future__ import annotations

from airflow_provider_genai_batch.emulator.clock import micros_text
from airflow_provider_genai_batch.emulator.jsontypes import JsonObject
from airflow_provider_genai_batch.emulator.model.reply import Reply, details, signature, tool_usage

_SCORES = 4000


def shaped(reply: Reply, at_ns: int) -> JsonObject:
    """Return the response.

    Args:
        reply: The answer.
        at_ns: The time of the answer.
    """
    return {
        "candidates": [_candidate(reply, _plain(reply), reply.reason)]
        if reply.more is None
        else _several(reply),
        "createTime": micros_text(at_ns),
        "modelVersion": reply.model,
        "responseId": f"{reply.number:014x}",
        "usageMetadata": _usage(reply),
    }


def _plain(reply: Reply) -> list[JsonObject]:
    """Return a text; in a capture of a model of the third generation it is signed."""
    if reply.model.startswith("gemini-3"):
        return [{"text": reply.text, "thoughtSignature": signature(reply.text)}]
    return [{"text": reply.text}]


def _candidate(reply: Reply, parts: list[JsonObject], reason: str) -> JsonObject:
    return {
        "content": {"parts": parts, "role": "model"},
        "finishReason": reason,
        "score": -(reply.number % _SCORES + 1) / 1000,
    }


def _several(reply: Reply) -> list[JsonObject]:
    """Return every candidate. An index 0 is absent, as in every proto3 reply."""
    if reply.more is None:
        return []
    listed = [_candidate(reply, one.parts, one.reason) for one in reply.more.candidates]
    listed[0] |= reply.more.members
    for at, one in enumerate(listed[1:], 1):
        one["index"] = at
    return listed


def _usage(reply: Reply) -> JsonObject:
    result: JsonObject = {"billablePromptUsage": {"textCount": len(reply.prompt)}}
    # A zero is absent, as in every proto3 reply; the names are in alphabetical order.
    if reply.answered:
        result["candidatesTokenCount"] = reply.answered
        by_modality = {"TEXT": reply.answered} if reply.more is None else reply.more.by_modality
        result["candidatesTokensDetails"] = details(by_modality)
    if reply.asked:
        result["promptTokenCount"] = reply.asked
        result["promptTokensDetails"] = [{"modality": "TEXT", "tokenCount": reply.asked}]
    if reply.thought:
        result["thoughtsTokenCount"] = reply.thought
    tools = 0
    if reply.more is not None:
        tools = reply.more.tools
        result |= tool_usage(reply.more)
    result["totalTokenCount"] = reply.asked + reply.answered + reply.thought + tools
    return {**result, "trafficType": "ON_DEMAND"}
