"""Uploads in chunks that resume after errors, to the Files API and to Cloud Storage, as flows."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO

from airflow_provider_genai_batch.client.calls import Call, Calls
from airflow_provider_genai_batch.client.transport.retries import TRIES, RetryBudget
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
from airflow_provider_genai_batch.wire.services.files import CHUNK_BYTES, JSONL, File, UploadStatus
from airflow_provider_genai_batch.wire.services.storage import NO_OBJECT, Object

Flow = Generator[Any, Any, Any]
_TURNS = 3
"""How often to try to replace an object that keeps changing."""
_ANEW = (404, 410, 412)
"""Answers to a chunk after which an upload can start again: its session is gone, or the object has changed."""


@dataclass(frozen=True)
class Read:
    """A step that reads this many bytes of a stream (fewer at its end); its result is the bytes."""

    stream: BinaryIO
    size: int

    def bytes(self) -> bytes:
        """Read the bytes, in several reads if a stream returns less: only the last chunk may have any length."""
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

    With a `name` (``files/…`` of at most 40 characters) the upload can be repeated: an existing file of that name is
    used if it has the same size, and replaced if not.

    Raises:
        TransportError: the upload broke off and could not be resumed.
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
            lambda status, *_, **__: status.status in ("active", "final"),
        )
        if final.file is not None:
            return final.file
        # If the final reply is lost, the file can be found only by a name that was chosen here.
        msg = "the upload arrived whole, but the service's reply with the file's name was lost"
        trouble: CallError = TransportError(msg, method="files.upload")
    except (AlreadyExists, BadRequest, NotFound, PreconditionFailed, TransportError) as error:
        trouble = error  # the service may not know a session that is over
    file: File | None = (yield from _arrived(calls, name, size)) if name else None
    if file is None:
        raise trouble
    return file


def _start(
    calls: Calls, name: str | None, size: int, settings: dict[str, Any]
) -> Generator[Any, Any, str | File]:
    """Start an upload; return the URL for the bytes, or the file if it exists already."""
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
        ):  # deleted meanwhile, which the service answers with 403; the start decides
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
    calls: Calls, uri: str, stream: BinaryIO, size: int, *, mime_type: str = JSONL, reuse: bool = False
) -> Generator[Any, Any, str]:
    """Upload `size` bytes to ``gs://bucket/object``. It appears when it is complete, and replaces an existing object.

    With `reuse`, for names that identify their content, the upload can be repeated: an existing object is used if it
    has the same size, and replaced if not; but an object that another writer creates meanwhile is not replaced unseen.

    Raises:
        PreconditionFailed: the object kept changing (`reuse` only).
        TransportError: the upload broke off and could not be resumed.
        NotFound: there is no such bucket; the message names it.
    """
    if not reuse:
        session = yield from begin_object(calls, uri, mime_type)
        yield from _send_object(calls, session, stream, size)
        return uri
    begin = stream.tell()
    for turns_left in reversed(range(_TURNS)):
        # Look before the first byte, because the start of an upload does not show an existing object.
        found: Object | None = yield from _object(calls, uri)
        if found is not None and found.size == size:
            return uri
        stream.seek(begin)
        trouble = yield from _replace(calls, uri, stream, size, mime_type, found)
        if trouble is None:
            break
        if not turns_left:
            raise trouble
    return uri


def try_object(calls: Calls, uri: str, *, mime_type: str = JSONL) -> Generator[Any, Any, None]:
    """Check that an object can be uploaded: start the upload and cancel it. Nothing appears in the bucket.

    Raises:
        CallError: it cannot be uploaded.
    """
    session = yield from begin_object(calls, uri, mime_type)
    with suppress(CallError):  # an unused session ends by itself after a week
        yield calls.cancel_object(session)


def _replace(
    calls: Calls, uri: str, stream: BinaryIO, size: int, mime_type: str, seen: Object | None
) -> Generator[Any, Any, CallError | None]:
    """Upload only if the object is still the one that was seen; return an error after which a new look helps."""
    generation = (seen.generation if seen else None) or NO_OBJECT
    try:
        session = yield from begin_object(calls, uri, mime_type, generation)
    except PreconditionFailed as error:
        return error
    try:
        yield from _send_object(calls, session, stream, size)
    except CallError as error:
        with suppress(CallError):  # perhaps only the last reply was lost
            found = yield from _object(calls, uri)
            if found is not None and found.size == size:
                return None
        if getattr(error, "code", None) in _ANEW:
            return error
        raise
    return None


def begin_object(
    calls: Calls, uri: str, mime_type: str = JSONL, generation: str | None = None
) -> Generator[Any, Any, str]:
    """Start an upload, and return its session, a secret for `send_object_part`.

    With a `generation`, it only replaces the object of that generation. The error for a missing bucket names the
    bucket, which the service's error does not.
    """
    try:
        session: str = yield calls.start_object(uri, mime_type=mime_type, generation=generation)
    except NotFound as error:
        staging = calls.config.staging_uri
        said = f"{error.message} It was bucket {uri.removeprefix('gs://').partition('/')[0]!r}, for {uri}."
        if staging and uri.startswith(staging.rstrip("/")):
            said += f' It is the one of "staging_uri" in the connection\'s extra, {staging}: create it or name another.'
        raise NotFound(
            said, code=error.code, status=error.status, reason=error.reason, method=error.method
        ) from error
    return session


def _object(calls: Calls, uri: str) -> Generator[Any, Any, Object | None]:
    """Return an object's metadata; None if it does not exist."""
    try:
        found: Object = yield calls.get_object(uri)
    except (NotFound, PermissionDenied):  # an account that may not list gets 403 for missing objects
        return None
    return found


