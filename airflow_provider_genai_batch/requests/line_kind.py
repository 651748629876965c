"""The kinds of a line of JSONL: a request with a key, one without, or a bare request; anything else is refused."""

from __future__ import annotations

import re
from itertools import repeat
from typing import Any

from pydantic_core import from_json

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.models.base import Task
from airflow_provider_genai_batch.wire.lines.beside import FOREIGN
from airflow_provider_genai_batch.wire.prompts.content import is_prompt
from airflow_provider_genai_batch.wire.prompts.messages import MESSAGES
from airflow_provider_genai_batch.wire.spelling import camel
from airflow_provider_genai_batch.wire.values import snake

_MESSAGES = {Task.GENERATE: "GenerateContentRequest", Task.EMBED: "EmbedContentRequest"}
JSON_SPACE = b" \t\r\n"
"""All the space that JSON allows around an object; `bytes.strip` without an argument removes more."""
_COLUMN = re.compile(r"(.*?) at line \d+ column (\d+)")


def parse(line: bytes) -> dict[str, Any]:
    """Read one line.

    Raises:
        RequestError: not JSON, or not an object.
    """
    try:
        row = from_json(line, allow_inf_nan=False, cache_strings="keys")
    except ValueError as error:
        found = _COLUMN.fullmatch(str(error))
        detail = f"{found[1]} at column {found[2]}" if found else str(error)
        msg = f"not JSON ({detail})"
        raise RequestError(msg, "Write one JSON object a line, in UTF-8.") from error
    if not isinstance(row, dict):
        kind = {list: "array", str: "string", bool: "boolean", type(None): "null"}.get(type(row), "number")
        msg = f"a JSON {kind}, not an object"
        raise RequestError(msg, 'Write one object a line; a prompt is {"request": {"contents": …}}.')
    return row


def check_shape(row: dict[str, Any], task: Task) -> None:
    """Refuse a line that is neither ``{"key"?, "request"}`` nor a request; the message speaks of lines of a file.

    `wire.lines.request` checks the fields inside the request.

    Raises:
        RequestError: it is neither, or its prompt is missing.
    """
    prompt = "content" if task is Task.EMBED else "contents"
    whole = f'Write {{"key": …, "request": {{"{prompt}": …}}}}.'
    request = row.get("request")
    if request is not None:
        if not isinstance(request, dict):
            msg = "request is not an object"
            raise RequestError(msg, whole)
        if "config" not in {*row, *request} and request.get(prompt, request.get("contents")) in (
            None,
            [],
            {},
        ):
            msg = f"request has no {prompt}"
            raise RequestError(msg, whole)
        return
    if row.keys().isdisjoint(("contents", "content")) and not is_prompt(row):
        for name in row:
            if camel(name) in FOREIGN:
                raise RequestError(
                    f"unknown field {name!r}", FOREIGN[camel(name)].replace("contents", prompt)
                )
        shown = ", ".join(sorted(row)[:5]) or "nothing"
        msg = f"it has no request, and is not a request itself: there is {shown}"
        raise RequestError(msg, whole)


def says(given: Any, spelled: Any, task: Task) -> bool:
    """Whether a request in a line already equals its spelled form, except for snake_case names and for null fields.

    Args:
        given: the request in the line.
        spelled: the request as the service takes it.
        task: generate or embed. The service refuses a field that such requests do not have, even if it is null.
    """
    return _says(given, spelled, _MESSAGES[task])


def _says(given: Any, spelled: Any, kind: str) -> bool:
    if isinstance(given, dict) and isinstance(spelled, dict):
        kinds = MESSAGES.get(kind)
        others: dict[str, Any] | None = None
        left = len(spelled)
        for name, value in given.items():
            spelling = camel(name)
            if name in spelled:
                other = spelled[name]
            else:
                if name not in (spelling, snake(spelling)):  # the services know these two, and not top_P
                    return False
                if others is None:
                    others = {camel(one): inner for one, inner in spelled.items()}
                if spelling in others:
                    other = others[spelling]
                elif value is None and (kinds is None or spelling in kinds):
                    continue
                else:
                    return False
            if not _says(value, other, "" if kinds is None else kinds.get(spelling, "").strip("[]")):
                return False
            left -= 1
        return not left
    if isinstance(given, list) and isinstance(spelled, list):
        return len(given) == len(spelled) and all(map(_says, given, spelled, repeat(kind)))
    return bool(given == spelled) and isinstance(given, bool) == isinstance(spelled, bool)
