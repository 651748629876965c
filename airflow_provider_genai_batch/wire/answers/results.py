"""Reads one result line or entry of any channel as a plain row: the fields of `ResultRow` in a dict of JSON values.

Channels: inline entries and output files of the Gemini API, and JSONL shards of Vertex AI; for answers and embeddings.
A job has millions of rows, so no model is built for each.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.tier import Tier
from airflow_provider_genai_batch.wire.answers.answer import (
    PlainRow,
    Reading,
    answer_row,
    plain_row,
    row_error,
    tokens,
)
from airflow_provider_genai_batch.wire.answers.chat import is_completion, read_completion
from airflow_provider_genai_batch.wire.answers.claude import is_message, read_message
from airflow_provider_genai_batch.wire.answers.embedding import embedding_of
from airflow_provider_genai_batch.wire.answers.gemini import read_answer
from airflow_provider_genai_batch.wire.answers.members import count_rest
from airflow_provider_genai_batch.wire.keys import read_custom_id, read_key
from airflow_provider_genai_batch.wire.partners.rows import (
    OF_PARTNERS,
    envelope_error,
    is_partners,
    unwrapped,
)
from airflow_provider_genai_batch.wire.services.online import served_tier
from airflow_provider_genai_batch.wire.values import get, integer, mapping, text

_VERTEX = Backend.VERTEX  # looking up an enum member costs as much as half a row
CANCELLED = 1
"""The gRPC code of rows that were not processed because the job was cancelled."""
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
"""``google.rpc.Code`` by its numbers: Gemini's rows have only the number."""
_HTTP_CANCELLED = 499
_NO_ERROR = ("", "null", "{}")
"""Texts of the column ``error`` of open models that say nothing: in BigQuery it is JSON text, like ``response``."""
_OWN = frozenset(
    (
        *("key", "request", "response", "status", "error"),
        *("processed_time", "processedTime", "instance", "prediction", "predictions"),
    )
)
"""Members of a line in Vertex AI's output; all others come from the input line."""
_KEY_AND_RESPONSE = 2
_MAY_FAIL = frozenset(("status_code", "error"))
"""Members of a response that is not an answer."""


def read_fields(line: Mapping[str, Any], backend: Backend, reading: Reading | None = None) -> PlainRow:
    """Read one row. A row with neither response nor error is an error; so is a Vertex row with a ``status``."""
    reading = reading or Reading()
    key = line.get("key")
    if type(key) is not str or backend is _VERTEX:
        key = _key(line, backend)
    response = line.get("response")
    if backend is _VERTEX:
        response = unwrapped(response)
    if type(response) is not dict:
        response = {}
    if len(line) > _KEY_AND_RESPONSE or not response or "error" in line or not _MAY_FAIL.isdisjoint(response):
        row = _exception(line, key, response, backend, reading) or _answer(key, response, reading)
    else:
        row = _answer(key, response, reading)
    if reading.keep_response and response:
        row["response"] = response
    if backend is _VERTEX and len(line) > _KEY_AND_RESPONSE and (beside := _beside(line)):
        row["input"] = beside
    if reading.asked is not None:
        row["tier"] = tier_of(response, reading.asked)
    return row


def tier_of(response: Mapping[str, Any], asked: Tier) -> str | None:
    """Return the tier that served an answer, or the requested one if no answer came; None if it is not known.

    A standard call counts as served at full price unless the answer says otherwise. For a flex call, it is not known.
    """
    served = served_tier(response) if response else asked
    if served is None and asked is Tier.STANDARD:
        served = asked
    return None if served is None else served.value