def send_object_part(
    calls: Calls, session: str, offset: int, part: bytes, *, last: bool
) -> Generator[Any, Any, None]:
    """Send the next bytes of an object, which appears after the last of them; other parts have `CHUNK_BYTES`.

    Raises:
        CallError: the upload broke off and could not be resumed.
    """
    yield from _chunk(offset, part, last, *_object_protocol(calls, session))


def _send_object(calls: Calls, session: str, stream: BinaryIO, size: int) -> Flow:
    yield from _chunks(stream, size, *_object_protocol(calls, session))


def _object_protocol(calls: Calls, session: str) -> tuple[Any, Any, Any, Any]:
    """Return how to send a chunk of an object, to query what arrived, and to read both answers; see `_chunks`."""

    def send(offset: int, chunk: bytes, *, last: bool) -> Call[Any]:
        return calls.send_object_chunk(session, offset, chunk, last=last)

    def clear(have: int | None, end: int, *, last: bool) -> bool:
        """Whether all bytes have arrived: a server may keep fewer than it was sent."""
        return have is None or (have >= end and not last)

    return send, lambda: calls.query_object(session), lambda have: have, clear


def _chunks(
    stream: BinaryIO,
    size: int,
    send: Callable[..., Call[Any]],
    query: Callable[[], Call[Any]],
    received: Callable[[Any], int | None],
    clear: Callable[..., bool],
) -> Flow:
    """Send chunk after chunk; after an error, ask the server how many bytes it has and continue from there.

    `received` returns that number from an answer to `query` (None: all). `clear` takes an answer to a chunk and the end
    of the chunk, and returns whether the chunk has arrived.
    """
    offset = 0
    chunk: bytes = yield Read(stream, CHUNK_BYTES)
    while True:
        end = offset + len(chunk)
        last = end >= size
        answer = yield from _chunk(offset, chunk, last, send, query, received, clear)
        if last:
            return answer
        offset, chunk = end, b""  # free it first, or two chunks would be in memory
        chunk = yield Read(stream, CHUNK_BYTES)
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
    clear: Callable[..., bool],
) -> Flow:
    """Send one chunk until it has arrived; return the last answer."""
    end, budget = offset + len(chunk), RetryBudget(TRIES, renewable=False)
    trouble: CallError
    while True:
        try:
            answer = yield send(offset, chunk, last=last)
            if clear(answer, end, last=last):
                return answer
            trouble = TransportError(
                "the answer to a chunk does not say that it arrived", method="files.upload"
            )
        except PASSING as error:
            trouble = error
        _, pause = budget.after(trouble, trouble.method)
        yield Sleep(pause)
        answer = yield query()
        have = received(answer)
        if have is None or (have >= end and not last):
            return answer
        if have < offset or have > end:
            msg = f"the server has {have} bytes of an upload that stands at {offset}"
            raise TransportError(msg, method="files.upload")
        if have > offset:
            budget.progress()
        chunk, offset = chunk[have - offset :], have
