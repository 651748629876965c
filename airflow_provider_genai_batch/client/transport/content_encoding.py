"""Decompresses whole answers: httpx does not notice that one is cut off, and stops after the first gzip member."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from airflow_provider_genai_batch.exceptions import TransportError

ACCEPTED = "gzip"
"""The accepted compression of a streamed answer."""
_GZIP = 16 + zlib.MAX_WBITS
PIECE_BYTES = 1024 * 1024
"""The most bytes that are decompressed at once, because a few bytes can expand to very many."""


def decoder(encoding: str) -> Plain | Gunzip:
    """Return the decoder for an answer's ``Content-Encoding``.

    Raises:
        TransportError: the request did not accept this encoding.
    """
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return Plain()
    if name in ("gzip", "x-gzip"):
        return Gunzip()
    msg = f"the answer is encoded as {encoding}, which the request does not accept"
    raise TransportError(msg)


class Plain:
    """Passes bytes on unchanged."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the bytes of a piece."""
        yield data

    def end(self) -> None:
        """Do nothing: the connection itself shows whether the answer is complete."""


class Gunzip:
    """Decompresses gzip with one or several members."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the decompressed bytes of a piece, in pieces of at most `PIECE_BYTES`.

        Raises:
            TransportError: it is not gzip.
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
                # The decompressor may still hold output that did not fit, even after reading all bytes.
                more = bool(data) or (len(piece) == PIECE_BYTES and not self._member.eof)
        except zlib.error as error:
            msg = f"the answer cannot be decompressed: {error}"
            raise TransportError(msg) from error

    def end(self) -> None:
        """Check that the last member is complete.

        Raises:
            TransportError: it is not.
        """
        if self._begun and not self._member.eof:
            msg = "the answer is compressed and was cut off"
            raise TransportError(msg)