def _beside(line: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields beside the request in its line, which Vertex AI returns."""
    own = OF_PARTNERS if is_partners(line) else _OWN
    return {name: value for name, value in line.items() if name not in own and value is not None}


def _answer(key: str | None, response: Mapping[str, Any], reading: Reading) -> PlainRow:
    read = read_answer
    if "candidates" not in response:
        if is_message(response):
            read = read_message
        elif is_completion(response):
            read = read_completion
    return answer_row(key, read(response, reading), reading)


def _exception(
    line: Mapping[str, Any], key: str | None, response: Mapping[str, Any], backend: Backend, reading: Reading
) -> PlainRow | None:
    """Return the row of a line with an error, an old embedding, or no response; None for any other line."""
    error = _row_error(line) if "error" in line or "status" in line else None
    if error is None and "status_code" in response:
        error = _read_error(envelope_error(response), "the service sent an error without a word")
    if error is None and "candidates" not in response and (inner := mapping(response.get("error"))):
        error = _read_error(inner, "")
    if error is None and not response and line.get("predictions") is not None:
        return _text_embedding(line, key, backend, reading)
    if error is not None or not response:
        return _refused(line, key, error or row_error("the service sent neither a response nor an error"))
    return None


def missing_row(key: str | None, index: int | None) -> PlainRow:
    """Return the row of a request that has none."""
    return {**plain_row(key, "missing"), "index": index}


def useless_row(line: Mapping[str, Any], backend: Backend, status: str, message: str) -> PlainRow:
    """Return the row of an answer if only its key could be read."""
    return plain_row(_key(line, backend), "invalid", error=row_error(message, status=status))


def _key(line: Mapping[str, Any], backend: Backend) -> str | None:
    """Return the key. Jobs of other clients on Vertex AI have it in other places."""
    metadata = mapping(line.get("metadata"))
    key = line.get("key")
    if key is None:
        key = metadata.get("key")
    if backend is not _VERTEX:
        return None if key is None else str(key)
    if key is None:
        key = _custom_id(line, metadata)
    if key is None:
        key = _label(mapping(mapping(line.get("request")).get("labels")))
    return None if key is None else read_key(str(key))


def _custom_id(line: Mapping[str, Any], metadata: Mapping[str, Any]) -> str | None:
    """Return the ``custom_id`` or ``requestId`` of a line, from any of the places where clients put it."""
    for name in ("custom_id", "customId", "requestId"):
        for place in (line, metadata, mapping(line.get("instance"))):
            if (found := place.get(name)) is not None:
                return read_custom_id(str(found))
    return None


def _label(labels: Mapping[str, Any]) -> Any:
    """Return the label in which gateways to this service store their ids, each with its own prefix."""
    return next(
        (value for name, value in labels.items() if name == "key" or name.endswith("custom_id")), None
    )


def _refused(line: Mapping[str, Any], key: str | None, error: dict[str, Any]) -> PlainRow:
    gone = error["code"] in (CANCELLED, _HTTP_CANCELLED) or error["status"] == "CANCELLED"
    return plain_row(key, "cancelled" if gone else "error", error=error, text=_asked_text(line))


def _row_error(line: Mapping[str, Any]) -> dict[str, Any] | None:
    error = line.get("error")
    if isinstance(error, dict) and error:
        return _read_error(mapping(error.get("error")) or error, "")
    if isinstance(error, str) and error.strip() not in _NO_ERROR:
        return _status_error(error)
    status = line.get("status")
    if isinstance(status, dict):  # only seen in other clients' readers, also beside answers; code 0 is OK
        status = mapping(status.get("error")) or status
        return _read_error(status, "") if status.get("code") or status.get("message") else None
    return _status_error(status) if isinstance(status, str) and status.strip() else None


def _read_error(error: Mapping[str, Any], otherwise: str) -> dict[str, Any]:
    code = integer(error.get("code"))
    status = str(error.get("status") or error.get("type") or "")
    if not status and code is not None and 0 < code < len(_STATUSES):
        status = _STATUSES[code]
    return row_error(str(error.get("message") or otherwise), code=code, status=status)


def _status_error(status: str) -> dict[str, Any]:
    """Read Vertex's ``status`` text, which often ends in the JSON of an error."""
    start = status.find("{")
    if start >= 0:
        try:
            tail = json.loads(status[start:])
        except (ValueError, RecursionError):
            tail = None
        inner = mapping(mapping(tail).get("error")) or mapping(tail)
        if inner.get("message"):
            return _read_error(inner, status)
    return row_error(status.strip())


def _first(value: Any) -> dict[str, Any]:
    first = value[0] if type(value) is list and value else None
    return first if type(first) is dict else {}


def _asked_text(line: Mapping[str, Any]) -> str | None:
    """Return the text of a ``text-embedding-00x`` line, which has no key: its rows are matched by text."""
    return text(mapping(line.get("instance")).get("content"))


def _text_embedding(line: Mapping[str, Any], key: str | None, backend: Backend, reading: Reading) -> PlainRow:
    """Read a ``text-embedding-00x`` line: ``instance``, ``predictions[0].embeddings``."""
    dropped = reading.dropped
    predictions = line.get("predictions")
    first = _first(predictions)
    embeddings = mapping(first.get("embeddings"))
    statistics = mapping(embeddings.get("statistics"))
    if isinstance(predictions, list) and len(predictions) > 1:
        dropped.count("predictions", len(predictions) - 1)
    count_rest(first, frozenset(("embeddings",)), "predictions", dropped)
    count_rest(embeddings, frozenset(("statistics", "values")), "embeddings", dropped)
    known = ("tokenCount", "truncated") if get(statistics, "truncated") is False else ("tokenCount",)
    count_rest(statistics, frozenset(known), "statistics", dropped)
    count = integer(get(statistics, "tokenCount"))
    if key is None:
        key = _key(mapping(line.get("instance")), backend)
    asked, values = _asked_text(line), embeddings.get("values")
    if not values:
        return plain_row(key, "error", error=row_error("the service sent no embedding"), text=asked)
    usage = None if count is None else tokens(count, total=count)
    row = answer_row(key, embedding_of(values, dropped, usage=usage), reading)
    row["text"] = asked
    return row
