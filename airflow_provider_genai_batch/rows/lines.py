"""JSON lines out of chunks of bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic_core import from_json

from airflow_provider_genai_batch.rows.framing import BOM

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

    def feed(self, chunk: bytes) -> list[dict[str, Any]]:
        """Take a chunk and return the objects it completes."""
        end = chunk.rfind(b"\n") + 1
        if not end:
            # Joined when whole: a long line would otherwise be copied with every chunk.
            self._rest.append(chunk)
            return []
        block = b"".join([*self._rest, chunk[:end]])
        self._rest = [chunk[end:]]
        return self._block(block)

    def end(self) -> list[dict[str, Any]]:
        """Return the object of a last line without a line end."""
        rest, self._rest = b"".join(self._rest), []
        return self._block(rest + b"\n") if rest else []

    def _block(self, block: bytes) -> list[dict[str, Any]]:
        return self._read(block if self.line else block.removeprefix(BOM))

    def _read(self, block: bytes) -> list[dict[str, Any]]:
        """Read whole lines."""
        return list(self._objects(block.split(b"\n")[:-1]))

    def _objects(self, lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
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
