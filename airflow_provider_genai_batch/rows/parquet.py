"""Rows as columns, written in groups as they come. Needs pyarrow, the extra ``parquet``."""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING, Any, BinaryIO

import pyarrow as pa
from pyarrow.parquet import ParquetWriter
from pydantic_core import from_json

from airflow_provider_genai_batch.models import ResultRow
from airflow_provider_genai_batch.rows.arrow_types import TEXT, Column, Scope, column_of, has_lost
from airflow_provider_genai_batch.rows.sinks import ColumnTypes

if TYPE_CHECKING:
    from typing_extensions import Self

log = logging.getLogger(__name__)

_GROUP = 4 * 1024 * 1024
"""Bytes of columns that become one group of rows."""
_NEVER_NULL = ("status", "round")
_ANYTHING = ("output", "response", "input")


@cache
def _columns() -> dict[str, Column]:
    """Return the columns that every file has; `output`, `response` and `input` are JSON text."""
    schema = ResultRow.model_json_schema(mode="validation")
    scope = Scope(schema["$defs"], sparse=True)
    columns = {name: column_of(one, scope) for name, one in schema["properties"].items()}
    return columns | dict.fromkeys(_ANYTHING, TEXT) | {"round": Column(pa.int32(), columns["round"].write)}


def columns_of(types: ColumnTypes) -> dict[str, Column]:
    """Return the columns of a file."""
    columns = dict(_columns())
    for name in ("output", "input"):
        if (schema := getattr(types, name)) is not None:
            columns[name] = column_of(schema)
    return columns


def schema_of(columns: dict[str, Column]) -> Any:
    """Return the schema of a file."""
    return pa.schema(
        [column.field(name, nullable=name not in _NEVER_NULL) for name, column in columns.items()]
    )


class ParquetSink:
    """Writes lines of rows; the file is whole when the block ends well."""

    def __init__(self, out: BinaryIO, types: ColumnTypes) -> None:
        self._columns = columns_of(types)
        self._schema = schema_of(self._columns)
        self._typed = types.output is not None
        self._unfit = 0
        self._writer = ParquetWriter(out, self._schema, compression="zstd")
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
        if self._unfit:
            log.warning(
                "%d outputs hold what their column does not, such as a number of more than 64 bits, and are written "
                "without it. The text of their rows has all.",
                self._unfit,
            )

    def write(self, lines: bytes) -> None:
        """Take whole lines."""
        rows = [self._values(from_json(line, cache_strings="keys")) for line in lines.splitlines()]
        if rows:
            batch = pa.RecordBatch.from_pylist(rows, schema=self._schema)
            self._held.append(batch)
            self._size += batch.nbytes
        if self._size >= _GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._held:
            self._writer.write_table(pa.Table.from_batches(self._held, self._schema))
        self._held, self._size = [], 0

    def _values(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return a row as the schema has it."""
        values = {
            name: None if (value := row.get(name)) is None else column.write(value)
            for name, column in self._columns.items()
        }
        values["round"] = values["round"] or 0
        if self._typed and row["status"] == "ok" and has_lost(row["output"], values["output"]):
            self._unfit += 1
        return values
