"""The log of requests, without their secrets."""

from __future__ import annotations

import json
import threading
from collections import deque
from typing import Any

from starlette.requests import Request

from airflow_provider_genai_batch.emulator.jsontypes import JsonObject

_SECRET_HEADERS = frozenset({"x-goog-api-key", "authorization", "cookie", "proxy-authorization"})
_SECRET_QUERY = frozenset({"key", "access_token", "oauth_token", "upload_id"})
_LARGEST_BODY = 1 << 16
_LONGEST_LOG = 200_000
_REDACTED = "REDACTED"
_SILENT = frozenset({"oauth.token", "files.upload"})


class Entry:
    """One request, completed while it is answered."""

    def __init__(self, method: str | None, request: Request) -> None:
        """Record what is known at the start."""
        headers = {
            name: _REDACTED if name in _SECRET_HEADERS else value for name, value in request.headers.items()
        }
        self.data: JsonObject = {
            "method": method,
            "verb": request.method,
            "path": request.url.path,
            "query": {
                n: _REDACTED if n in _SECRET_QUERY else v for n, v in request.query_params.multi_items()
            },
            "headers": headers,
            "has_api_key": "x-goog-api-key" in request.headers,
            "has_key_query": "key" in request.query_params,
            "has_bearer": request.headers.get("authorization", "").lower().startswith("bearer "),
            "body_size": 0,
            "body": None,
            "status": None,
            "fault": None,
        }
        self._kept: bytearray | None = (
            bytearray() if _speaks_json(request) and method not in _SILENT else None
        )

    def body(self, chunk: bytes) -> None:
        """Record bytes of the body as they arrive."""
        self.data["body_size"] += len(chunk)
        if self._kept is not None:
            self._kept += chunk
            if len(self._kept) > _LARGEST_BODY:
                self._kept = None

    def close(self) -> None:
        """Parse the body, if it is small JSON."""
        if self._kept:
            try:
                self.data["body"] = json.loads(bytes(self._kept))
            except (ValueError, RecursionError):
                self.data["body"] = None
        self._kept = None


class RequestLog:
    """The requests since the start, oldest first."""

    def __init__(self) -> None:
        """Begin without requests."""
        self._entries: deque[Entry] = deque(maxlen=_LONGEST_LOG)
        self._lock = threading.Lock()

    def add(self, entry: Entry) -> None:
        """Add a request."""
        with self._lock:
            self._entries.append(entry)

    def snapshot(self) -> list[dict[str, Any]]:
        """Return copies of all requests."""
        with self._lock:
            return [dict(entry.data) for entry in self._entries]

    def clear(self) -> None:
        """Delete all requests."""
        with self._lock:
            self._entries.clear()


def _speaks_json(request: Request) -> bool:
    return "json" in request.headers.get("content-type", "application/json")
