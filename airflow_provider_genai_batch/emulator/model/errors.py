"""The error of one row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

GRPC_NAMES: Mapping[int, str] = {
    1: "CANCELLED",
    2: "UNKNOWN",
    3: "INVALID_ARGUMENT",
    4: "DEADLINE_EXCEEDED",
    5: "NOT_FOUND",
    7: "PERMISSION_DENIED",
    8: "RESOURCE_EXHAUSTED",
    9: "FAILED_PRECONDITION",
    13: "INTERNAL",
    14: "UNAVAILABLE",
}

HTTP_OF_GRPC: Mapping[int, int] = {
    1: 499,
    2: 500,
    3: 400,
    4: 504,
    5: 404,
    7: 403,
    8: 429,
    9: 400,
    13: 500,
    14: 503,
}

_TEXTS: Mapping[int, str] = {
    3: "Request contains an invalid argument.",
    8: "Resource has been exhausted (e.g. check quota).",
    13: "An internal error has occurred.",
    14: "The model is overloaded. Please try again later.",
}


class RowError(Exception):
    """The service refuses one row; an ``answer`` function raises it too."""

    def __init__(self, code: int, message: str = "", details: Iterable[Mapping[str, Any]] = ()) -> None:
        """Set the reason.

        Args:
            code: A gRPC number, such as 3 for INVALID_ARGUMENT.
            message: Text for people; by default the usual one.
            details: google.rpc detail messages.
        """
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = [dict(detail) for detail in details]

    def status(self) -> dict[str, Any]:
        """Return the error as google.rpc.Status."""
        status: dict[str, Any] = {"code": self.code}
        text = self.message or _TEXTS.get(self.code, "")
        if text:
            status["message"] = text
        if self.details:
            status["details"] = self.details
        return status


def as_status(value: int | Mapping[str, Any]) -> dict[str, Any]:
    """Return google.rpc.Status for a code; a given status is returned unchanged."""
    return RowError(value).status() if isinstance(value, int) else dict(value)
