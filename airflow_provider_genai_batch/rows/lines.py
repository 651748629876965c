"""JSON lines out of chunks of bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic_core import from_json


class LineReader:
    """Cuts a stream into JSON objects, whatever its chunks.

    Attributes:
        bad: places and reasons of lines that are no JSON object (the first few), and how many there were.
    """

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self.line = 0
        self.bad_count = 0
        self.bad: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[dict[str, Any]]:
        """Take a chunk and give the objects it completes."""
        first, *others = chunk.split(b"\n")
        self._rest.append(first)  # joined when whole: a long line would otherwise be copied with every chunk
        for start in others:
            line, self._rest = b"".join(self._rest), [start]
            yield from self._object(line)

    def end(self) -> Iterator[dict[str, Any]]:
        """Give the object of a last line without a line end."""
        rest, self._rest = b"".join(self._rest), []
        if rest:
            yield from self._object(rest)

    def _object(self, line: bytes) -> Iterator[dict[str, Any]]:
        self.line += 1
        if not line.strip():
            return
        try:
            value = from_json(line, cache_strings="keys")
        except ValueError as error:
            self._note(str(error))
            return
        if isinstance(value, dict):
            yield value
        else:
            self._note(f"a JSON {type(value).__name__} instead of an object")

    def _note(self, reason: str) -> None:
        self.bad_count += 1
        if len(self.bad) < 5:
            self.bad.append(f"line {self.line}: {reason}")
