"""A GenerateContentResponse as rows of Vertex AI hold it: captures since late 2025."""

from __future__ import annotations

from airflow_provider_genai_batch.emulator.clock import micros_text
from airflow_provider_genai_batch.emulator.jsontypes import JsonObject
from airflow_provider_genai_batch.emulator.model.reply import Reply

_SCORES = 4000


def shaped(reply: Reply, at_ns: int) -> JsonObject:
    """Return the response.

    Args:
        reply: What was said.
        at_ns: When.
    """
    return {
        "candidates": [
            {
                "content": {"parts": [{"text": reply.text}], "role": "model"},
                "finishReason": reply.reason,
                "score": -(reply.number % _SCORES + 1) / 1000,
            }
        ],
        "createTime": micros_text(at_ns),
        "modelVersion": reply.model,
        "responseId": f"{reply.number:014x}",
        "usageMetadata": _usage(reply),
    }


def _usage(reply: Reply) -> JsonObject:
    result: JsonObject = {"billablePromptUsage": {"textCount": len(reply.prompt)}}
    # A zero is absent, as in every proto3 reply; the names come in their own order.
    if reply.answered:
        result["candidatesTokenCount"] = reply.answered
        result["candidatesTokensDetails"] = [{"modality": "TEXT", "tokenCount": reply.answered}]
    if reply.asked:
        result["promptTokenCount"] = reply.asked
        result["promptTokensDetails"] = [{"modality": "TEXT", "tokenCount": reply.asked}]
    if reply.thought:
        result["thoughtsTokenCount"] = reply.thought
    result["totalTokenCount"] = reply.asked + reply.answered + reply.thought
    return {**result, "trafficType": "ON_DEMAND"}
