"""Splits chunks of bytes, cut anywhere, into whole lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import BytesIO

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.wire.catalog.limits import MAX_LINE_BYTES

BOM = b"\xef\xbb\xbf"
"""The byte order mark that some programs put before UTF-8; it is not part of the text."""
_SIGNATURES = {
    b"\x1f\x8b": ("compressed (gzip)", "Give it uncompressed: the services read plain JSONL."),
    b"PK\x03\x04": ("a ZIP archive", "Give the JSONL file that is in it."),
    b"PAR1": ("a Parquet file", "Write it as JSONL, or load it into a BigQuery table."),
    b"\xff\xfe": ("UTF-16 text", "Save it as UTF-8."),
    b"\xfe\xff": ("UTF-16 text", "Save it as UTF-8."),
}


def line_feeds(data: bytes) -> int:
    """Return how many there are, at a third of the cost of `count` if lines have a hundred bytes or more."""
    return len(data) - len(data.replace(b"\n", b""))


class Framer:
    """Splits chunks into lines.

    Attributes:
        touched: whether a line differs from its input (byte order mark, CRLF, missing newline at the end).
        lines: the number of lines so far.
        odd: whether the last block has a CR that does not end a line.
    """

    def __init__(self) -> None:
        self.touched, self.lines, self.odd = False, 0, False

    def blocks(self, chunks: Iterable[bytes]) -> Iterator[list[bytes]]:
        r"""Yield lists of lines, each line with ``\n`` at its end.

        Raises:
            RequestError: the bytes are not text, or a line is too long.
        """
        pieces: list[bytes] = []
        held = 0
        fresh = self._opened(iter(chunks))
        for chunk in fresh:
            cut = chunk.rfind(b"\n") + 1
            if not cut:
                pieces.append(chunk)
                held += len(chunk)
                if held > MAX_LINE_BYTES:
                    msg = f"a line of more than {MAX_LINE_BYTES} bytes"
                    raise RequestError(msg, "Write one request a line; give large media as fileData.")
                continue
            yield self._lines(b"".join([*pieces, chunk[:cut]]))
            pieces, held = [chunk[cut:]], len(chunk) - cut
        if rest := b"".join(pieces):
            self.touched = True
            yield self._lines(rest + b"\n")

    def _opened(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Check the first bytes, then pass everything on."""
        head = b""
        for chunk in chunks:
            head += chunk
            if len(head) >= len(BOM) + 1:
                break
        for signature, (what, remedy) in _SIGNATURES.items():
            if head.startswith(signature):
                msg = f"it is {what}"
                raise RequestError(msg, remedy)
        if head.startswith(BOM):
            self.touched = True
            head = head.removeprefix(BOM)
        yield head
        yield from chunks

    def _lines(self, block: bytes) -> list[bytes]:
        self.odd = False
        if b"\r" in block:
            self.touched = True
            block = block.replace(b"\r\n", b"\n")
        if b"\r" in block:
            # It stays: inside a string it makes the line invalid, and removing it would change the text.
            self.odd = True
            lines = BytesIO(block).readlines()
        else:
            lines = block.splitlines(keepends=True)
        self.lines += len(lines)
        return lines
