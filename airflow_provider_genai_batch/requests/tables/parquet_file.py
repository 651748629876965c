"""Rows of Parquet, read with pyarrow, which comes with the extra ``parquet``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

from airflow_provider_genai_batch.exceptions import InputError, RequestError, UnsupportedError
from airflow_provider_genai_batch.requests.tables.values import Row

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH = 1024
_BUFFER = 1024 * 1024


def check_pyarrow(name: str) -> None:
    """Refuse a Parquet file if pyarrow is missing.

    Args:
        name: the file's name.

    Raises:
        UnsupportedError: pyarrow is not installed.
    """
    try:
        import pyarrow.parquet  # noqa: F401 - to find out whether it is installed
    except ImportError as error:
        msg = (
            f"{name} is Parquet, which needs pyarrow: install airflow-provider-genai-batch[parquet] on the worker, "
            "or give CSV or JSONL"
        )
        raise UnsupportedError(msg) from error


def parquet_rows(stream: BinaryIO, name: str, columns: Sequence[str] | None = None) -> Iterator[list[Row]]:
    """Yield rows, several at a time; only the pages of a row group that are being read are held.

    Args:
        stream: seekable.
        name: the file's name, for messages.
        columns: to read; None for all.

    Raises:
        UnsupportedError: pyarrow is not installed.
        InputError: the file is not Parquet, is broken, or has two columns of one name.
        RequestError: it has no such column, or a value that Python cannot represent, such as a date after year 9999.
    """
    check_pyarrow(name)
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(stream, buffer_size=_BUFFER, pre_buffer=False) as file:
            there = file.schema_arrow.names
            if twice := sorted({column for column in there if there.count(column) > 1}):
                msg = f"{name} has the column {twice[0]!r} twice: give each a name of its own"
                raise InputError(msg)
            for column in columns or ():
                if column not in there:
                    msg = f"there is no column {column!r}, which the prompt names"
                    raise RequestError(msg, f"The columns are: {', '.join(map(repr, there))}.", where=name)
            chosen, before = None if columns is None else list(columns), 0
            for batch in file.iter_batches(_BATCH, columns=chosen, use_threads=False):
                yield _dicts(batch, name, before)
                before += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        msg = f"{name} cannot be read as Parquet: {error}"
        raise InputError(msg) from error


def _dicts(batch: pa.RecordBatch, name: str, before: int) -> list[Row]:
    """Return the rows of a batch; `before` rows precede it."""
    names = batch.schema.names
    values = [
        _values(_microseconds(column), f"column {column_name!r}", name, before)
        for column_name, column in zip(names, batch.columns, strict=True)
    ]
    return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]


def _values(column: pa.Array, what: str, name: str, before: int) -> list[Any]:
    try:
        texts = _texts(column)
        values: list[Any] = column.to_pylist() if texts is None else texts
    except (ValueError, OverflowError):
        for number, value in enumerate(column, before + 1):
            try:
                value.as_py()
            except (ValueError, OverflowError) as error:
                msg = f"{what} has a {column.type} that Python cannot represent ({error})"
                remedy = "Write the column as text, or leave it out of the prompt."
                raise RequestError(msg, remedy, where=f"row {number} of {name}") from error
        raise
    return values


def _texts(column: pa.Array) -> list[Any] | None:
    """Return a column's strings in one step, ten times cheaper than one by one; None if that is not possible."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not len(column) or column.null_count or not pa.types.is_string(column.type):
        return None
    whole = pa.ListArray.from_arrays(pa.array([0, len(column)], pa.int32()), column)
    texts: list[Any] = pc.binary_join(whole, "\0")[0].as_py().split("\0")
    return texts if len(texts) == len(column) else None


def _microseconds(column: pa.Array) -> pa.Array:
    """Cut nanoseconds off: Python's times have none, and pyarrow's substitute depends on what is installed."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    wanted = _without_nanoseconds(column.type)
    return column if wanted == column.type else column.cast(wanted, safe=False)


def _without_nanoseconds(kind: Any) -> Any:
    """Return a type with microseconds instead of nanoseconds, also in nested types."""
    import pyarrow as pa

    types = pa.types
    if getattr(kind, "unit", None) == "ns":
        if types.is_timestamp(kind):
            return pa.timestamp("us", kind.tz)
        return pa.duration("us") if types.is_duration(kind) else pa.time64("us")
    if types.is_struct(kind):
        kind = pa.struct([field.with_type(_without_nanoseconds(field.type)) for field in kind])
    elif types.is_map(kind):
        kind = pa.map_(_without_nanoseconds(kind.key_type), _without_nanoseconds(kind.item_type))
    elif types.is_fixed_size_list(kind):
        kind = pa.list_(_without_nanoseconds(kind.value_type), kind.list_size)
    elif types.is_list(kind) or types.is_large_list(kind):
        make = pa.list_ if types.is_list(kind) else pa.large_list
        kind = make(_without_nanoseconds(kind.value_type))
    return kind
