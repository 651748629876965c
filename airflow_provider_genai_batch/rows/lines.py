"""JSON lines out of chunks of bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic_core import from_json

_BOM = b"\xef\xbb\xbf"
_SAMPLES = 5


class LineReader:
    """Cuts a stream into JSON objects, whatever its chunks.

    Attributes:
        line: number of the last line, from 1.
        bad: places and reasons of lines that are no JSON object (the first few), and how many there were.
    """

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self.line = 0
        self.bad_count = 0
        self.bad: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[dict[str, Any]]:
        """Take a chunk and give the objects it completes."""
        lines = chunk.split(b"\n")
        self._rest.append(
            lines[0]
        )  # joined when whole: a long line would otherwise be copied with every chunk
        if len(lines) == 1:
            return
        lines[0] = b"".join(self._rest)
        self._rest = [lines.pop()]
        yield from self._objects(lines)

    def end(self) -> Iterator[dict[str, Any]]:
        """Give the object of a last line without a line end."""
        rest, self._rest = b"".join(self._rest), []
        if rest:
            yield from self._objects([rest])

    def _objects(self, lines: list[bytes]) -> Iterator[dict[str, Any]]:
        if not self.line and lines[0].startswith(_BOM):
            lines[0] = lines[0].removeprefix(_BOM)
        for line in lines:
            self.line += 1
            try:
                value = from_json(line, cache_strings="keys")
            except ValueError as error:
                if line.strip():
                    self._note(str(error))
                continue
            if value.__class__ is dict:
                yield value
            else:
                self._note(f"a JSON {type(value).__name__} instead of an object")

    def _note(self, reason: str) -> None:
        self.bad_count += 1
        if len(self.bad) < _SAMPLES:
            self.bad.append(f"line {self.line}: {reason}")
