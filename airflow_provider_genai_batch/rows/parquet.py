"""Rows as columns, written in groups as they come. Needs pyarrow, the extra ``parquet``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

import pyarrow as pa
from pyarrow.parquet import ParquetWriter
from pydantic_core import from_json, to_json

if TYPE_CHECKING:
    from typing_extensions import Self

_GROUP = 4 * 1024 * 1024
"""Bytes of columns that become one group of rows."""
_INT64 = 1 << 63


def _all(kind: Any, *names: str) -> list[Any]:
    return [pa.field(name, kind) for name in names]


SCHEMA = pa.schema(
    [
        pa.field("key", pa.string()),
        pa.field("index", pa.int64()),
        pa.field("status", pa.string(), nullable=False),
        pa.field("text", pa.string()),
        pa.field("output", pa.string()),
        pa.field("error", pa.struct([pa.field("code", pa.int64()), *_all(pa.string(), "status", "message")])),
        pa.field("finish_reason", pa.string()),
        pa.field("usage", pa.struct(_all(pa.int64(), "input", "output", "cached", "thoughts", "total"))),
        pa.field("model_version", pa.string()),
        pa.field("response", pa.string()),
        pa.field("round", pa.int32(), nullable=False),
        pa.field("input", pa.string()),
    ]
)
"""The same for every file. `output`, `response` and `input` may be anything, so they are JSON text."""

AS_TEXT = ("output", "response", "input")


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
        rows = [_columns(from_json(line, cache_strings="keys")) for line in lines.splitlines()]
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


def _columns(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row as the schema has it."""
    row["index"] = _int64(row["index"])
    row["round"] = row.get("round", 0)
    for name in AS_TEXT:
        if (value := row.get(name)) is not None:
            row[name] = to_json(value).decode()
    if row["error"]:
        row["error"]["code"] = _int64(row["error"]["code"])
    if row["usage"]:
        row["usage"] = {name: _int64(number) for name, number in row["usage"].items()}
    return row


def _int64(number: int | None) -> int | None:
    """Return a number; None for one that no column of numbers holds, as only a mistaken service sends."""
    return number if number is not None and -_INT64 <= number < _INT64 else None
