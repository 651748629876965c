"""What one line of JSONL is: a keyed request, one without key, or a bare one; all else is refused.

Source: Google's batch guides (Gemini, Vertex AI); captures of what each service does with other names.
"""

from __future__ import annotations

import re
from typing import Any

from pydantic_core import from_json

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.wire.config import REQUEST_FIELDS
from airflow_provider_genai_batch.wire.embed import EMBED_FIELDS
from airflow_provider_genai_batch.wire.keys import check_key
from airflow_provider_genai_batch.wire.requests import FOREIGN, unknown_name
from airflow_provider_genai_batch.wire.spelling import camel

JSON_SPACE = b" \t\r\n"
"""All that JSON allows around an object; bytes without a name strip more."""
_COLUMN = re.compile(r"(.*?) at line \d+ column (\d+)")
_OUTPUT = frozenset({"response", "status", "error", "processedTime", "instance", "prediction", "predictions"})
_SDK = "A file holds REST fields (generationConfig, systemInstruction, …); config is for lists of requests."
_NAMES = {**FOREIGN, "config": _SDK, "metadata": "Only requests sent inline to Gemini carry metadata."}


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


def is_enveloped(row: dict[str, Any], backend: Backend, task: Task) -> bool:
    """Tell ``{"key"?, "request"}`` from a bare request.

    Raises:
        RequestError: it is neither, or has something in it that has no place there.
    """
    if "request" in row:
        _check_siblings(row, backend)
        _check_request(row["request"], task)
        if "key" in row:
            check_key(row["key"])
        return True
    prompt = "content" if task is Task.EMBED else "contents"
    for name in row:
        if camel(name) in _NAMES:
            raise _refused(name)
    if prompt not in row:
        shown = ", ".join(sorted(row)[:5]) or "nothing"
        msg = f"neither request nor a request: there is {shown}"
        raise RequestError(msg, f'Write {{"key": …, "request": {{"{prompt}": …}}}}.')
    known = (
        EMBED_FIELDS | {"embedContentConfig"} if task is Task.EMBED else REQUEST_FIELDS | {"generationConfig"}
    )
    for name in row:
        if camel(name) not in known | {prompt, "model"}:
            msg = f"unknown field {name!r} beside {prompt}"
            raise RequestError(msg, f'Write {{"key": …, "request": {{"{prompt}": …}}}}.')
    _check_request(row, task)
    return False


def check_text(row: dict[str, Any], model: str) -> None:
    """Refuse a line that is not ``{"content": "…"}``, all that Vertex AI's text-embedding models take.

    Raises:
        RequestError: it is something else.
    """
    if row.keys() != {"content"} or not isinstance(row["content"], str) or not row["content"]:
        msg = f"{model} takes lines with content and nothing else"
        raise RequestError(msg, 'Write {"content": "…"}, or use a gemini-embedding model.')


def _check_siblings(row: dict[str, Any], backend: Backend) -> None:
    """Refuse what has no place beside ``request``: on Gemini everything but the key.

    Vertex AI echoes other names into the row that comes back, but it is known to do so only for single
    values.
    """
    for name, value in row.items():
        if name in {"key", "request"}:
            continue
        if backend is Backend.GEMINI or camel(name) in _NAMES or name in {"contents", "content"}:
            raise _refused(name)
        if camel(name) in _OUTPUT:
            msg = f"the field {name!r} is one of Vertex AI's output"
            raise RequestError(
                msg, "Rename it; to go on with an unfinished job, give its output as gs:// source."
            )
        if isinstance(value, (dict, list)):
            msg = f"the field {name!r} beside request is not a single value"
            raise RequestError(
                msg, "Vertex AI echoes strings, numbers and booleans: write it as a JSON string."
            )


def _check_request(request: Any, task: Task) -> None:
    if not isinstance(request, dict):
        msg = "request is not an object"
        raise RequestError(msg, 'Write {"key": …, "request": {"contents": …}}.')
    if "config" in request:
        msg = "config inside request is the SDK's spelling"
        raise RequestError(msg, _SDK)
    prompt = "content" if task is Task.EMBED else "contents"
    value = request.get(prompt)
    if not value:
        msg = f"request has no {prompt}"
        raise RequestError(msg, f'Write {{"key": …, "request": {{"{prompt}": …}}}}.')
    if not all(isinstance(one, dict) for one in (value if isinstance(value, list) else [value])):
        msg = f"{prompt} is not made of objects"
        raise RequestError(msg, 'A prompt in a file is {"role": "user", "parts": [{"text": "…"}]}.')


def _refused(name: str) -> RequestError:
    spelled = camel(name)
    if spelled in _NAMES:
        return RequestError(f"unknown field {name!r}", _NAMES[spelled])
    return unknown_name(name)
