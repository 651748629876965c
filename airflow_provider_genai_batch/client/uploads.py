"""Uploads in chunks with recovery, as flows: to the Files API and to Cloud Storage."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO

from airflow_provider_genai_batch.client.attempts import TRIES, Patience
from airflow_provider_genai_batch.client.calls import Call, Calls
from airflow_provider_genai_batch.exceptions import (
    PASSING,
    AlreadyExists,
    BadRequest,
    CallError,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    TransportError,
)
from airflow_provider_genai_batch.flows.steps import Sleep
from airflow_provider_genai_batch.wire.files import CHUNK_BYTES, JSONL, File, UploadStatus

Flow = Generator[Any, Any, Any]


@dataclass(frozen=True)
class Read:
    """Read so many bytes of a stream (all there are at the end); answers bytes."""

    stream: BinaryIO
    size: int

    def bytes(self) -> bytes:
        """Read; a stream may give less at a time, but only the last chunk of an upload may be of any length."""
        data = self.stream.read(self.size)
        if len(data) in (0, self.size):
            return data
        parts, missing = [data], self.size - len(data)
        while missing and (data := self.stream.read(missing)):
            parts.append(data)
            missing -= len(data)
        return b"".join(parts)


def upload_file(
    calls: Calls,
    stream: BinaryIO,
    size: int,
    *,
    mime_type: str = JSONL,
    name: str | None = None,
    display_name: str | None = None,
    file_name: str | None = None,
) -> Generator[Any, Any, File]:
    """Upload `size` bytes to the Files API.

    With a `name` (``files/…`` of at most 40 characters) the upload is repeatable: a file of that name and size is
    taken as it is, one of another size is replaced.

    Raises:
        TransportError: the upload broke off and could not be taken up again.
    """
    settings = {
        "size": size,
        "mime_type": mime_type,
        "name": name,
        "display_name": display_name,
        "file_name": file_name,
    }
    url: str | File = yield from _start(calls, name, size, settings)
    if isinstance(url, File):
        return url

    def send(offset: int, chunk: bytes, *, last: bool) -> Call[Any]:
        return calls.send_file_chunk(url, offset, chunk, last=last)

    def received(status: UploadStatus) -> int | None:
        if status.status == "final":
            return None
        if status.status != "active" or status.received is None:
            msg = f"the service does not go on with the upload ({status.status or 'no status'})"
            raise TransportError(msg, method="files.query")
        return status.received

    try:
        final: UploadStatus = yield from _chunks(
            stream,
            size,
            send,
            lambda: calls.query_file(url),
            received,
            lambda s: s.status in ("active", "final"),
        )
        if final.file is not None:
            return final.file
        # Only a chosen name leads back to the file when the final reply is lost.
        msg = "the upload arrived whole, but the service's reply with the file's name was lost"
        trouble: CallError = TransportError(msg, method="files.upload")
    except (AlreadyExists, BadRequest, NotFound, PreconditionFailed, TransportError) as error:
        trouble = error  # a session that is over may also be unknown to the service
    file: File | None = (yield from _arrived(calls, name, size)) if name else None
    if file is None:
        raise trouble
    return file


def _start(
    calls: Calls, name: str | None, size: int, settings: dict[str, Any]
) -> Generator[Any, Any, str | File]:
    """Open an upload; returns the URL that takes the bytes, or the file where it is there already."""
    try:
        url: str = yield calls.start_file(**settings)
    except AlreadyExists:
        if name is None:
            raise
        found: File = yield calls.get_file(name)
        if found.size_bytes == size and found.state in ("ACTIVE", "PROCESSING"):
            return found
        with suppress(
            NotFound, PermissionDenied
        ):  # gone meanwhile, which the service calls 403; the start decides
            yield calls.delete_file(name)
        url = yield calls.start_file(**settings)
    return url


def _arrived(calls: Calls, name: str, size: int) -> Generator[Any, Any, File | None]:
    try:
        file: File = yield calls.get_file(name)
    except CallError:
        return None
    return file if file.size_bytes == size else None


def upload_object(
    calls: Calls, uri: str, stream: BinaryIO, size: int, *, mime_type: str = JSONL
) -> Generator[Any, Any, str]:
    """Upload `size` bytes to ``gs://bucket/object``; the object appears when it is whole.

    Raises:
        TransportError: the upload broke off and could not be taken up again.
    """
    session = yield calls.start_object(uri, mime_type=mime_type)

    def send(offset: int, chunk: bytes, *, last: bool) -> Call[Any]:
        return calls.send_object_chunk(session, offset, chunk, last=last)

    yield from _chunks(stream, size, send, lambda: calls.query_object(session), lambda n: n, lambda _: True)
    return uri


def _chunks(
    stream: BinaryIO,
    size: int,
    send: Callable[..., Call[Any]],
    query: Callable[[], Call[Any]],
    received: Callable[[Any], int | None],
    clear: Callable[[Any], bool],
) -> Flow:
    """Send chunk after chunk; after trouble ask how far the server got and go on from there.

    `received` reads bytes from an answer to `query` (None: all); `clear` tells an answer that can be trusted from one
    that lacks its status.
    """
    offset = 0
    chunk: bytes = yield Read(stream, CHUNK_BYTES)
    while True:
        end = offset + len(chunk)
        last = end >= size
        answer = yield from _chunk(offset, chunk, last, send, query, received, clear)
        if last:
            return answer
        offset, chunk = end, (yield Read(stream, CHUNK_BYTES))
        if not chunk:
            msg = f"the input ended at {offset} of {size} bytes"
            raise TransportError(msg, method="files.upload")


def _chunk(
    offset: int,
    chunk: bytes,
    last: bool,
    send: Callable[..., Call[Any]],
    query: Callable[[], Call[Any]],
    received: Callable[[Any], int | None],
    clear: Callable[[Any], bool],
) -> Flow:
    """Send one chunk until it is there; returns the last answer."""
    end, patience = offset + len(chunk), Patience(TRIES, renewable=False)
    trouble: CallError
    while True:
        try:
            answer = yield send(offset, chunk, last=last)
            if clear(answer):
                return answer
            trouble = TransportError("the answer to a chunk has no upload status", method="files.upload")
        except PASSING as error:
            trouble = error
        pause = patience.pause(trouble)
        if pause is None:
            raise trouble
        yield Sleep(pause)
        answer = yield query()
        have = received(answer)
        if have is None or (have >= end and not last):
            return answer
        if have < offset or have > end:
            msg = f"the server has {have} bytes of an upload that stands at {offset}"
            raise TransportError(msg, method="files.upload")
        if have > offset:
            patience.progress()
        chunk, offset = chunk[have - offset :], have
