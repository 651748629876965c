"""Writes lines that differ in a few strings only, many at a time; their common part is serialized once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Raw
from msgspec.json import Encoder
from pydantic_core import to_json

TOGETHER = 64
"""Lines that are written together."""
MOST_HELD = 64 * 1024
"""The most characters and bytes that are held to be written together, unless a single line has more."""
_encode = Encoder().encode_lines


class Frames:
    """Lines of one form.

    Args:
        row: one of the lines, as an object.
        changing: finds the strings in it that differ from line to line.

    Attributes:
        texts: these strings, in order.
    """

    def __init__(self, row: Mapping[str, Any], changing: re.Pattern[str]) -> None:
        self._changing = changing
        rows, slots = [], []
        for _ in range(TOGETHER):
            places: list[tuple[Any, Any]] = []
            rows.append(self._copy(row, places))
            slots.append(places)
        self._rows = rows
        self.texts: list[str] = [container[name] for container, name in slots[0]]
        self._slots = [
            (places[0][1], [container for container, _ in places]) for places in zip(*slots, strict=True)
        ]

    def lines(self, columns: Sequence[Sequence[str]]) -> bytes:
        """Write a line for each string of a column, at most `TOGETHER`; there is one column for each of `texts`.

        Raises:
            UnicodeEncodeError: a string holds half of a surrogate pair.
        """
        for (name, containers), texts in zip(self._slots, columns, strict=True):
            for container, text in zip(containers, texts):  # noqa: B905 - the last lines are fewer
                container[name] = text
        number = len(columns[0])
        return _encode(self._rows if number == TOGETHER else self._rows[:number])

    def _copy(self, value: Any, places: list[tuple[Any, Any]]) -> Any:
        """Copy the containers that lead to changing strings, and serialize everything else."""
        before = len(places)
        copy: Any
        if isinstance(value, Mapping):
            copy = {}
            for name, inner in value.items():
                copy[name] = self._inside(inner, places, copy, name)
        elif isinstance(value, (list, tuple)):
            copy = []
            for name, inner in enumerate(value):
                copy.append(self._inside(inner, places, copy, name))
        return copy if len(places) > before else Raw(to_json(value))

    def _inside(self, value: Any, places: list[tuple[Any, Any]], container: Any, name: Any) -> Any:
        if isinstance(value, str) and self._changing.search(value):
            places.append((container, name))
            return value
        return self._copy(value, places)
