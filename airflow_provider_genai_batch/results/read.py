"""Reads rows from the chunks of a result file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire import lenient
from airflow_provider_genai_batch.wire.answers.answer import PlainRow, Reading
from airflow_provider_genai_batch.wire.answers.fast_results import UsualReader
from airflow_provider_genai_batch.wire.answers.results import read_fields, useless_row
from airflow_provider_genai_batch.wire.answers.usual_rows import UsualRows
from airflow_provider_genai_batch.wire.catalog.limits import MAX_LINE_BYTES
from airflow_provider_genai_batch.wire.lines.line_reader import LineReader

_TEXT = rb'("(?:[^"\\]|\\.)*")'
_KEY_FIRST = re.compile(rb'\s*\{\s*"(key|custom_id)"\s*:\s*' + _TEXT)
_KEY_LAST = re.compile(rb',\s*"(key|custom_id)"\s*:\s*' + _TEXT + rb"\s*\}\s*\Z")
TOO_LONG = "LINE_TOO_LONG"
"""The error's `status` for a row that was not read to its end."""


Piece: TypeAlias = PlainRow | UsualRows
"""A row, or several consecutive rows."""


def each(pieces: Iterable[Piece]) -> Iterator[PlainRow]:
    """Yield rows one by one."""
    for piece in pieces:
        if isinstance(piece, UsualRows):
            yield from piece.plain()
        else:
            yield piece


class PieceReader(LineReader):
    """Reads lines of the usual form many at a time, and any others one by one.

    What is paid for is kept as far as possible: bytes that are not UTF-8 become U+FFFD, and of a line that is too
    long, the key is kept.

    Args:
        backend: the service that wrote the file.
        reading: how answers are read.
    """

    errors = "replace"

    def __init__(self, backend: Backend, reading: Reading | None = None) -> None:
        super().__init__()
        self._backend, self._reading = backend, reading or Reading()
        slow = self._reading.keep_response or self._reading.asked is not None
        self._usual = None if slow else UsualReader(backend, self._reading)

    def _read(self, block: bytes) -> list[Any]:
        if self._usual is None:
            return [self._long_way(line) for line in super()._read(block)]
        pieces: list[Piece] = []
        for found in self._usual.read(block):
            if isinstance(found, UsualRows):
                self.line += len(found.rows)
                pieces.append(found)
            else:
                pieces += map(self._long_way, self._objects([found]))
        return pieces

    def _too_long(self, head: bytes, tail: bytes) -> list[PlainRow]:
        super()._too_long(head, tail)
        found = _KEY_FIRST.match(head) or _KEY_LAST.search(tail)
        if found is None:
            return []
        msg = f"the answer is longer than {MAX_LINE_BYTES} bytes, and was not read"
        line = {found[1].decode(): lenient.loads(found[2])}
        return [useless_row(line, self._backend, TOO_LONG, msg)]

    def _long_way(self, line: PlainRow) -> PlainRow:
        return read_fields(line, self._backend, self._reading)


class RowReader(PieceReader):
    """Reads the same, row by row."""

    def _read(self, block: bytes) -> list[Any]:
        return [*each(super()._read(block))]
