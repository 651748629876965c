"""Resumable uploads to Cloud Storage: the bytes of sessions that have not ended yet.

Sources: Google's "Performing resumable uploads" and the reference of ``objects.insert``. fake-gcs-server has sessions
of its own, but a query for the received bytes ends its uploads, and it checks neither offsets nor preconditions.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
import uuid
from collections.abc import AsyncIterable, Iterator, Mapping
from typing import Any, NamedTuple

from starlette.requests import ClientDisconnect

GRANULE = 256 * 1024
"""Bytes. The size of every chunk except the last is a multiple of this."""

_PIECE = 1 << 20
_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")


class BadChunkError(ValueError):
    """A chunk that the real service refuses with 400."""


class Span(NamedTuple):
    """The content of a ``Content-Range`` header."""

    first: int | None
    """Offset of the first byte; None if the request is a query, or only gives the length of the object."""
    end: int | None
    """Offset after the last byte."""
    total: int | None
    """Length of the object; None while it is unknown."""


def read_span(header: str | None, length: int | None) -> Span:
    """Read a ``Content-Range``; without one the request contains the whole object.

    Raises:
        BadChunkError: It is invalid, or does not fit the length of the body.
    """
    if header is None:
        return Span(0, length, length)
    found = _RANGE.fullmatch(header.strip())
    if found is None:
        raise BadChunkError(f"Invalid Content-Range: {header}")
    total = None if found[3] == "*" else int(found[3])
    if found[1] is None:
        if length:
            raise BadChunkError(f"Content-Range {header} with a body of {length} bytes")
        return Span(None, None, total)
    first, end = int(found[1]), int(found[2]) + 1
    if end <= first or (length is not None and length != end - first):
        raise BadChunkError(f"Content-Range {header} with a body of {length} bytes")
    if total is not None and end > total:
        raise BadChunkError(f"Content-Range {header} goes beyond its own end")
    return Span(first, end, total)


class Session:
    """One running upload."""

    def __init__(
        self, bucket: str, query: Mapping[str, str], metadata: Mapping[str, Any], content_type: str
    ) -> None:
        """Begin an upload.

        Args:
            bucket: The name of the bucket.
            query: Parameters of the insertion, including the preconditions.
            metadata: The object's resource.
            content_type: The content type of the object.
        """
        self.bucket = bucket
        self.query = dict(query)
        self.metadata = dict(metadata)
        self.content_type = content_type
        self.total: int | None = None
        self.received = 0
        self.turn = asyncio.Lock()
        self.answer: bytes | None = None
        """The object's resource, once the object exists."""
        # The file has no name, so a killed owner leaves nothing behind.
        self._spool = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the session

    async def take(self, span: Span, body: AsyncIterable[bytes]) -> bool:
        """Receive the bytes of a request; bytes that have already arrived are skipped.

        Until the last byte of the object has arrived, only whole granules are kept.

        Returns:
            Whether the object is whole.

        Raises:
            BadChunkError: The bytes do not continue those that have arrived; nothing changes.
            ClientDisconnect: The request broke off.
        """
        if self.total is not None and span.total not in {None, self.total}:
            raise BadChunkError(f"The object was said to have {self.total} bytes, not {span.total}")
        if span.first is not None:
            if span.first > self.received:
                raise BadChunkError(f"Bytes from {span.first} on, but only {self.received} have arrived")
            await self._append(body, self.received - span.first, last=span.end == span.total)
        if span.first is not None and span.end is None:
            self.total = self.received  # a body without a length, which is the whole object
        self.total = self.total if span.total is None else span.total
        return self.received == self.total

    async def _append(self, body: AsyncIterable[bytes], skip: int, *, last: bool) -> None:
        before = self.received
        try:
            async for piece in body:
                new = piece[skip:]
                skip = max(0, skip - len(piece))
                self._spool.write(new)
                self.received += len(new)
        except ClientDisconnect:
            last = False
            raise
        finally:
            if not last:
                self.received = max(before, self.received - self.received % GRANULE)
                self._spool.seek(self.received)
                self._spool.truncate()

    def content(self) -> Iterator[bytes]:
        """Yield the bytes that have arrived."""
        self._spool.seek(0)
        while piece := self._spool.read(_PIECE):
            yield piece

    def end(self, answer: bytes) -> None:
        """Keep the answer and delete the bytes."""
        self.answer = answer
        self.close()

    def close(self) -> None:
        """Delete the bytes."""
        self._spool.close()


class Sessions:
    """All sessions, by the id in their address."""

    def __init__(self) -> None:
        """Begin without sessions."""
        self._by_id: dict[str, Session] = {}

    def open(self, session: Session) -> str:
        """Keep a session and return its id."""
        name = uuid.uuid4().hex
        self._by_id[name] = session
        return name

    def find(self, name: str) -> Session | None:
        """Return a session; None if there is none, or no longer."""
        return self._by_id.get(name)

    def drop(self, name: str) -> None:
        """Remove a session and its bytes."""
        if session := self._by_id.pop(name, None):
            session.close()

    def close(self) -> None:
        """Remove all sessions."""
        for name in list(self._by_id):
            self.drop(name)
