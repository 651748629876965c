"""One result line or entry of any channel, read as a plain row: the fields of `ResultRow` in a dict of JSON values.

Channels: Gemini inline entries and output files, Vertex JSONL shards; generate and embed. Rows come by the million, so
no model is built for each.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.keys import read_key, stamped_index
from airflow_provider_genai_batch.wire.values import get, integer, mapping, text

PlainRow: TypeAlias = dict[str, Any]
"""A row as it is written: `key, index, status, text, output, error, finish_reason, usage, model_version`.

In this order; behind them, where there is any, `response`, `round` and `input`.
"""

_VERTEX = Backend.VERTEX  # to look up a member of an enum costs as much as half a row
CANCELLED = 1
"""gRPC code of rows that a cancel left unserved."""
_STATUSES = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)
"""``google.rpc.Code`` by its numbers: Gemini's rows carry the number alone."""
_HTTP_CANCELLED = 499
_OWN = frozenset(
    (
        *("key", "request", "response", "status", "error"),
        *("processed_time", "processedTime", "instance", "prediction", "predictions"),
    )
)
"""What stands in a line of Vertex AI's output; all else is from the line of the input."""
_KEY_AND_RESPONSE = 2
NO_CONTENT = frozenset(
    (
        "SAFETY",
        "RECITATION",
        "LANGUAGE",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "MALFORMED_FUNCTION_CALL",
        "IMAGE_SAFETY",
        "UNEXPECTED_TOOL_CALL",
    )
)
"""Finish reasons whose text, if any, is not an answer."""


def read_fields(line: Mapping[str, Any], backend: Backend, *, keep_response: bool = False) -> PlainRow:
    """Read one row. A row with neither response nor error is an error; so is a Vertex row with a ``status``."""
    key = line.get("key")
    if type(key) is not str or backend is _VERTEX:
        key = _key(line, backend)
    response = line.get("response")
    if type(response) is not dict:
        response = {}
    if len(line) > _KEY_AND_RESPONSE or not response or "error" in line:
        row = _exception(line, key, response, backend) or _answer(key, response)
    else:
        row = _answer(key, response)
    if keep_response and response:
        row["response"] = response
    if backend is _VERTEX and len(line) > _KEY_AND_RESPONSE and (beside := _beside(line)):
        row["input"] = beside
    return row


