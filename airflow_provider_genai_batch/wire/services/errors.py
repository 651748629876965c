"""Converts the services' error answers, in all their forms, into exceptions."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.exceptions import (
    AlreadyExists,
    ApiError,
    AuthenticationError,
    BadRequest,
    BeingSetUp,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    QuotaExceeded,
    ServerError,
)
from airflow_provider_genai_batch.models import JobProblem
from airflow_provider_genai_batch.wire.services.http import HttpAnswer
from airflow_provider_genai_batch.wire.values import integer, listing, mapping

_BY_CODE: dict[int, type[ApiError]] = {
    401: AuthenticationError,
    403: PermissionDenied,
    404: NotFound,
    408: ServerError,
    409: AlreadyExists,
    412: PreconditionFailed,
    429: QuotaExceeded,
    499: ServerError,
}
_TITLE = re.compile(rb"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


def api_error(
    answer: HttpAnswer, method: str = "", *, about: str = "", now: datetime | None = None
) -> ApiError:
    """Return the exception for an answer that is not a success.

    Reads ``{"error": {…}}``, the same in a one-element list, OAuth's ``{"error": "…", "error_description": "…"}``,
    HTML of a front end, and an empty body. `about` names the requested thing; it is added to the message of a 404.
    """
    error = _error_object(answer.body)
    details = [d for d in listing(error.get("details")) if isinstance(d, dict)]
    status = str(error.get("status") or "")
    reason = next((str(d["reason"]) for d in details if _kind(d) == "ErrorInfo" and d.get("reason")), "")
    message = str(error.get("message") or f"HTTP {answer.status}")
    if answer.status == 404 and about not in message:
        message = f"{message} ({about})"
    return _class(answer.status, status, reason, message)(
        message,
        code=answer.status,
        status=status,
        reason=reason,
        details=details,
        retry_after=_retry_after(answer.headers, details, now or _date(answer.headers) or clock.now()),
        method=method,
    )


def read_problem(value: Any) -> JobProblem | None:
    """Read a ``google.rpc.Status`` such as a job's ``error``; None if there is none."""
    status = mapping(value)
    if not status:
        return None
    return JobProblem(
        code=integer(status.get("code")),
        message=str(status.get("message") or ""),
        details=tuple(d for d in listing(status.get("details")) if isinstance(d, dict)),
    )


def hint_of(message: str) -> str:
    """Return a hint for a message that describes a temporary state; empty for other messages.

    A new project's first jobs and rows may fail like this (github.com/GoogleCloudPlatform/generative-ai, issue 1308).
    """
    if "service agents are being provisioned" in message.lower():
        return "; this passes: Google sets the project up, ask again in a few minutes"
    return ""


def _class(code: int, status: str, reason: str, message: str) -> type[ApiError]:
    if 400 <= code < 429 and hint_of(message):
        return BeingSetUp
    if code == 400 and reason == "API_KEY_INVALID":  # Google returns 400 where 401 is meant
        return AuthenticationError
    if code == 400 and status == "FAILED_PRECONDITION":
        return PreconditionFailed
    return _BY_CODE.get(code) or (ServerError if code >= 500 else BadRequest)


def _error_object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        title = _TITLE.search(body)
        text = title[1] if title else body[:200]
        return {"message": " ".join(text.decode(errors="replace").split())}
    if isinstance(value, list) and value:
        value = value[0]
    error = mapping(value).get("error", value)
    if isinstance(error, str):
        return {"status": error, "message": mapping(value).get("error_description") or error}
    return mapping(error)


def _kind(detail: Mapping[str, Any]) -> str:
    return str(detail.get("@type") or "").rpartition(".")[2]


def _retry_after(headers: Mapping[str, str], details: list[dict[str, Any]], now: datetime) -> float | None:
    header = headers.get("retry-after", "").strip()
    if header:
        if header.isdecimal():
            return float(header)
        try:
            return max(0.0, (parsedate_to_datetime(header) - now).total_seconds())
        except (TypeError, ValueError):
            pass  # neither form of RFC 9110; RetryInfo may have the delay
    for detail in details:
        if _kind(detail) == "RetryInfo":
            return _duration(detail.get("retryDelay", detail.get("retry_delay")))
    return None


def _date(headers: Mapping[str, str]) -> datetime | None:
    """Return when the service wrote the answer: on the same clock as a time in Retry-After."""
    try:
        date = parsedate_to_datetime(headers.get("date", ""))
    except (TypeError, ValueError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=timezone.utc)


def _duration(value: Any) -> float | None:
    """Read a protobuf Duration: ``"28s"``, ``"1.5s"``, or ``{"seconds": "28", "nanos": 0}``."""
    try:
        if isinstance(value, dict):
            seconds = float(value.get("seconds") or 0) + float(value.get("nanos") or 0) / 1e9
        else:
            seconds = float(str(value).removesuffix("s"))
    except (TypeError, ValueError, OverflowError):
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
