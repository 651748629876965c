"""A fast reader for CSV that is certainly well formed; anything else goes to Python's own reader.

There is nothing between two adjacent quotes, so data split at its quotes shows by itself where values begin and end.
Bytes are split, not text: what stands between values is ASCII, and one letter beyond Latin-1 would make the text of
thousands of rows twice as large.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import repeat

from airflow_provider_genai_batch.wire.lines.framing import line_feeds

_QUOTED = b"\0"
"""Stands for a quoted value."""
_MOST_HELD = 4 * 1024 * 1024
"""The most bytes in which a row has to end."""


class Halves:
    """Splits data that comes in chunks into pieces that end where a row ends, if every quote is closed.

    Attributes:
        lines: line feeds in the pieces before the last one.
        cut: whether the last piece ends within a row, because the row is longer than what is held.
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks, self._rest = iter(chunks), b""
        self.lines, self._in_last, self.cut = 0, 0, False

    def __iter__(self) -> Iterator[list[bytes]]:
        """Yield the pieces, each split at its quotes; the last one may have no line feed at its end."""
        for chunk in self._chunks:
            whole = self._rest + chunk
            parts = whole.split(b'"')
            outside = range((len(parts) - 1) // 2 * 2, -1, -2)  # the last one first
            at = next((at for at in outside if b"\n" in parts[at]), None)
            if at is not None:
                end = parts[at].rindex(b"\n") + 1
                self._rest = b'"'.join([parts[at][end:], *parts[at + 1 :]])
                yield self._given([*parts[:at], parts[at][:end]])
            elif len(whole) > _MOST_HELD:
                self._rest, self.cut = b"", True
                yield self._given(parts)
            else:
                self._rest = whole
        last, self._rest = self._rest, b""
        if last:
            yield self._given(last.split(b'"'))

    def _given(self, parts: list[bytes]) -> list[bytes]:
        self.lines += self._in_last
        self._in_last = line_feeds(b'"'.join(parts))
        return parts

    def rest(self) -> Iterator[bytes]:
        """Yield the remaining data as it comes."""
        yield self._rest
        yield from self._chunks


def fields_of(parts: list[bytes], width: int) -> tuple[int, list[str]] | None:
    """Return the number of fields in a row, and the fields of all rows one after the other.

    Args:
        parts: whole rows, split at their quotes.
        width: the number of fields in a row; 0: as many as the first row has.

    Returns:
        None if the rows need Python's own reader.
    """
    if not len(parts) % 2 or _QUOTED in b"".join(parts):
        return None
    outside, inside = parts[::2], parts[1::2]
    if b"" in outside[1:-1]:
        outside, inside = _joined(outside, inside)
    skeleton = _QUOTED.join(outside).replace(b"\r\n", b"\n")
    lines = skeleton.removesuffix(b"\n").split(b"\n")
    if not width:
        width = lines[0].count(b",") + 1 if lines[0] else 0
    if b"" in lines:
        lines = [line for line in lines if line]
    if b"\r" in skeleton or not width or any(map((width - 1).__ne__, map(bytes.count, lines, repeat(b",")))):
        return None
    fields = b",".join(lines).split(b",") if lines else []
    if fields.count(_QUOTED) != len(inside):  # there is text beside quotes
        return None
    if inside:
        values = iter(inside)
        fields = [next(values) if field == _QUOTED else field for field in fields]
    try:
        return width, [*map(bytes.decode, fields)]
    except UnicodeDecodeError:
        return None


def _joined(outside: list[bytes], inside: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    """Join the text on both sides of a doubled quote."""
    others, values = outside[:1], inside[:1]
    for part, value in zip(outside[1:-1], inside[1:], strict=True):
        if part:
            others.append(part)
            values.append(value)
        else:
            values[-1] += b'"' + value
    return [*others, outside[-1]], values
