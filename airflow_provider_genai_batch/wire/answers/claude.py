"""Answers of Claude, read from an Anthropic Message.

Source: the types of Anthropic's package for Python, 0.125.0; "Batch predictions with Anthropic Claude models" and
clients that read its rows, which show the envelope of a Message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic_core import to_json

from airflow_provider_genai_batch.models.answers.grounding import Citation
from airflow_provider_genai_batch.wire.answers.answer import Answer, Finish, Reading, finish_of, tokens
from airflow_provider_genai_batch.wire.answers.members import (
    Dropped,
    count_rest,
    filled,
    listed,
    read_members,
)
from airflow_provider_genai_batch.wire.schemas.partner_schema import ANSWER_TOOL, VALUE, VALUE_TOOL
from airflow_provider_genai_batch.wire.values import integer, mapping, text

FINISH: dict[str, Finish] = {
    "end_turn": Finish.WHOLE,
    "stop_sequence": Finish.WHOLE,
    "tool_use": Finish.WHOLE,
    "max_tokens": Finish.CUT_OFF,
    "model_context_window_exceeded": Finish.CUT_OFF,
    "pause_turn": Finish.UNUSABLE,
    "refusal": Finish.UNUSABLE,
}
"""Claude's known stop reasons. ``pause_turn`` means that another request has to continue the answer."""
LEFT_OUT = frozenset(
    (
        *(
            "id",
            "stopSequence",
            "container",
            "usage.cacheCreation",
            "usage.serverToolUse",
            "usage.serviceTier",
        ),
        *("usage.inferenceGeo", "usage.speed", "diagnostics", "content.toolUse.caller"),
    )
)
"""Known members that no row contains, as in `wire.answers.gemini`."""
_MESSAGE = frozenset(("type", "role", "model", "content", "stop_reason", "stop_details", "usage"))
_USAGE = frozenset(
    (
        *("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"),
        "output_tokens_details",  # in later versions of Anthropic's package
    )
)
_CITATION = {
    "cited_text": "cited_text",
    "document_title": "title",
    "title": "title",
    "url": "uri",
    "source": "uri",
    "start_char_index": "start_index",
    "end_char_index": "end_index",
}
"""Maps a citation's members to the fields of `models.answers.grounding.Citation`."""


def is_message(response: Mapping[str, Any]) -> bool:
    """Whether a response is from Claude."""
    return response.get("type") == "message" or ("stop_reason" in response and "content" in response)


def read_message(response: Mapping[str, Any], reading: Reading) -> Answer:
    """Read a Message."""
    dropped = reading.counted
    count_rest(response, _MESSAGE, "", dropped)
    reason = text(response.get("stop_reason"))
    answer = Answer(
        finish_reason=reason,
        finish=finish_of(reason, FINISH),
        usage=_usage(response.get("usage"), dropped),
        model_version=text(response.get("model")),
    )
    said: list[str] = []
    for number, block in enumerate(listed(response.get("content"), "content", dropped)):
        kind = str(mapping(block).get("type"))
        read = _READERS.get(kind)
        if read is None:
            dropped.count(f"content.{kind}" if isinstance(block, dict) else "content")
        else:
            read(answer, number, mapping(block), said, dropped)
    answer.text = "".join(said) if said else None
    _read_details(answer, response.get("stop_details"), dropped)
    return answer


def _text(answer: Answer, _number: int, block: Mapping[str, Any], said: list[str], dropped: Dropped) -> None:
    count_rest(block, frozenset(("type", "text", "citations")), "content.text", dropped)
    if isinstance(block.get("text"), str):
        said.append(block["text"])
    for citation in listed(block.get("citations"), "content.citations", dropped):
        given = mapping(citation)
        named = {_CITATION.get(name, name): value for name, value in given.items() if name != "type"}
        if found := read_members(Citation, named, "content.citations", dropped):
            answer.citations = [*(answer.citations or ()), found]


def _tool_use(
    answer: Answer, number: int, block: Mapping[str, Any], said: list[str], dropped: Dropped
) -> None:
    name, given = text(block.get("name")), block.get("input")
    if name == ANSWER_TOOL:
        said.append(to_json(given).decode())
        return
    if name == VALUE_TOOL:
        said.append(to_json(mapping(given).get(VALUE)).decode())
        return
    count_rest(block, frozenset(("type", "id", "name", "input")), "content.toolUse", dropped)
    call = filled(id=text(block.get("id")), name=name, args=mapping(given) or None)
    answer.output = [*(answer.output or ()), call]
    _add(answer, number, function_call=call)


def _thinking(
    answer: Answer, number: int, block: Mapping[str, Any], _said: list[str], dropped: Dropped
) -> None:
    count_rest(block, frozenset(("type", "thinking", "signature", "data")), "content.thinking", dropped)
    signature = text(block.get("signature")) or text(block.get("data"))
    _add(
        answer,
        number,
        **filled(text=text(block.get("thinking")) or None, thought=True, thought_signature=signature),
    )


def _server_tool(
    answer: Answer, number: int, block: Mapping[str, Any], _said: list[str], dropped: Dropped
) -> None:
    count_rest(block, frozenset(("type", "id", "name", "input")), "content.serverToolUse", dropped)
    call = filled(
        id=text(block.get("id")), tool_type=text(block.get("name")), args=mapping(block.get("input")) or None
    )
    _add(answer, number, tool_call=call)


def _tool_result(
    answer: Answer, number: int, block: Mapping[str, Any], _said: list[str], dropped: Dropped
) -> None:
    kind = str(block.get("type"))
    count_rest(block, frozenset(("type", "tool_use_id", "content")), f"content.{kind}", dropped)
    found = filled(
        id=text(block.get("tool_use_id")), tool_type=kind, response={"content": block.get("content")}
    )
    _add(answer, number, tool_response=found)


def _add(answer: Answer, number: int, **members: Any) -> None:
    answer.parts = [*(answer.parts or ()), {"candidate": 0, "part": number, **members}]


def _read_details(answer: Answer, details: Any, dropped: Dropped) -> None:
    given = mapping(details)
    count_rest(given, frozenset(("type", "category", "explanation")), "stopDetails", dropped)
    said = [str(given[name]) for name in ("category", "explanation") if given.get(name)]
    if said:
        answer.message = ": ".join(said)


def _usage(usage: Any, dropped: Dropped) -> dict[str, int] | None:
    """Read tokens: Anthropic's ``input_tokens`` excludes tokens that were written into a cache or read from one."""
    given = mapping(usage)
    if not given:
        return None
    count_rest(given, _USAGE, "usage", dropped)
    fresh, made, cached, answered = (
        integer(given.get(name)) or 0
        for name in (
            "input_tokens",
            "cache_creation_input_tokens",
            "cache_read_input_tokens",
            "output_tokens",
        )
    )
    details = mapping(given.get("output_tokens_details"))
    count_rest(details, frozenset(("thinking_tokens",)), "usage.outputTokensDetails", dropped)
    thoughts = min(integer(details.get("thinking_tokens")) or 0, answered)
    return tokens(fresh + made + cached, answered - thoughts, cached, thoughts)


_READERS: dict[str, Callable[[Answer, int, Mapping[str, Any], list[str], Dropped], None]] = {
    "text": _text,
    "tool_use": _tool_use,
    "thinking": _thinking,
    "redacted_thinking": _thinking,
    "server_tool_use": _server_tool,
    "web_search_tool_result": _tool_result,
}
