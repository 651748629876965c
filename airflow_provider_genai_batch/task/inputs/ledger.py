"""A file with the digest and the key of each request, in the order of the input."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import cached_property
from struct import Struct
from typing import BinaryIO

import msgspec

from airflow_provider_genai_batch.requests.request_digest import DIGEST_BYTES, RequestDigest

_HEAD = Struct(f"<{DIGEST_BYTES}sQH")
"""Digest, position in the input, and size of the key in bytes; the key follows."""
_unpack = _HEAD.unpack_from
_MOST = 512
"""Bytes to read for one entry. They nearly always include the next entries, which are often wanted next, because
earlier results often have the order of the input."""
_CHUNK = 256 * 1024
_TOGETHER = 32 * 1024
"""About how many bytes of lines are digested together."""


class Entry(msgspec.Struct, gc=False):
    """One request."""

    digest: bytes
    place: int
    """Position in the input, from 0."""
    key: str


class RequestLedger:
    """Entries in a file, which are addressed by their offsets in bytes.

    Args:
        stream: a file on the worker's disk for the ledger alone, readable and writable.
        rows: the number of entries in the file.

    Attributes:
        rows: the number of entries.
    """

    def __init__(self, stream: BinaryIO, rows: int = 0) -> None:
        self._stream, self.rows = stream, rows
        self._number = stream.fileno()
        self._read_at, self._read = 0, b""
        """The bytes that were read last, and their offset."""
        self._next = 0
        """The offset of the entry after the one that was read last."""
        self._size: int | None = None
        """The size of each entry if all have the same size, else 0; None: not known yet."""

    def passing(self, blocks: Iterable[bytes], digest: RequestDigest) -> Iterator[bytes]:
        """Add an entry for each line of a request, and yield the lines, some at a time."""
        some: list[bytes] = []
        size = 0
        for block in blocks:
            some.append(block)
            size += len(block)
            if size >= _TOGETHER:
                yield self._entered(b"".join(some), digest)
                some, size = [], 0
        last = self._entered(b"".join(some), digest)
        self.flush()
        yield last

    def _entered(self, lines: bytes, digest: RequestDigest) -> bytes:
        """Add an entry for each line, and return the lines."""
        found, entries = digest.of(lines), list[bytes]()
        pack = _HEAD.pack
        for place, (key, asked) in enumerate(found, self.rows):
            name = key.encode() if key.isascii() else key.encode(errors="surrogatepass")
            entries += (pack(asked, place, len(name)), name)
        self._stream.write(b"".join(entries))
        self.rows += len(found)
        return lines

    def flush(self) -> None:
        """Write buffered entries to the file, so that `at` can read them."""
        self._stream.flush()

    def __iter__(self) -> Iterator[tuple[int, Entry]]:
        """Yield all entries in order, each with its offset."""
        self._stream.seek(0)
        at, left = 0, b""
        while chunk := self._stream.read(_CHUNK):
            data, begin = left + chunk, 0
            while (found := _entry(data, begin)) is not None:
                entry, end = found
                yield at + begin, entry
                begin = end
            at, left = at + begin, data[begin:]

    def digests(self) -> Iterator[tuple[bytes, int]]:
        """Yield the digest of each entry in order, with the entry's offset."""
        self._stream.seek(0)
        at, left = 0, b""
        head, heads = _HEAD.unpack_from, _HEAD.size
        while chunk := self._stream.read(_CHUNK):
            data, begin = left + chunk, 0
            size = len(data)
            while begin + heads <= size:
                digest, _, length = head(data, begin)
                if begin + heads + length > size:
                    break
                yield digest, at + begin
                begin += heads + length
            at, left = at + begin, data[begin:]

    def at(self, offset: int) -> Entry:
        """Return the entry at an offset."""
        begin, data = offset - self._read_at, self._read
        if begin < 0 or begin + _HEAD.size > len(data):
            data, begin = self._read_from(offset, _MOST), 0
        digest, place, size = _unpack(data, begin)
        end = begin + _HEAD.size + size
        if end > len(data):
            data, end = self._read_from(offset, _HEAD.size + size), _HEAD.size + size
        self._next = offset + _HEAD.size + size
        return Entry(digest, place, data[end - size : end].decode(errors="surrogatepass"))

    def _read_from(self, offset: int, size: int) -> bytes:
        self._read_at, self._read = offset, os.pread(self._number, size, offset)
        return self._read

    @cached_property
    def _whole(self) -> int:
        """The size of the file in bytes; no entry is added after the first use."""
        return os.fstat(self._number).st_size

    def next(self) -> Entry | None:
        """Return the entry after the one that was read last; None after the last of all."""
        return self.at(self._next) if self._next < self._whole else None

    def at_place(self, place: int) -> Entry | None:
        """Return the entry at a position in the input; None if entries differ in size, so that it cannot be found."""
        if self._size is None:
            first = _entry(os.pread(self._number, _HEAD.size + 0xFFFF, 0), 0)
            self._size = first[1] if first and first[1] * self.rows == self._whole else 0
        if not self._size or place >= self.rows:
            return None
        try:
            entry = self.at(place * self._size)
        except UnicodeDecodeError:  # no entry begins there: several sizes add up as if there were one
            return None
        return entry if entry.place == place else None

    def flushed(self) -> BinaryIO:
        """Return the file after writing buffered entries."""
        self._stream.flush()
        return self._stream


def _entry(data: bytes, begin: int) -> tuple[Entry, int] | None:
    if len(data) - begin < _HEAD.size:
        return None
    digest, place, size = _HEAD.unpack_from(data, begin)
    end = begin + _HEAD.size + size
    if end > len(data):
        return None
    return Entry(digest, place, str(data[end - size : end], errors="surrogatepass")), end
