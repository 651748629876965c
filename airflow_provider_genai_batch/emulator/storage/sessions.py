"""Resumable uploads to Cloud Storage: the bytes of sessions that have not ended yet.

Sources: Google's "Performing resumable uploads" and the reference of ``objects.insert``. fake-gcs-server has sessions
of its own, but takes a question of how far an upload got for its end, and looks at no offset and no precondition.
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
"""Bytes; every chunk but the last is a multiple of it."""

_PIECE = 1 << 20
_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")


class BadChunkError(ValueError):
    """A chunk that the real service refuses with 400."""


class Span(NamedTuple):
    """What a ``Content-Range`` says."""

    first: int | None
    """Offset of the first byte; None when the request only asks, or only says how long the object is."""
    end: int | None
    """Offset after the last byte."""
    total: int | None
    """Length of the object, None while it is unknown."""


def read_span(header: str | None, length: int | None) -> Span:
    """Read a ``Content-Range``; without one the request holds the whole object.

    Raises:
        BadChunkError: It is none, or does not fit the length of the body.
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
    """One upload under way."""

    def __init__(
        self, bucket: str, query: Mapping[str, str], metadata: Mapping[str, Any], content_type: str
    ) -> None:
        """Remember what the start said.

        Args:
            bucket: Name.
            query: Parameters of the insertion, the preconditions among them.
            metadata: The object's resource.
            content_type: Of the object.
        """
        self.bucket = bucket
        self.query = dict(query)
        self.metadata = dict(metadata)
        self.content_type = content_type
        self.total: int | None = None
        self.received = 0
        self.turn = asyncio.Lock()
        self.answer: bytes | None = None
        """The object's resource, once it is there."""
        # Unlinked from the start, so that nothing is left behind by an owner that is killed.
        self._spool = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the session

    async def take(self, span: Span, body: AsyncIterable[bytes]) -> bool:
        """Take the bytes of a request; bytes that are there already are passed over.

        Until the last byte of the object has come only whole granules stay.

        Returns:
            Whether the object is whole.

        Raises:
            BadChunkError: The bytes do not continue what is there; nothing changes.
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
        """Read what has arrived."""
        self._spool.seek(0)
        while piece := self._spool.read(_PIECE):
            yield piece

    def end(self, answer: bytes) -> None:
        """Remember the answer and forget the bytes."""
        self.answer = answer
        self.close()

    def close(self) -> None:
        """Forget the bytes."""
        self._spool.close()


class Sessions:
    """All of them, by the id in their address."""

    def __init__(self) -> None:
        """Begin with none."""
        self._by_id: dict[str, Session] = {}

    def open(self, session: Session) -> str:
        """Keep a session and return its id."""
        name = uuid.uuid4().hex
        self._by_id[name] = session
        return name

    def find(self, name: str) -> Session | None:
        """Return a session, None when there is no such (any more)."""
        return self._by_id.get(name)

    def drop(self, name: str) -> None:
        """Forget a session and what it holds."""
        if session := self._by_id.pop(name, None):
            session.close()

    def close(self) -> None:
        """Forget all."""
        for name in list(self._by_id):
            self.drop(name)
