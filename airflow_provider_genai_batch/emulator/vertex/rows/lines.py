"""Output rows of a Vertex job."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from functools import lru_cache, partial
from typing import Any

from airflow_provider_genai_batch.emulator.clock import NANOSECONDS
from airflow_provider_genai_batch.emulator.jobs.rows import Verdict
from airflow_provider_genai_batch.emulator.jsontypes import JsonObject, dumps
from airflow_provider_genai_batch.emulator.model import names
from airflow_provider_genai_batch.emulator.model.embed import counted
from airflow_provider_genai_batch.emulator.model.errors import GRPC_NAMES, HTTP_OF_GRPC, RowError
from airflow_provider_genai_batch.emulator.model.refused.limits import (
    check_embed,
    check_fields,
    check_generate,
)
from airflow_provider_genai_batch.emulator.model.respond import Responder
from airflow_provider_genai_batch.emulator.vertex.rows.answers import shaped
from airflow_provider_genai_batch.emulator.vertex.rows.importer import coerced
from airflow_provider_genai_batch.emulator.vertex.rows.source import RESULT_COLUMNS

_PHRASES = {
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    429: "Too Many Requests",
    499: "Client Closed Request",
    500: "Internal Server Error",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


def answered(
    model: str, responder: Responder, row: JsonObject, said: Any, *, at_ns: int, media_bytes: int = 0
) -> JsonObject:
    """Ask the simulated model for one row.

    Args:
        model: The resource name of the model.
        responder: The simulated model.
        row: The input row.
        said: The answer from a script, or None.
        at_ns: The time of the answer.
        media_bytes: The size of pictures; 0: as small as possible.

    Raises:
        RowError: The row is refused.
    """
    if names.predicts(model):
        content = row.get("content")
        if not isinstance(content, str):
            raise RowError(3, "Each instance must have a text field 'content'.")
        return responder.embed({"content": {"parts": [{"text": content}]}}, model)
    request = row.get("request")
    if not isinstance(request, dict):
        raise RowError(3, "Each row must have a 'request' that is a JSON object.")
    # A row of an earlier output contains the nulls that were added there.
    request = without_nulls(request)
    if names.embeds(model):
        check_fields(request, "EmbedContentRequest")
        check_embed(request)
        return responder.embed(request, model)
    check_fields(request, "GenerateContentRequest")
    check_generate(request, "vertex", model)
    return responder.generate(request, model, partial(shaped, at_ns=at_ns), said, media_bytes)


def is_done(row: JsonObject) -> bool:
    """Return whether the row is from an earlier output and has an answer; then it is kept, not processed again."""
    return bool(row.get("response")) and not row.get("status")


def line(
    row: JsonObject,
    verdict: Verdict,
    model: str,
    at_ns: int,
    echo: Callable[[Any], Any] | None,
    *,
    empty_response: bool,
    status_object: bool = False,
    embedding_usage: str | None = None,
) -> JsonObject:
    """Return the output row.

    Args:
        row: The input row.
        verdict: The result of the row.
        model: The resource name of the model.
        at_ns: When the row was processed.
        echo: Repeats the request in the form of the JSONL importer; None for a row of a table, whose columns are
            copied unchanged.
        empty_response: Whether a failed row has ``response: {}`` or no response at all.
        status_object: Whether its error is an object instead of text.
        embedding_usage: Where rows of embeddings have their token count; by default in ``tokenCount``, as on Google's
            page; live rows were seen with ``usageMetadata``.
    """
    status: str | JsonObject = ""
    if verdict.error is not None:
        status = verdict.error if status_object else status_text(verdict.error)
    if names.predicts(model):
        return {"instance": row, "predictions": _predictions(verdict), "status": status}
    siblings = {
        name: coerced(value) if echo else value
        for name, value in row.items()
        if name not in {"request", *RESULT_COLUMNS}
    }
    response = verdict.response
    if response is None and empty_response:
        response = {}
    said = {} if response is None else {"response": response}
    if names.embeds(model):
        fields = {"status": status} if status else {}
        said = {} if response is None else {"response": counted(response, embedding_usage or "tokenCount")}
        return {**siblings, "request": row.get("request"), **said, **fields}
    request = row.get("request")
    return {
        **siblings,
        "request": echo(request) if echo else request,
        "status": status,
        **said,
        "processed_time": processed_time(at_ns),
    }


def status_text(error: JsonObject) -> str:
    """Format a row's error as output rows do: a phrase, then the error as JSON."""
    code = int(error.get("code", 13))
    http = HTTP_OF_GRPC.get(code, 500)
    inner = {"code": http, "message": error.get("message", ""), "status": GRPC_NAMES.get(code, "UNKNOWN")}
    if error.get("details"):
        inner["details"] = error["details"]
    return f"{_PHRASES.get(http, 'Error')}: {dumps({'error': inner}).decode()}"


@lru_cache(maxsize=64)
def processed_time(at_ns: int) -> str:
    """Format a row's time: with six digits and an offset, unlike the times of the resource."""
    whole, fraction = divmod(at_ns, NANOSECONDS)
    moment = datetime.fromtimestamp(whole, tz=timezone.utc).replace(microsecond=fraction // 1000)
    return moment.isoformat(timespec="microseconds")


def without_nulls(value: Any) -> Any:
    """Return a value without members that are null; lists keep their elements."""
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [without_nulls(inner) for inner in value] if isinstance(value, list) else value


def _predictions(verdict: Verdict) -> list[JsonObject]:
    if verdict.response is None:
        return []
    count = int(verdict.response.get("tokenCount", "0"))
    values = verdict.response["embedding"]["values"]
    return [{"embeddings": {"statistics": {"token_count": count, "truncated": False}, "values": values}}]


def key_of(row: JsonObject) -> str | None:
    """Return the key by which scripts can name the row: a ``key``, ``id`` or ``custom_id`` beside the request."""
    for name in ("key", "id", "custom_id"):
        if isinstance(row.get(name), (str, int)):
            return str(row[name])
    return None
