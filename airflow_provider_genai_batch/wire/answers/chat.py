"""Answers of open models, read from an OpenAI ChatCompletion or a list of embeddings.

Source: "Call MaaS APIs for open models"; the types of OpenAI's package for Python; clients that read rows of live jobs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from airflow_provider_genai_batch.models.answers.candidate import Logprobs
from airflow_provider_genai_batch.wire.answers.answer import Answer, Finish, Reading, finish_of, tokens
from airflow_provider_genai_batch.wire.answers.candidates import answer_of, indices
from airflow_provider_genai_batch.wire.answers.embedding import embedding_of
from airflow_provider_genai_batch.wire.answers.members import (
    Dropped,
    count_rest,
    count_value,
    filled,
    listed,
    read_members,
)
from airflow_provider_genai_batch.wire.values import integer, listing, mapping, text

FINISH: dict[str, Finish] = {
    "stop": Finish.WHOLE,
    "tool_calls": Finish.WHOLE,
    "function_call": Finish.WHOLE,
    "length": Finish.CUT_OFF,
    "content_filter": Finish.UNUSABLE,
}
"""The known finish reasons of chat completions."""
LEFT_OUT = frozenset(
    (
        *("id", "created", "systemFingerprint", "serviceTier", "metadata", "usage.extraProperties"),
        *("choices.matchedStop", "choices.stopReason"),
    )
)
"""Known members that no row contains, as in `wire.answers.gemini`."""
_COMPLETION = frozenset(("object", "model", "choices", "data", "usage"))
_CHOICE = frozenset(("index", "message", "finish_reason", "logprobs"))
_MESSAGE = frozenset(("role", "content", "refusal", "reasoning_content", "reasoning", "tool_calls"))
_USAGE = frozenset(
    (
        *("prompt_tokens", "completion_tokens", "total_tokens", "reasoning_tokens"),
        *("prompt_tokens_details", "completion_tokens_details"),
    )
)


def is_completion(response: Mapping[str, Any]) -> bool:
    """Whether a response is from an open model."""
    return "choices" in response or response.get("object") in ("chat.completion", "list")


def read_completion(response: Mapping[str, Any], reading: Reading) -> Answer:
    """Read a ChatCompletion, or a list of embeddings. Several choices are several candidates."""
    dropped = reading.counted
    count_rest(response, _COMPLETION, "", dropped)
    usage, version = _usage(response.get("usage"), dropped), text(response.get("model"))
    if isinstance(data := response.get("data"), list) and data:
        first = mapping(data[0])
        if len(data) > 1:
            dropped.count("data", len(data) - 1)
        return embedding_of(first.get("embedding"), dropped, usage=usage, model_version=version)
    choices = listed(response.get("choices"), "choices", dropped)
    places = zip(indices(choices), choices, strict=True)
    answer = answer_of({index: _choice(index, choice, dropped) for index, choice in places}, dropped)
    answer.usage, answer.model_version = usage, version
    return answer


def _choice(index: int, choice: Any, dropped: Dropped) -> Answer:
    given = mapping(choice)
    count_rest(given, _CHOICE, "choices", dropped)
    reason = text(given.get("finish_reason"))
    answer = Answer(finish_reason=reason, finish=finish_of(reason, FINISH))
    said = mapping(given.get("message"))
    count_rest(said, _MESSAGE, "message", dropped)
    answer.text = _content(said.get("content"), dropped)
    parts: list[dict[str, Any]] = []
    if thought := text(said.get("reasoning_content")) or text(said.get("reasoning")):
        parts.append({"candidate": index, "part": len(parts), "text": thought, "thought": True})
    for call in listed(said.get("tool_calls"), "message.toolCalls", dropped):
        made = _call(mapping(call))
        answer.output = [*(answer.output or ()), made]
        parts.append({"candidate": index, "part": len(parts), "function_call": made})
    answer.parts = parts or None
    if refused := text(said.get("refusal")):
        answer.blocked, answer.message = "refusal", refused
        if answer.has_content:
            dropped.count("message.refusal")
    answer.logprobs = _logprobs(given.get("logprobs"), dropped)
    return answer


def _content(content: Any, dropped: Dropped) -> str | None:
    if isinstance(content, str):
        return content or None
    if not isinstance(content, list):
        count_value(content, "message.content", dropped)
        return None
    texts = [part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)]
    if len(texts) < len(content):
        dropped.count("message.content", len(content) - len(texts))
    return "".join(texts) or None


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    function = mapping(call.get("function"))
    given = function.get("arguments")
    try:
        args = json.loads(given) if isinstance(given, str) else given
    except (ValueError, RecursionError):
        args = {"arguments": given}
    args = args if isinstance(args, dict) else {"arguments": args}
    return filled(id=text(call.get("id")), name=text(function.get("name")), args=args)


def _logprobs(logprobs: Any, dropped: Dropped) -> dict[str, Any] | None:
    given = mapping(logprobs)
    said = listing(given.get("content"))
    count_rest(given, frozenset(("content",)), "logprobs", dropped)
    if not said:
        return None
    named = [_named(one) for one in said]
    top = [[_named(each) for each in listing(mapping(one).get("top_logprobs"))] for one in said]
    spelled = {
        "chosen_candidates": named,
        "top_candidates": [{"candidates": each} for each in top] if any(top) else None,
    }
    return read_members(Logprobs, spelled, "logprobs", dropped)


def _named(one: Any) -> dict[str, Any]:
    """Rename the members of a probability to those of `models.answers.candidate.TokenLogprob`, without bytes."""
    given = mapping(one)
    return {"token": given.get("token"), "log_probability": given.get("logprob")}


def _usage(usage: Any, dropped: Dropped) -> dict[str, int] | None:
    """Read tokens: ``prompt_tokens`` includes cached ones, ``completion_tokens`` includes those of reasoning."""
    given = mapping(usage)
    if not given:
        return None
    count_rest(given, _USAGE, "usage", dropped)
    asked, details = (
        mapping(given.get("prompt_tokens_details")),
        mapping(given.get("completion_tokens_details")),
    )
    count_rest(asked, frozenset(("cached_tokens",)), "usage.promptTokensDetails", dropped)
    count_rest(details, frozenset(("reasoning_tokens",)), "usage.completionTokensDetails", dropped)
    prompt, answered, total = (
        integer(given.get(name)) or 0 for name in ("prompt_tokens", "completion_tokens", "total_tokens")
    )
    thoughts = integer(details.get("reasoning_tokens")) or integer(given.get("reasoning_tokens")) or 0
    thoughts = min(thoughts, answered)
    return tokens(
        prompt, answered - thoughts, integer(asked.get("cached_tokens")) or 0, thoughts, total=total
    )
