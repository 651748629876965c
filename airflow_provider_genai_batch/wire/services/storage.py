"""Cloud Storage's JSON API, as far as Vertex jobs need it: list, read, resumable write, delete."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from airflow_provider_genai_batch.exceptions import InputError
from airflow_provider_genai_batch.wire.services.http import (
    HttpAnswer,
    HttpRequest,
    header_of,
    json_body,
    query,
    read_object,
)
from airflow_provider_genai_batch.wire.values import get, integer

DEFAULT_URL = "https://storage.googleapis.com"
NO_OBJECT = "0"
"""In a precondition, the generation that means: no such object."""
# Bucket names are lower case; older ones may contain more, but nothing that would change the URL.
MOST_SOURCES = 32
"""The most objects that one call can compose into another."""
_URI = re.compile(r"gs://([A-Za-z0-9._-]+)(?:/(.*))?", re.DOTALL)
_RANGE = re.compile(r"bytes=0-(\d+)")


class Object(NamedTuple):
    """An object in a bucket."""

    uri: str
    size: int | None
    generation: str | None


def split_uri(uri: str) -> tuple[str, str]:
    """Return bucket and object name of ``gs://bucket/name``.

    Raises:
        InputError: not a ``gs://`` URI.
    """
    found = _URI.fullmatch(uri)
    if not found:
        msg = f"{uri!r} is not a gs://bucket/object URI"
        raise InputError(msg)
    return found[1], found[2] or ""


def list_objects(root: str, uri_prefix: str, *, page_token: str | None) -> HttpRequest:
    """List the objects below a prefix, page by page."""
    bucket, prefix = split_uri(uri_prefix)
    asked = query(prefix=prefix, pageToken=page_token, fields="items(name,size,generation),nextPageToken")
    return HttpRequest("GET", f"{root}/storage/v1/b/{bucket}/o", asked)


def read_objects(uri_prefix: str, answer: HttpAnswer) -> tuple[list[Object], str]:
    """Read one page and the token of the next (empty: none)."""
    bucket, _ = split_uri(uri_prefix)
    payload = read_object(answer)
    objects = [_object(bucket, item) for item in payload.get("items") or ()]
    return objects, str(get(payload, "nextPageToken", ""))


def get_object(root: str, uri: str) -> HttpRequest:
    """Ask for an object's metadata."""
    return HttpRequest("GET", _object_url(root, uri), query(fields="name,size,generation"))


def read_metadata(uri: str, answer: HttpAnswer) -> Object:
    """Read the answer to `get_object`."""
    return _object(split_uri(uri)[0], read_object(answer))


def download(root: str, uri: str) -> HttpRequest:
    """Ask for an object's bytes."""
    return HttpRequest("GET", _object_url(root, uri), query(alt="media"))


def delete_object(root: str, uri: str) -> HttpRequest:
    """Delete an object."""
    return HttpRequest("DELETE", _object_url(root, uri))


def compose_objects(root: str, uri: str, sources: Sequence[Object], *, mime_type: str) -> HttpRequest:
    """Compose an object from others in its bucket, in their order; it replaces an object of the same name.

    Each source must still have the generation that was read, or the answer is 412.

    Source: ``objects.compose`` of Cloud Storage's JSON API: 1 to 32 sources of one bucket.
    """
    named = [(split_uri(one.uri)[1], one.generation) for one in sources]
    body = {
        "sourceObjects": [
            {"name": name, "objectPreconditions": {"ifGenerationMatch": generation}}
            for name, generation in named
        ],
        "destination": {"contentType": mime_type},
    }
    headers = (("Content-Type", "application/json"),)
    return HttpRequest("POST", f"{_object_url(root, uri)}/compose", headers=headers, body=json_body(body))


def start_upload(root: str, uri: str, *, mime_type: str, generation: str | None = None) -> HttpRequest:
    """Open a resumable upload; the object appears, complete, after the last byte has arrived.

    With a `generation`, it only replaces the object of that generation (`NO_OBJECT`: none exists); otherwise 412.
    """
    bucket, name = split_uri(uri)
    asked = query(uploadType="resumable", name=name, ifGenerationMatch=generation)
    headers = (("Content-Type", "application/json"), ("X-Upload-Content-Type", mime_type))
    body = json_body({"name": name, "contentType": mime_type})
    return HttpRequest("POST", f"{root}/upload/storage/v1/b/{bucket}/o", asked, headers, body)


def read_session(answer: HttpAnswer) -> str:
    """Return the session URI of an upload. It is a capability: never log it.

    Raises:
        UnreadableAnswer: the header is missing.
    """
    return header_of(answer, "Location", "the answer to an upload's start")


def send_chunk(session: str, offset: int, chunk: bytes, *, last: bool) -> HttpRequest:
    """Send bytes from `offset`; every chunk except the last is a multiple of 256 KiB."""
    end = offset + len(chunk)
    total = str(end) if last else "*"
    span = f"bytes {offset}-{end - 1}/{total}" if chunk else f"bytes */{total}"
    return HttpRequest("PUT", session, headers=(("Content-Range", span),), body=chunk, anonymous=True)


def query_upload(session: str) -> HttpRequest:
    """Ask how many bytes of an upload have arrived."""
    return HttpRequest("PUT", session, headers=(("Content-Range", "bytes */*"),), body=b"", anonymous=True)


def cancel_upload(session: str) -> HttpRequest:
    """Abandon an upload that is not complete.

    Source: Cloud Storage's page on resumable uploads: a DELETE to the session URI, answered 499.
    """
    return HttpRequest("DELETE", session, headers=(("Content-Length", "0"),), anonymous=True)


def read_received(answer: HttpAnswer) -> int | None:
    """Return the number of bytes received so far; None if the object is complete."""
    if answer.status != 308:
        return None
    found = _RANGE.match(answer.headers.get("range", ""))
    return int(found[1]) + 1 if found else 0


def _object_url(root: str, uri: str) -> str:
    bucket, name = split_uri(uri)
    return f"{root}/storage/v1/b/{bucket}/o/{quote(name, safe='')}"


def _object(bucket: str, item: dict[str, Any]) -> Object:
    generation = item.get("generation")
    return Object(
        uri=f"gs://{bucket}/{item.get('name', '')}",
        size=integer(item.get("size")),
        generation=str(generation) if generation else None,
    )
