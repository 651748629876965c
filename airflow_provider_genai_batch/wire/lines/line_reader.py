"""Reads JSON lines from chunks of bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic_core import from_json

from airflow_provider_genai_batch.wire import lenient
from airflow_provider_genai_batch.wire.catalog.limits import MAX_LINE_BYTES
from airflow_provider_genai_batch.wire.lines.framing import BOM

_SAMPLES = 5
_ENDS = 4096
"""Bytes that are kept from each end of a line that is too long."""


class LineReader:
    """Reads JSON objects from a stream, however it is cut into chunks.

    Attributes:
        line: number of the last line, from 1.
        bad: places and reasons of the first few lines that are not JSON objects; `bad_count` is their number.
    """

    errors = "strict"
    """How to handle bytes that are not UTF-8; see `bytes.decode`."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self._held = 0
        self._head = b""
        self.line = 0
        self.bad_count = 0
        self.bad: list[str] = []

    def feed(self, chunk: bytes) -> list[Any]:
        """Add a chunk and return the objects that it completes."""
        end = chunk.rfind(b"\n") + 1
        if not end:
            # Joined when the line is complete: otherwise a long line would be copied with every chunk.
            self._hold(chunk)
            return []
        found = []
        begin = 0
        if self._head:
            begin = chunk.index(b"\n") + 1
            found = self._cut_off(chunk[:begin])
        block = b"".join([*self._rest, memoryview(chunk)[begin:end]])
        self._rest, self._held = [], 0
        self._hold(chunk[end:])
        return [*found, *self._block(block)] if block else found

    def end(self) -> list[Any]:
        """Return the object of a last line without a line end."""
        if self._head:
            return self._cut_off(b"")
        rest, self._rest = b"".join(self._rest), []
        return self._block(rest + b"\n") if rest else []

    def _hold(self, chunk: bytes) -> None:
        """Keep the start of an incomplete line; of a line that is too long, keep only its two ends."""
        self._rest.append(chunk)
        self._held += len(chunk)
        if self._held > MAX_LINE_BYTES:
            rest = b"".join(self._rest)
            self._head = self._head or rest[:_ENDS]
            self._rest, self._held = [rest[-_ENDS:]], MAX_LINE_BYTES

    def _cut_off(self, last: bytes) -> list[Any]:
        """Process the end of a line that is too long."""
        head, tail = self._head, b"".join([*self._rest, last])[-_ENDS:]
        self._head, self._rest, self._held = b"", [], 0
        self.line += 1
        return self._too_long(head, tail)

    def _too_long(self, _head: bytes, _tail: bytes) -> list[Any]:
        """Recover what is possible from a line that is too long."""
        self._note(f"longer than {MAX_LINE_BYTES} bytes")
        return []

    def _block(self, block: bytes) -> list[Any]:
        return self._read(block if self.line else block.removeprefix(BOM))

    def _read(self, block: bytes) -> list[Any]:
        """Read whole lines."""
        return list(self._objects(block.split(b"\n")[:-1]))

    def _objects(self, lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
        for line in lines:
            self.line += 1
            try:
                value = from_json(line, cache_strings="keys")
            except ValueError as error:
                if not line.strip():
                    continue
                try:
                    value = self._again(line, error)
                except (ValueError, RecursionError):
                    self._note(str(error))
                    continue
            if value.__class__ is dict:
                yield value
            else:
                self._note(f"a JSON {type(value).__name__} instead of an object")

    def _again(self, line: bytes, error: ValueError) -> Any:
        """Read a line that is not quite JSON.

        Raises:
            ValueError, RecursionError: it is not JSON, or is nested so deeply that others could not read the result.
        """
        if "recursion" in str(error):
            raise error
        return lenient.loads(line, errors=self.errors)

    def _note(self, reason: str) -> None:
        self.bad_count += 1
        if len(self.bad) < _SAMPLES:
            self.bad.append(f"line {self.line}: {reason}")
