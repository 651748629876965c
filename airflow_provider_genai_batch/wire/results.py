"""One result line or entry of any channel, read as a `ResultRow`.

Channels: Gemini inline entries and output files, Vertex JSONL shards; generate and embed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from airflow_provider_genai_batch.models import ResultRow, RowError, RowStatus, Usage
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.keys import read_key, stamped_index
from airflow_provider_genai_batch.wire.values import get, integer, listing, mapping, text

CANCELLED = 1
"""gRPC code of rows that a cancel left unserved."""
_HTTP_CANCELLED = 499
_NO_CONTENT = frozenset(
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


def read_row(line: Mapping[str, Any], backend: Backend, *, keep_response: bool = False) -> ResultRow:
    """Read one row. A row with neither response nor error is an error; so is a Vertex row with a ``status``."""
    key = _key(line, backend)
    response = mapping(line.get("response"))
    error = _row_error(line)
    if error is None and "predictions" in line:
        return _text_embedding(line, key, backend)
    if error is None and not response:
        error = RowError(message="the service sent neither a response nor an error")
    common: dict[str, Any] = {"key": key, "index": stamped_index(key) if key else None}
    if keep_response and response:
        common["response"] = response
    if error is not None:
        gone = error.code in (CANCELLED, _HTTP_CANCELLED) or error.status == "CANCELLED"
        status = RowStatus.CANCELLED if gone else RowStatus.ERROR
        return ResultRow(status=status, error=error, text=_asked_text(line), **common)
    common["usage"] = _usage(response)
    common["model_version"] = text(get(response, "modelVersion"))
    values = mapping(response.get("embedding")).get("values")
    if values:
        return ResultRow(status=RowStatus.OK, output=values, **common)
    return ResultRow(**common, **_answer(response))


def _key(line: Mapping[str, Any], backend: Backend) -> str | None:
    key = line.get("key")
    if key is None:
        key = mapping(line.get("metadata")).get("key")
    if key is None:
        return None
    return read_key(str(key)) if backend is Backend.VERTEX else str(key)


def _row_error(line: Mapping[str, Any]) -> RowError | None:
    error = line.get("error")
    if isinstance(error, dict) and error:
        return RowError(
            code=integer(error.get("code")),
            status=str(error.get("status") or ""),
            message=str(error.get("message") or ""),
        )
    if isinstance(error, str) and error:
        return RowError(message=error)
    status = line.get("status")
    return _status_error(status) if isinstance(status, str) and status.strip() else None


def _status_error(status: str) -> RowError:
    """Read Vertex's ``status`` text, which often ends in the JSON of an error."""
    start = status.find("{")
    if start >= 0:
        try:
            tail = json.loads(status[start:])
        except (ValueError, RecursionError):
            tail = None
        inner = mapping(mapping(tail).get("error"))
        if inner:
            return RowError(
                code=integer(inner.get("code")),
                status=str(inner.get("status") or ""),
                message=str(inner.get("message") or status),
            )
    return RowError(message=status.strip())


def _answer(response: Mapping[str, Any]) -> dict[str, Any]:
    """Read what the first candidate says; without anything usable the row is ``invalid``."""
    first = _first(response.get("candidates"))
    reason = get(first, "finishReason")
    reason = None if reason is None else str(reason)
    parts = [p for p in listing(mapping(first.get("content")).get("parts")) if isinstance(p, dict)]
    spoken = [p for p in parts if not p.get("thought")]
    texts = [p["text"] for p in spoken if isinstance(p.get("text"), str)]
    calls = [call for p in spoken if (call := get(p, "functionCall"))]
    other = any(get(p, "inlineData") or get(p, "fileData") for p in spoken)
    answer: dict[str, Any] = {
        "text": "".join(texts) if texts else None,
        "output": calls or None,
        "finish_reason": reason,
    }
    blocked = get(mapping(get(response, "promptFeedback")), "blockReason")
    if (any(texts) or calls or other) and reason not in _NO_CONTENT:
        return {"status": RowStatus.OK, **answer}
    said = blocked or reason or "no candidate"
    message = str(get(first, "finishMessage") or f"no usable answer: {said}")
    return {"status": RowStatus.INVALID, "error": RowError(status=str(said), message=message), **answer}


def _first(value: Any) -> dict[str, Any]:
    return mapping(value[0]) if isinstance(value, list) and value else {}


def _usage(response: Mapping[str, Any]) -> Usage | None:
    meta = mapping(get(response, "usageMetadata"))
    if not meta:
        tokens = integer(get(response, "tokenCount"))
        return None if tokens is None else Usage(input=tokens, total=tokens)
    prompt = integer(get(meta, "promptTokenCount")) or 0
    output = integer(get(meta, "candidatesTokenCount")) or 0
    thoughts = integer(get(meta, "thoughtsTokenCount")) or 0
    return Usage(
        input=prompt,
        output=output,
        cached=integer(get(meta, "cachedContentTokenCount")) or 0,
        thoughts=thoughts,
        total=integer(get(meta, "totalTokenCount")) or prompt + output + thoughts,
    )


def _asked_text(line: Mapping[str, Any]) -> str | None:
    """Return the text of a ``text-embedding-00x`` line, which carries no key and so joins by it."""
    return text(mapping(line.get("instance")).get("content"))


def _text_embedding(line: Mapping[str, Any], key: str | None, backend: Backend) -> ResultRow:
    """Read a ``text-embedding-00x`` line: ``instance``, ``predictions[0].embeddings``."""
    embeddings = mapping(_first(line.get("predictions")).get("embeddings"))
    tokens = integer(get(mapping(embeddings.get("statistics")), "tokenCount"))
    values = embeddings.get("values")
    if key is None:
        key = _key(mapping(line.get("instance")), backend)
    common: dict[str, Any] = {
        "key": key,
        "index": stamped_index(key) if key else None,
        "text": _asked_text(line),
    }
    if not values:
        error = RowError(message="the service sent no embedding")
        return ResultRow(status=RowStatus.ERROR, error=error, **common)
    usage = None if tokens is None else Usage(input=tokens, total=tokens)
    return ResultRow(status=RowStatus.OK, output=values, usage=usage, **common)
