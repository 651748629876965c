"""A fast path for the most common requests: turns of text and nothing else.

Lists and generators of requests may be long. Any other request takes the full path, in `wire.lines.request`; both give
the same result for such a request.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_genai_batch.wire.keys import MAX_KEY_CHARACTERS
from airflow_provider_genai_batch.wire.lines.request import WireRequest

_KEYED, _TURN = 2, 2
_ROLES = frozenset(("user", "model"))


def usual_prompt(item: Any) -> tuple[str | None, str] | None:
    """Return key and text of a request that `usual_request` writes as a single user text; None for other requests.

    It does not check whether the text can be written as UTF-8.
    """
    if item.__class__ is str:
        return None, item
    if item.__class__ is not dict:
        return None
    key, inside = None, item.get("request", item)
    if len(item) > 1:
        key = item.get("key")
        if len(item) > _KEYED or not _is_key(key):
            return None
    if inside.__class__ is not dict or (inside is not item and len(inside) > 1):
        return None
    prompt = inside.get("contents")
    return (key, prompt) if prompt.__class__ is str else _of_a_user(key, prompt)


def _of_a_user(key: str | None, contents: Any) -> tuple[str | None, str] | None:
    if contents.__class__ is not list or len(contents) != 1 or contents[0].__class__ is not dict:
        return None
    turn = contents[0]
    parts = turn.get("parts")
    if len(turn) != _TURN or turn.get("role") != "user" or parts.__class__ is not list or len(parts) != 1:
        return None
    (part,) = parts
    if part.__class__ is not dict or len(part) != 1 or (text := part.get("text")).__class__ is not str:
        return None
    return key, text


def usual_request(item: Any, fields: dict[str, Any]) -> WireRequest | None:
    """Return a request for generated content; None if it is not one of the common forms.

    Args:
        item: a prompt, ``{"contents": …}`` or ``{"request": {"contents": …}}``; the last two may have a ``key``.
        fields: the request's fields beside its contents.
    """
    key = None
    if item.__class__ is dict:
        if len(item) > 1:
            key = item.get("key")
            if len(item) > _KEYED or not _is_key(key):
                return None
        inside = item.get("request", item)
        if inside.__class__ is not dict or (inside is not item and len(inside) > 1):
            return None
        item = inside.get("contents")
        turns = _turns(item) if item.__class__ is list else None
    else:
        turns = None
    if turns is None:
        if not _is_text(item):
            return None
        turns = [{"parts": [{"text": item}], "role": "user"}]
    return WireRequest(key, {"contents": turns, **fields})


def _turns(contents: list[Any]) -> list[dict[str, Any]] | None:
    turns = []
    for turn in contents:
        if turn.__class__ is not dict or turn.get("parts").__class__ is not list:
            return None
        parts = []
        for part in turn["parts"]:
            if part.__class__ is not dict or len(part) > 1 or not _is_text(text := part.get("text")):
                return None
            parts.append({"text": text})
        spelled: dict[str, Any] = {"parts": parts}
        if len(turn) > 1:
            role = turn.get("role")
            if len(turn) > _TURN or role.__class__ is not str or role not in _ROLES:
                return None
            spelled["role"] = role
        if not parts:
            return None
        turns.append(spelled)
    return turns or None


def _is_text(value: Any) -> bool:
    """Whether it is a text that can be written as UTF-8."""
    if value.__class__ is not str:
        return False
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            return False
    return True


def _is_key(value: Any) -> bool:
    return value.__class__ is str and value.isascii() and 0 < len(value) <= MAX_KEY_CHARACTERS
