"""A fast reader for CSV that is certainly well formed; anything else goes to Python's own reader.

There is nothing between two adjacent quotes, so a text split at its quotes shows by itself where values begin and end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import repeat

_QUOTED = "\0"
"""Stands for a quoted value."""
_MOST_TRIES = 1000
_MOST_HELD = 4 * 1024 * 1024
"""The most characters in which a row has to end."""


class Halves:
    """Splits a text that comes in pieces into parts that end where a row ends, if every quote is closed.

    Attributes:
        lines: line feeds in the parts so far.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts, self._rest, self.lines = iter(texts), "", 0
        self.cut = False

    def __iter__(self) -> Iterator[str]:
        """Yield the parts; the last one may have no line feed at its end."""
        for text in self._texts:
            whole = self._rest + text
            end = _end(whole)
            self._rest = whole[end:]
            if end:
                yield self._given(whole[:end])
            elif len(whole) > _MOST_HELD:
                self._rest, self.cut = "", True
                yield self._given(whole)
        last, self._rest = self._rest, ""
        if last:
            yield self._given(last)

    def _given(self, text: str) -> str:
        self.lines += text.count("\n")
        return text

    def rest(self) -> Iterator[str]:
        """Yield the remaining text as it comes."""
        yield self._rest
        yield from self._texts


def _end(text: str) -> int:
    """Return the end of the last complete row; 0 if there is none or it is hard to find."""
    end, quotes = text.rfind("\n") + 1, text.count('"')
    quotes -= text.count('"', end)
    for _ in range(_MOST_TRIES):
        if not quotes % 2 or not end:
            return end
        before = text.rfind("\n", 0, end - 1) + 1
        quotes -= text.count('"', before, end)
        end = before
    return 0


def fields_of(text: str, width: int) -> tuple[int, list[str]] | None:
    """Return the number of fields in a row, and the fields of all rows one after the other.

    Args:
        text: whole rows.
        width: the number of fields in a row; 0: as many as the first row has.

    Returns:
        None if the text needs Python's own reader.
    """
    parts = text.split('"')
    if _QUOTED in text or not len(parts) % 2:
        return None
    outside, inside = parts[::2], parts[1::2]
    if "" in outside[1:-1]:
        outside, inside = _joined(outside, inside)
    skeleton = _QUOTED.join(outside).replace("\r\n", "\n")
    lines = skeleton.removesuffix("\n").split("\n")
    if not width:
        width = lines[0].count(",") + 1 if lines[0] else 0
    if "" in lines:
        lines = [line for line in lines if line]
    if "\r" in skeleton or not width or any(map((width - 1).__ne__, map(str.count, lines, repeat(",")))):
        return None
    fields = ",".join(lines).split(",") if lines else []
    if fields.count(_QUOTED) != len(inside):  # there is text beside quotes
        return None
    values = iter(inside)
    return width, [next(values) if field == _QUOTED else field for field in fields] if inside else fields


def _joined(outside: list[str], inside: list[str]) -> tuple[list[str], list[str]]:
    """Join the text on both sides of a doubled quote."""
    others, values = outside[:1], inside[:1]
    for part, value in zip(outside[1:-1], inside[1:], strict=True):
        if part:
            others.append(part)
            values.append(value)
        else:
            values[-1] += f'"{value}'
    return [*others, outside[-1]], values