def _beside(line: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the author of a request put beside it, which Vertex AI gives back."""
    return {name: value for name, value in line.items() if name not in _OWN and value is not None}


def _exception(
    line: Mapping[str, Any], key: str | None, response: Mapping[str, Any], backend: Backend
) -> PlainRow | None:
    """Read a line that says more, or less, than a response; None if that is all that counts."""
    error = _row_error(line) if "error" in line or "status" in line else None
    if error is None and "predictions" in line:
        return _text_embedding(line, key, backend)
    if error is not None or not response:
        return _refused(line, key, error or _error("the service sent neither a response nor an error"))
    return None


def missing_row(key: str | None, index: int | None) -> PlainRow:
    """Return the row of a request that has none."""
    return {**_row(key, "missing"), "index": index}


def useless_row(line: Mapping[str, Any], backend: Backend, status: str, message: str) -> PlainRow:
    """Return the row of an answer of which no more is known than its key."""
    return _row(_key(line, backend), "invalid", error=invalid_error(status, message))


def invalid_error(status: str, message: str) -> dict[str, Any]:
    """Return the error of an answer that is of no use."""
    return _error(message, status=status)


def _row(key: str | None, status: str, **fields: Any) -> PlainRow:
    """Return a row with all its fields."""
    row: PlainRow = {
        "key": key,
        "index": stamped_index(key) if key else None,
        "status": status,
        "text": None,
        "output": None,
        "error": None,
        "finish_reason": None,
        "usage": None,
        "model_version": None,
    }
    row.update(fields)
    return row


def _error(message: str, *, code: int | None = None, status: str = "") -> dict[str, Any]:
    return {"code": code, "status": status, "message": message}


def _key(line: Mapping[str, Any], backend: Backend) -> str | None:
    """Return the key; in lines of others' jobs on Vertex AI it is where their authors put it."""
    metadata = mapping(line.get("metadata"))
    key = line.get("key")
    if key is None:
        key = metadata.get("key")
    if backend is not _VERTEX:
        return None if key is None else str(key)
    for name in ("custom_id", "customId"):
        for place in (line, metadata):
            key = place.get(name) if key is None else key
    if key is None:
        key = _label(mapping(mapping(line.get("request")).get("labels")))
    return None if key is None else read_key(str(key))


def _label(labels: Mapping[str, Any]) -> Any:
    """Return the label that gateways to this service write their ids into, each with a prefix of its own."""
    return next(
        (value for name, value in labels.items() if name == "key" or name.endswith("custom_id")), None
    )


def _refused(line: Mapping[str, Any], key: str | None, error: dict[str, Any]) -> PlainRow:
    gone = error["code"] in (CANCELLED, _HTTP_CANCELLED) or error["status"] == "CANCELLED"
    return _row(key, "cancelled" if gone else "error", error=error, text=_asked_text(line))


def _row_error(line: Mapping[str, Any]) -> dict[str, Any] | None:
    error = line.get("error")
    if isinstance(error, dict) and error:
        return _read_error(error, "")
    if isinstance(error, str) and error:
        return _error(error)
    status = line.get("status")
    if isinstance(status, dict):  # seen in readers of others' only, beside answers too; code 0 is OK
        return _read_error(status, "") if status.get("code") or status.get("message") else None
    return _status_error(status) if isinstance(status, str) and status.strip() else None


def _read_error(error: Mapping[str, Any], otherwise: str) -> dict[str, Any]:
    code = integer(error.get("code"))
    status = str(error.get("status") or "")
    if not status and code is not None and 0 < code < len(_STATUSES):
        status = _STATUSES[code]
    return _error(str(error.get("message") or otherwise), code=code, status=status)


def _status_error(status: str) -> dict[str, Any]:
    """Read Vertex's ``status`` text, which often ends in the JSON of an error."""
    start = status.find("{")
    if start >= 0:
        try:
            tail = json.loads(status[start:])
        except (ValueError, RecursionError):
            tail = None
        if inner := mapping(mapping(tail).get("error")):
            return _read_error(inner, status)
    return _error(status.strip())


def _answer(key: str | None, response: Mapping[str, Any]) -> PlainRow:
    """Read what the first candidate says; without anything usable the row is ``invalid``."""
    usage, version = _usage(response), text(get(response, "modelVersion"))
    if "embedding" in response and (values := mapping(response["embedding"]).get("values")):
        return _row(key, "ok", output=values, usage=usage, model_version=version)
    first = _first(response.get("candidates"))
    said, calls, other = _said(mapping(first.get("content")).get("parts"))
    reason = get(first, "finishReason")
    reason = None if reason is None else str(reason)
    row = _row(key, "ok", text=said, output=calls, finish_reason=reason, usage=usage, model_version=version)
    if not (said or calls or other) or reason in NO_CONTENT:
        blocked = get(mapping(get(response, "promptFeedback")), "blockReason")
        why = str(blocked or reason or "no candidate")
        row["status"] = "invalid"
        row["error"] = invalid_error(why, str(get(first, "finishMessage") or f"no usable answer: {why}"))
    return row


def _said(parts: Any) -> tuple[str | None, list[Any] | None, bool]:
    """Return text and function calls of an answer without its thoughts, and whether there are media."""
    texts: list[str] = []
    calls: list[Any] = []
    other = False
    for part in parts if isinstance(parts, list) else ():
        if not isinstance(part, dict) or part.get("thought"):
            continue
        if isinstance(part.get("text"), str):
            texts.append(part["text"])
        if call := get(part, "functionCall"):
            calls.append(call)
        other = other or bool(get(part, "inlineData") or get(part, "fileData"))
    return "".join(texts) if texts else None, calls or None, other


def _first(value: Any) -> dict[str, Any]:
    first = value[0] if type(value) is list and value else None
    return first if type(first) is dict else {}


def _usage(response: Mapping[str, Any]) -> dict[str, int] | None:
    meta = mapping(get(response, "usageMetadata"))
    if not meta:
        tokens = integer(get(response, "tokenCount"))
        return None if tokens is None else _tokens(tokens, total=tokens)
    prompt = integer(get(meta, "promptTokenCount")) or 0
    output = integer(get(meta, "candidatesTokenCount")) or 0
    cached = integer(get(meta, "cachedContentTokenCount")) or 0
    thoughts = integer(get(meta, "thoughtsTokenCount")) or 0
    total = integer(get(meta, "totalTokenCount")) or prompt + output + thoughts
    return {"input": prompt, "output": output, "cached": cached, "thoughts": thoughts, "total": total}


def _tokens(asked: int = 0, *, total: int = 0) -> dict[str, int]:
    return {"input": asked, "output": 0, "cached": 0, "thoughts": 0, "total": total}


def _asked_text(line: Mapping[str, Any]) -> str | None:
    """Return the text of a ``text-embedding-00x`` line, which carries no key and so joins by it."""
    return text(mapping(line.get("instance")).get("content"))


def _text_embedding(line: Mapping[str, Any], key: str | None, backend: Backend) -> PlainRow:
    """Read a ``text-embedding-00x`` line: ``instance``, ``predictions[0].embeddings``."""
    embeddings = mapping(_first(line.get("predictions")).get("embeddings"))
    tokens = integer(get(mapping(embeddings.get("statistics")), "tokenCount"))
    if key is None:
        key = _key(mapping(line.get("instance")), backend)
    asked, values = _asked_text(line), embeddings.get("values")
    if not values:
        return _row(key, "error", error=_error("the service sent no embedding"), text=asked)
    usage = None if tokens is None else _tokens(tokens, total=tokens)
    return _row(key, "ok", output=values, usage=usage, text=asked)
