"""Answers of Google's models, read from a ``GenerateContentResponse`` or an ``EmbedContentResponse``.

Source: google-genai's ``types``, both services' REST references, and captures of live jobs of 2025 and 2026.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_genai_batch.models.answers.candidate import Logprobs
from airflow_provider_genai_batch.models.answers.grounding import Citation, Grounding, UrlMetadata
from airflow_provider_genai_batch.models.answers.parts import Part
from airflow_provider_genai_batch.wire.answers.answer import Answer, Finish, Reading, finish_of, tokens
from airflow_provider_genai_batch.wire.answers.candidates import answer_of, indices
from airflow_provider_genai_batch.wire.answers.embedding import embedding_of
from airflow_provider_genai_batch.wire.answers.members import (
    Dropped,
    count_rest,
    count_value,
    listed,
    nothing,
    read_list,
    read_members,
)
from airflow_provider_genai_batch.wire.values import get, integer, mapping, text

FINISH: dict[str, Finish] = {
    "STOP": Finish.WHOLE,
    "MAX_TOKENS": Finish.CUT_OFF,
    **dict.fromkeys(
        (
            *("SAFETY", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "RECITATION", "LANGUAGE", "MODEL_ARMOR"),
            *("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MALFORMED_RESPONSE"),
            *("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "IMAGE_OTHER", "NO_IMAGE"),
            *("MISSING_THOUGHT_SIGNATURE", "ESCALATION", "PUP_LIMITED_DISABLED", "CONTINUATION"),
            *("FINISH_REASON_UNSPECIFIED", "OTHER"),
        ),
        Finish.UNUSABLE,
    ),
}
"""Google's known finish reasons; any other is `Finish.UNKNOWN`.

``CONTINUATION`` comes with a token with which another request continues the answer. ``TOO_MANY_TOOL_CALLS`` means that
the service stopped the tools before there was an answer. No document says that ``OTHER`` or
``FINISH_REASON_UNSPECIFIED`` means a whole answer.
"""
USUAL = "STOP"
"""The finish reason of nearly all answers."""
CUT_OFF = "MAX_TOKENS"
"""The finish reason of answers that reached a token limit."""
LEFT_OUT = frozenset(
    (
        *("responseId", "createTime", "modelStatus", "avgLogprobs", "safetyRatings", "score", "tokenCount"),
        *("promptFeedback", "promptFeedback.safetyRatings", "finishMessage"),
        *(
            f"usageMetadata.{name}"
            for name in (
                *("promptTokensDetails", "candidatesTokensDetails", "cacheTokensDetails"),
                *("toolUsePromptTokensDetails", "trafficType", "serviceTier", "billablePromptUsage"),
                *("billableCachedContentUsage", "toolCallStats"),
            )
        ),
    )
)
"""Known members that no row contains, because they are not part of the answer. The log warns about all others."""
_CONTENT = frozenset(("role", "parts"))
_CANDIDATE = frozenset(
    (
        *("content", "finishReason", "finishMessage", "index", "citationMetadata", "groundingMetadata"),
        *("urlContextMetadata", "logprobsResult"),
    )
)
_RESPONSE = frozenset(("candidates", "promptFeedback", "usageMetadata", "modelVersion"))
_EMBEDDING = frozenset(("embedding", "tokenCount", "usageMetadata", "modelVersion"))
_USAGE = frozenset(
    (
        *("promptTokenCount", "candidatesTokenCount", "cachedContentTokenCount", "thoughtsTokenCount"),
        *("toolUsePromptTokenCount", "totalTokenCount"),
    )
)
_USAGE_OF_CALLS = _USAGE | {"trafficType", "serviceTier"}
"""With the members that rows of immediate calls have as `tier`."""
_PLACE = ("candidate", "part")
_USEFUL = (
    *("function_call", "function_response", "executable_code", "code_execution_result", "tool_call"),
    *("tool_response", "file_data", "audio_transcription"),
)
"""Members of a part that are content by themselves."""


def read_answer(response: Mapping[str, Any], reading: Reading) -> Answer:
    """Read a response. Of several candidates, the first whole one is the answer, else the first with content."""
    dropped = reading.counted
    usage, version = _usage(response, reading), text(get(response, "modelVersion"))
    embedding = response.get("embedding")
    if isinstance(embedding, dict):
        count_rest(embedding, frozenset(("values",)), "embedding", dropped)
        count_rest(response, _EMBEDDING, "", dropped)
        return embedding_of(embedding.get("values"), dropped, usage=usage, model_version=version)
    count_rest(response, _RESPONSE, "", dropped)
    candidates = listed(response.get("candidates"), "candidates", dropped)
    places = zip(indices(candidates), candidates, strict=True)
    read = {index: _candidate(index, one, reading, dropped) for index, one in places}
    answer = answer_of(read, dropped)
    answer.usage, answer.model_version = usage, version
    _read_feedback(answer, get(response, "promptFeedback"), dropped)
    return answer


def _candidate(index: int, candidate: Any, reading: Reading, dropped: Dropped) -> Answer:
    if not isinstance(candidate, dict):
        count_value(candidate, "candidates", dropped)
        return Answer()
    count_rest(candidate, _CANDIDATE, "", dropped)
    content, reason = get(candidate, "content"), get(candidate, "finishReason")
    reason = None if reason is None else str(reason)
    answer = Answer(finish_reason=reason, finish=finish_of(reason, FINISH))
    if isinstance(content, dict):
        count_rest(content, _CONTENT, "content", dropped)
        if content.get("role") not in (None, "", "model"):
            dropped.count("content.role")
        _read_parts(answer, index, content.get("parts"), reading, dropped)
    else:
        count_value(content, "content", dropped)
    answer.grounding = _grounding(candidate, dropped)
    answer.citations = _citations(get(candidate, "citationMetadata"), dropped)
    if logprobs := get(candidate, "logprobsResult"):
        answer.logprobs = read_members(Logprobs, logprobs, "logprobsResult", dropped)
    if message := get(candidate, "finishMessage"):
        answer.message = str(message)
        if answer.has_content and answer.finish in (None, Finish.WHOLE):
            dropped.count("finishMessage")
    return answer


def _read_parts(answer: Answer, index: int, parts: Any, reading: Reading, dropped: Dropped) -> None:
    """Read the parts of a candidate: text, calls, media, and all parts that are not plain text."""
    read, media = [], []
    for number, part in enumerate(listed(parts, "content.parts", dropped)):
        if not isinstance(part, dict):
            count_value(part, "content.parts", dropped)
            continue
        others, inline = _without_inline_data(part)
        members = read_members(Part, others, "", dropped) or {}
        if inline is not None and members.get("thought"):  # a draft of the picture that follows
            count_value(inline, "thought.inlineData", dropped)
        elif inline is not None:
            answer.useful |= bool(inline.get("data"))
            media += _media(index, number, inline, reading, dropped)
        read.append({"candidate": index, "part": number, **members})
    said = [part["text"] for part in read if "text" in part and not part.get("thought")]
    answer.text = "".join(said) if said else None
    answered = [part for part in read if not part.get("thought")]
    answer.output = [part["function_call"] for part in answered if "function_call" in part] or None
    answer.useful |= any(name in part for part in answered for name in _USEFUL)
    answer.media = media or None
    answer.parts = _no_plain_text(read, alone=len(said) == 1)


def _no_plain_text(read: list[dict[str, Any]], *, alone: bool) -> list[dict[str, Any]] | None:
    """Return the parts with more than the answer's text; include its texts if there are several."""
    if not any(part.keys() - {*_PLACE, "text"} for part in read):
        return None
    if alone:
        for part in read:
            if not part.get("thought"):
                part.pop("text", None)
    return [part for part in read if part.keys() - set(_PLACE)] or None


