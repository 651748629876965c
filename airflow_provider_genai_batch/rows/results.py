"""Rows out of the chunks of a result file."""

from __future__ import annotations

from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.rows.lines import LineReader
from airflow_provider_genai_batch.wire.results import PlainRow, read_fields
from airflow_provider_genai_batch.wire.usual import UsualRows


class RowReader(LineReader):
    """Reads the lines that are as nearly all are many at a time, and any others one by one.

    Args:
        backend: whose result file it is.
        keep_response: let each row have its response as it came.
    """

    def __init__(self, backend: Backend, *, keep_response: bool = False) -> None:
        super().__init__()
        self._backend, self._keep_response = backend, keep_response
        self._usual = None if keep_response else UsualRows(backend)

    def _read(self, block: bytes) -> list[PlainRow]:
        if self._usual is None:
            return [self._long_way(line) for line in super()._read(block)]
        rows = self._usual.all(block)
        if rows is not None and len(rows) == block.count(b"\n"):
            self.line += len(rows)
            return rows
        rows = []
        for line in block.split(b"\n")[:-1]:
            row = self._usual.one(line)
            if row is None:
                rows += map(self._long_way, self._objects([line]))
            else:
                self.line += 1
                rows.append(row)
        return rows

    def _long_way(self, line: PlainRow) -> PlainRow:
        return read_fields(line, self._backend, keep_response=self._keep_response)
