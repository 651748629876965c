"""Where in a line of JSON something stands."""

from __future__ import annotations

import json
import re

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


def column(line: str, steps: list[str | int], *, of_name: bool) -> int:
    """Return the column of a value, or of the name in front of it, counted from 1.

    Args:
        line: Valid JSON.
        steps: Names and places on the way to it.
        of_name: Whether the last step's name is wanted.
    """
    at, name_at = _after_space(line, 0), 0
    for step in steps:
        name_at, at = _member(line, at, step) if isinstance(step, str) else _element(line, at, step)
    return (name_at if of_name else at) + 1


def _member(line: str, at: int, wanted: str) -> tuple[int, int]:
    """Return where the last member of that name stands in the object at a place: its name and its value."""
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
    """Return where the next member or element begins after the value at a place, or the closing bracket stands."""
    _, end = _DECODER.raw_decode(line, at)
    at = _after_space(line, end)
    return _after_space(line, at + 1) if line[at] == "," else at


def _after_space(line: str, at: int) -> int:
    found = _SPACE.match(line, at)
    return found.end() if found else at