def _without_inline_data(part: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    inline = get(part, "inlineData")
    if not isinstance(inline, dict):
        return part, None
    return {name: it for name, it in part.items() if name not in ("inlineData", "inline_data")}, inline


def _media(
    index: int, number: int, inline: dict[str, Any], reading: Reading, dropped: Dropped
) -> list[dict[str, Any]]:
    data = inline.get("data")
    if not (reading.keep_media and data and isinstance(data, str)):
        count_value(inline, "inlineData", dropped)
        return []
    count_rest(inline, frozenset(("mimeType", "data")), "inlineData", dropped)
    mime_type = text(get(inline, "mimeType"))
    return [{"candidate": index, "part": number, "mime_type": mime_type, "data": data}]


def _grounding(candidate: dict[str, Any], dropped: Dropped) -> dict[str, Any] | None:
    found: dict[str, Any] = {}
    if said := get(candidate, "groundingMetadata"):
        found = read_members(Grounding, said, "groundingMetadata", dropped) or {}
    if said := get(candidate, "urlContextMetadata"):
        where = "urlContextMetadata"
        count_rest(mapping(said), frozenset(("urlMetadata",)), where, dropped)
        read = read_list(UrlMetadata, get(mapping(said), "urlMetadata"), f"{where}.urlMetadata", dropped)
        if read:
            found["url_metadata"] = read
    return found or None


def _citations(said: Any, dropped: Dropped) -> list[dict[str, Any]] | None:
    """Read citations: ``citations`` on Vertex AI and in the SDK, ``citationSources`` in the Gemini API's REST."""
    if nothing(said):
        return None
    where, found = "citationMetadata", []
    count_rest(mapping(said), frozenset(("citations", "citationSources")), where, dropped)
    for name in ("citations", "citationSources"):
        found += read_list(Citation, get(mapping(said), name), f"{where}.{name}", dropped) or []
    return found or None


def _read_feedback(answer: Answer, feedback: Any, dropped: Dropped) -> None:
    """Read why a prompt was blocked, if there is no answer."""
    if nothing(feedback):
        return
    if answer.has_content:
        count_value(feedback, "promptFeedback", dropped)
        return
    given = mapping(feedback)
    count_rest(given, frozenset(("blockReason", "blockReasonMessage")), "promptFeedback", dropped)
    if reason := get(given, "blockReason"):
        answer.blocked = str(reason)
    if message := get(given, "blockReasonMessage"):
        answer.message = answer.message or str(message)


def _usage(response: Mapping[str, Any], reading: Reading) -> dict[str, int] | None:
    meta = mapping(get(response, "usageMetadata"))
    if not meta:
        count = integer(get(response, "tokenCount"))
        return None if count is None else tokens(count, total=count)
    known = _USAGE if reading.asked is None else _USAGE_OF_CALLS
    count_rest(meta, known, "usageMetadata", reading.counted)
    return tokens(
        integer(get(meta, "promptTokenCount")) or 0,
        integer(get(meta, "candidatesTokenCount")) or 0,
        integer(get(meta, "cachedContentTokenCount")) or 0,
        integer(get(meta, "thoughtsTokenCount")) or 0,
        integer(get(meta, "toolUsePromptTokenCount")) or 0,
        integer(get(meta, "totalTokenCount")) or 0,
    )
