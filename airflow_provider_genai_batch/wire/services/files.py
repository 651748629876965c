"""The Gemini Files API: uploads with Google's resumable protocol, and downloads of generated files.

Source: Google's Files guide and the google-genai SDK on the wire.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import quote

from airflow_provider_genai_batch.wire.services.http import (
    HttpAnswer,
    HttpRequest,
    header_of,
    json_body,
    query,
    read_object,
)
from airflow_provider_genai_batch.wire.values import get, integer, mapping, timestamp

JSONL = "application/jsonl"
CHUNK_BYTES = 8 * 1024 * 1024
"""The SDK's chunk size; a multiple of every granularity that Google's protocol asks for."""


class File(NamedTuple):
    """A file of the Files API."""

    name: str
    size_bytes: int | None
    state: str
    created: datetime | None = None
    expires: datetime | None = None


class UploadStatus(NamedTuple):
    """The status of a resumable upload: ``active``, ``final``, ``cancelled``, or empty if the server did not say."""

    status: str
    received: int | None
    file: File | None


def start_upload(
    base: str,
    version: str,
    *,
    size: int,
    mime_type: str,
    name: str | None,
    display_name: str | None,
    file_name: str | None,
) -> HttpRequest:
    """Open a resumable upload; the answer's ``X-Goog-Upload-URL`` takes the bytes."""
    resource: dict[str, Any] = {}
    if name:
        resource["name"] = name
    if display_name:
        resource["displayName"] = display_name
    resource |= {"mimeType": mime_type, "sizeBytes": size}
    headers = [
        ("Content-Type", "application/json"),
        ("X-Goog-Upload-Protocol", "resumable"),
        ("X-Goog-Upload-Command", "start"),
        ("X-Goog-Upload-Header-Content-Length", str(size)),
        ("X-Goog-Upload-Header-Content-Type", mime_type),
    ]
    if file_name:
        headers.append(("X-Goog-Upload-File-Name", quote(file_name)))
    body = json_body({"file": resource})
    return HttpRequest("POST", f"{base}/upload/{version}/files", headers=tuple(headers), body=body)


def read_upload_url(answer: HttpAnswer) -> str:
    """Return the URL that takes the bytes. It is a capability: never log it.

    Raises:
        UnreadableAnswer: the header is missing.
    """
    return header_of(answer, "X-Goog-Upload-URL", "the answer to an upload's start")


def send_chunk(upload_url: str, offset: int, chunk: bytes, *, last: bool) -> HttpRequest:
    """Send bytes from `offset`; the last chunk also finalises (an empty file is one empty last chunk)."""
    headers = (
        ("X-Goog-Upload-Command", "upload, finalize" if last else "upload"),
        ("X-Goog-Upload-Offset", str(offset)),
    )
    return HttpRequest("POST", upload_url, headers=headers, body=chunk, anonymous=True)


def query_upload(upload_url: str) -> HttpRequest:
    """Ask how many bytes of an upload have arrived."""
    headers = (("X-Goog-Upload-Command", "query"),)
    return HttpRequest("POST", upload_url, headers=headers, body=b"", anonymous=True)


def read_upload(answer: HttpAnswer) -> UploadStatus:
    """Read the answer to a chunk or a query."""
    status = answer.headers.get("x-goog-upload-status", "").strip().lower()
    received = integer(answer.headers.get("x-goog-upload-size-received"))
    file = mapping(read_object(answer).get("file")) if status == "final" else {}
    return UploadStatus(status, received, _file(file) if file else None)


def get_file(root: str, name: str) -> HttpRequest:
    """``files.get``. The service refuses generated ``files/batch-…`` here: their id exceeds its own limit."""
    return HttpRequest("GET", f"{root}/{name}")


def delete_file(root: str, name: str) -> HttpRequest:
    """``files.delete``. For a file that no longer exists, the answer is 403, not 404."""
    return HttpRequest("DELETE", f"{root}/{name}")


def download(root: str, name: str) -> HttpRequest:
    """``files.download``: generated files only."""
    return HttpRequest("GET", f"{root}/{name}:download", query(alt="media"))


def read_file(answer: HttpAnswer) -> File:
    """Read the answer to ``files.get``."""
    return _file(read_object(answer))


def _file(value: dict[str, Any]) -> File:
    return File(
        name=str(value.get("name") or ""),
        size_bytes=integer(get(value, "sizeBytes", 0)),  # proto3 JSON leaves zero out
        state=str(value.get("state") or ""),
        created=timestamp(get(value, "createTime")),
        expires=timestamp(get(value, "expirationTime")),
    )
