"""The values that the transport sends and returns: an HTTP request and its answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from airflow_provider_genai_batch.exceptions import UnreadableAnswer
from airflow_provider_genai_batch.wire import lenient


class HttpRequest(NamedTuple):
    """One HTTP request without credentials; the transport adds them."""

    verb: str
    url: str
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)
    body: bytes | None = None
    anonymous: bool = False
    """True if the URL itself grants access (an upload URL); no credentials may be added."""
    read_timeout: float | None = None
    """Seconds without a byte of the answer before the call fails; None: the transport's own limit."""

    def __repr__(self) -> str:
        """Show the address only: the body is user data, and the query of an upload URL gives access to the upload."""
        url = self.url.partition("?")[0]
        return f"HttpRequest({self.verb} {url}, {len(self.body or b'')} bytes)"


class HttpAnswer(NamedTuple):
    """One whole answer. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        """Show the status only: headers may contain an upload URL, and the body is user data."""
        return f"HttpAnswer({self.status}, {len(self.body)} bytes)"


def json_body(value: Any) -> bytes:
    """Serialize a body as Google's SDK does: compact, UTF-8, no NaN."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def query(**params: object) -> tuple[tuple[str, str], ...]:
    """Return the given parameters in order, without empty ones."""
    return tuple((name, str(value)) for name, value in params.items() if value is not None and value != "")


def _loads(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return lenient.loads(body)


def header_of(answer: HttpAnswer, name: str, what: str) -> str:
    """Return a header that an answer must have.

    Args:
        answer: the service's answer.
        name: the header's name, in any casing.
        what: describes the answer, for the error.

    Raises:
        UnreadableAnswer: the header is missing or empty.
    """
    value = answer.headers.get(name.lower())
    if not value:
        msg = f"{what} has no {name}"
        raise UnreadableAnswer(msg)
    return value


def read_object(answer: HttpAnswer) -> dict[str, Any]:
    """Read a JSON object; an empty body counts as an empty object.

    Raises:
        UnreadableAnswer: the body is not a JSON object.
    """
    if not answer.body.strip():
        return {}
    try:
        value = _loads(answer.body)
    except (ValueError, RecursionError) as error:
        msg = f"status {answer.status} with a body that is not JSON ({answer.body[:80]!r})"
        raise UnreadableAnswer(msg) from error
    if not isinstance(value, dict):
        msg = f"status {answer.status} with a JSON {type(value).__name__} instead of an object"
        raise UnreadableAnswer(msg)
    return value
