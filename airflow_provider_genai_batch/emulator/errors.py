"""Errors in Google's shape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

STATUS_OF_HTTP: Mapping[int, str] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ALREADY_EXISTS",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
"""The default google.rpc.Code name of each HTTP status."""


class ApiError(Exception):
    """An error that the caller sees as an HTTP error."""

    def __init__(
        self,
        code: int,
        message: str,
        status: str | None = None,
        details: Iterable[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Set the answer.

        Args:
            code: HTTP status.
            message: Text for people.
            status: google.rpc.Code name; by default the usual one of that HTTP status.
            details: google.rpc detail messages, each with ``@type``.
            headers: Extra reply headers.
        """
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message
        self.status = status or STATUS_OF_HTTP.get(code, "UNKNOWN")
        self.details = [dict(detail) for detail in details]
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """Return the JSON body."""
        error: dict[str, Any] = {"code": self.code, "message": self.message, "status": self.status}
        if self.details:
            error["details"] = self.details
        return {"error": error}


def error_info(reason: str, **metadata: str) -> dict[str, Any]:
    """Build a google.rpc.ErrorInfo detail."""
    return {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": "googleapis.com",
        "metadata": metadata,
    }
