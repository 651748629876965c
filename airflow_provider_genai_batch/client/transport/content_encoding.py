"""Compressed answers to their end: httpx takes one that is cut off for whole, and stops after its first member."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from airflow_provider_genai_batch.exceptions import TransportError

ACCEPTED = "gzip"
"""What a streamed answer may be compressed with."""
_GZIP = 16 + zlib.MAX_WBITS
PIECE_BYTES = 1024 * 1024
"""The most that is unpacked at once: a few bytes can stand for very many."""


def decoder(encoding: str) -> Plain | Gunzip:
    """Choose by an answer's ``Content-Encoding``.

    Raises:
        TransportError: it was not asked for.
    """
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return Plain()
    if name in ("gzip", "x-gzip"):
        return Gunzip()
    msg = f"the answer is encoded as {encoding}, which was not asked for"
    raise TransportError(msg)


class Plain:
    """Passes bytes on."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take a piece and give what it holds."""
        yield data

    def end(self) -> None:
        """See no end: the connection tells it."""


class Gunzip:
    """Unpacks gzip, of one member or several."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take a piece and give what it holds, in pieces of at most `PIECE_BYTES`.

        Raises:
            TransportError: it is no gzip.
        """
        try:
            more = bool(data)
            while more:
                if self._member.eof:
                    self._member = zlib.decompressobj(_GZIP)
                self._begun = True
                piece = self._member.decompress(data, PIECE_BYTES)
                yield piece
                data = self._member.unconsumed_tail or self._member.unused_data
                # It may hold back what did not fit, though it has read all bytes.
                more = bool(data) or (len(piece) == PIECE_BYTES and not self._member.eof)
        except zlib.error as error:
            msg = f"the answer cannot be decompressed: {error}"
            raise TransportError(msg) from error

    def end(self) -> None:
        """Check that the last member is whole.

        Raises:
            TransportError: it is not.
        """
        if self._begun and not self._member.eof:
            msg = "the answer is compressed and was cut off"
            raise TransportError(msg)
