"""Finds the column of a value in a line of JSON."""

from __future__ import annotations

import json
import re

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


def column(line: str, steps: list[str | int], *, of_name: bool) -> int:
    """Return the column of a value, or of the name in front of it, counted from 1.

    Args:
        line: Valid JSON.
        steps: The path to the value: names and indexes.
        of_name: Whether the last step's name is wanted.
    """
    at, name_at = _after_space(line, 0), 0
    for step in steps:
        name_at, at = _member(line, at, step) if isinstance(step, str) else _element(line, at, step)
    return (name_at if of_name else at) + 1


def _member(line: str, at: int, wanted: str) -> tuple[int, int]:
    """Return the positions of the name and the value of the last member with a name, in the object at a position."""
    found = (at, at)
    at = _after_space(line, at + 1)
    while line[at] != "}":
        name, end = _DECODER.raw_decode(line, at)
        value_at = _after_space(line, _after_space(line, end) + 1)
        if name == wanted:
            found = (at, value_at)
        at = _next(line, value_at)
    return found


def _element(line: str, at: int, wanted: int) -> tuple[int, int]:
    at = _after_space(line, at + 1)
    for _ in range(wanted):
        at = _next(line, at)
    return at, at


def _next(line: str, at: int) -> int:
    """Return the position of the next member or element after the value at a position, or of the closing bracket."""
    _, end = _DECODER.raw_decode(line, at)
    at = _after_space(line, end)
    return _after_space(line, at + 1) if line[at] == "," else at


def _after_space(line: str, at: int) -> int:
    found = _SPACE.match(line, at)
    return found.end() if found else at
