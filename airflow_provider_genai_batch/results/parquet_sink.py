"""Rows as columns, written in groups as they come. Needs pyarrow, the extra ``parquet``."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, BinaryIO

import pyarrow as pa
from msgspec import UNSET, Raw
from msgspec.structs import asdict
from pyarrow.parquet import ParquetWriter
from pydantic_core import from_json

from airflow_provider_genai_batch.models import ResultRow
from airflow_provider_genai_batch.results.arrow_types import TEXT, Column, Scope, column_of, has_lost
from airflow_provider_genai_batch.results.column_types import ColumnTypes
from airflow_provider_genai_batch.wire.answers.usual_rows import OPTIONAL, UsualRow, UsualTokens

if TYPE_CHECKING:
    from typing_extensions import Self

log = logging.getLogger(__name__)

GROUP_BYTES = 4 * 1024 * 1024
"""Bytes of lines that form one row group."""
_BATCH, _BATCH_BYTES = 1024, 1024 * 1024
"""Rows, and bytes of their lines, that become columns at a time: each conversion costs as much as dozens of rows."""
_PLAIN = ("key", "index", "status", "text", "output", "error", "finish_reason", "usage", "model_version")
_FIELDS = len(_PLAIN) + 2
"""Number of fields of a plain row, with `tier` and `round`."""
_NEVER_NULL = ("status", "round")
_ANYTHING = ("output", "response", "input")


def _time(value: Any) -> datetime:
    return datetime.fromisoformat(value.replace("Z", "+00:00"))


_TIME = Column(pa.timestamp("us", tz="UTC"), _time, plain=False)


@cache
def _columns() -> dict[str, Column]:
    """Return the columns that every file has; `output`, `response` and `input` are JSON text."""
    schema = ResultRow.model_json_schema(mode="validation")
    scope = Scope(schema["$defs"], sparse=True)
    columns = {name: column_of(one, scope) for name, one in schema["properties"].items()}
    others = {"round": Column(pa.int32(), columns["round"].write), "answered_at": _TIME}
    return columns | dict.fromkeys(_ANYTHING, TEXT) | others


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


_FEW_VALUES = ("status", "finish_reason", "model_version", "tier", "round")
"""Columns that are worth a dictionary: looking for repeated texts would cost as much as building their column."""
_USUAL = frozenset(UsualRow.__struct_fields__)
_TEXTS = ("key", "index", "text", "finish_reason", "model_version")
"""Fields of usual rows that their columns take as they are."""
_NUMBERS = UsualTokens.__struct_fields__
_AROUND = 250
"""Approximate size of a usual row's line without its text, in bytes."""


class ParquetSink:
    """Writes rows, or lines of rows; the file is complete if the block ends without an error."""

    def __init__(self, out: BinaryIO, types: ColumnTypes) -> None:
        self._columns = columns_of(types)
        self._schema = schema_of(self._columns)
        self._unfit = 0
        self._writer = ParquetWriter(
            out,
            self._schema,
            compression="zstd",
            use_dictionary=[*_FEW_VALUES],
            write_statistics=["key", "index", *_FEW_VALUES],
        )
        self._held: list[Any] = []
        self._rows: list[dict[str, Any] | UsualRow] = []
        self._all_usual = True
        self._present = {*_PLAIN, "tier", "round"}
        self._waiting = self._size = 0

    def __enter__(self) -> Self:
        """Return the sink."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Write the rows that are held, and the end of the file."""
        if kind is None:
            self._flush()
        self._writer.close()
        if self._unfit:
            log.warning(
                "%d outputs hold values that their column cannot, such as integers of more than 64 bits, and are "
                "written without them. The text of each row is complete.",
                self._unfit,
            )

    def __call__(self, lines: bytes) -> None:
        """Add complete lines."""
        self._all_usual = False
        for line in lines.splitlines():
            row = from_json(line, cache_strings="keys")
            row.setdefault("round", 0)
            row.setdefault("tier", None)
            if len(row) > _FIELDS:
                self._present.update(row)
            self._rows.append(row)
        self._took(len(lines))

    def rows(self, rows: Sequence[UsualRow]) -> None:
        """Add usual rows."""
        self._rows += rows
        for name in OPTIONAL:
            if name not in self._present and any(getattr(row, name) is not UNSET for row in rows):
                self._present.add(name)
        self._took(sum(len(row.text) for row in rows) + _AROUND * len(rows))

    def _took(self, size: int) -> None:
        self._waiting += size
        self._size += size
        if len(self._rows) >= _BATCH or self._waiting >= _BATCH_BYTES:
            self._build()
        if self._size >= GROUP_BYTES:
            self._flush()

    def _build(self) -> None:
        """Convert the waiting rows into columns."""
        if self._rows:
            arrays = [self._array(name, column) for name, column in self._columns.items()]
            self._held.append(pa.RecordBatch.from_arrays(arrays, schema=self._schema))
        self._rows, self._waiting, self._all_usual = [], 0, True

    def _array(self, name: str, column: Column) -> Any:
        """Return a column of the rows."""
        if name not in self._present:  # true for most columns of plain answers
            return pa.nulls(len(self._rows), column.type)
        if self._all_usual and (array := _usual_array(self._rows, name, column)) is not None:
            return array
        values = [_value(row, name) for row in self._rows]
        if column.plain:
            with suppress(pa.ArrowException, OverflowError, TypeError, ValueError):
                return pa.array(values, column.type)
        written = [None if value is None else column.write(value) for value in values]
        if name == "output" and not column.json:
            pairs = zip(self._rows, values, written, strict=True)
            self._unfit += sum(
                _value(row, "status") == "ok" and has_lost(value, one) for row, value, one in pairs
            )
        return pa.array(written, column.type)

    def _flush(self) -> None:
        self._build()
        if self._held:
            self._writer.write_table(pa.Table.from_batches(self._held, self._schema))
        self._held, self._size = [], 0


def _value(row: dict[str, Any] | UsualRow, name: str) -> Any:
    """Return a field of a row in its JSON form."""
    if isinstance(row, dict):
        return row.get(name)
    value = getattr(row, name, UNSET)
    if isinstance(value, UsualTokens):
        return asdict(value)
    if isinstance(value, Raw):
        return from_json(bytes(value))
    if value is UNSET:
        return 0 if name == "round" else None
    return value


def _usual_array(rows: Sequence[Any], name: str, column: Column) -> Any:
    """Return a column of usual rows; None if each value must be written by itself."""
    values: list[Any] = list(map(attrgetter(name), rows)) if name in _USUAL else [None]
    if values.count(values[0]) == len(values) or name not in _USUAL:  # true for most columns
        value = _value(rows[0], name)
        if value is None:
            return pa.nulls(len(rows), column.type)
        if isinstance(value, (str, int)) and column.plain:
            with suppress(pa.ArrowException, OverflowError):  # a number of more than 64 bits
                return pa.repeat(pa.scalar(value, column.type), len(rows))
    if name in _TEXTS:
        return pa.array(values, column.type)
    return _tokens_array(values, column.type) if name == "usage" else None


def _tokens_array(tokens: Sequence[UsualTokens], kind: Any) -> Any:
    """Return the column of tokens; None if a number has more than 64 bits."""
    numbers = {name: list(map(attrgetter(name), tokens)) for name in _NUMBERS}
    with suppress(pa.ArrowException, OverflowError):
        arrays = [pa.array(numbers.get(field.name, [None] * len(tokens)), field.type) for field in kind]
        return pa.StructArray.from_arrays(arrays, fields=[*kind])
    return None
