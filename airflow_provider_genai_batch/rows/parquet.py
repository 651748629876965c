"""Rows as columns, written in groups as they come. Needs pyarrow, the extra ``parquet``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

import pyarrow as pa
from pyarrow.parquet import ParquetWriter
from pydantic_core import from_json

from airflow_provider_genai_batch.models import ResultRow
from airflow_provider_genai_batch.rows.arrow_types import TEXT, Column, column_of

if TYPE_CHECKING:
    from typing_extensions import Self

_GROUP = 4 * 1024 * 1024
"""Bytes of columns that become one group of rows."""
_NEVER_NULL = ("status", "round")
_ANYTHING = ("output", "response", "input")


def _columns() -> dict[str, Column]:
    schema = ResultRow.model_json_schema(mode="validation")
    columns = {name: column_of(one, schema["$defs"]) for name, one in schema["properties"].items()}
    return columns | dict.fromkeys(_ANYTHING, TEXT) | {"round": Column(pa.int32(), columns["round"].write)}


COLUMNS = _columns()
SCHEMA = pa.schema([column.field(name, nullable=name not in _NEVER_NULL) for name, column in COLUMNS.items()])
"""The same for every file."""


class ParquetSink:
    """Writes lines of rows; the file is whole when the block ends well."""

    def __init__(self, out: BinaryIO) -> None:
        self._writer = ParquetWriter(out, SCHEMA, compression="zstd")
        self._held: list[Any] = []
        self._size = 0

    def __enter__(self) -> Self:
        """Return the sink."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Write what is held, and the end of the file."""
        if kind is None:
            self._flush()
        self._writer.close()

    def write(self, lines: bytes) -> None:
        """Take whole lines."""
        rows = [_values(from_json(line, cache_strings="keys")) for line in lines.splitlines()]
        if rows:
            batch = pa.RecordBatch.from_pylist(rows, schema=SCHEMA)
            self._held.append(batch)
            self._size += batch.nbytes
        if self._size >= _GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._held:
            self._writer.write_table(pa.Table.from_batches(self._held, SCHEMA))
        self._held, self._size = [], 0


def _values(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row as the schema has it."""
    values = {
        name: None if (value := row.get(name)) is None else column.write(value)
        for name, column in COLUMNS.items()
    }
    values["round"] = values["round"] or 0
    return values
