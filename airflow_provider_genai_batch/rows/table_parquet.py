"""Rows of Parquet, by pyarrow, which comes with the extra ``parquet``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

from airflow_provider_genai_batch.exceptions import InputError, RequestError, UnsupportedError

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH = 1024
_BUFFER = 1024 * 1024


def parquet_rows(
    stream: BinaryIO, name: str, columns: Sequence[str] | None = None
) -> Iterator[dict[str, Any]]:
    """Yield rows; of a row group only the pages that are being read are held.

    Args:
        stream: seekable.
        name: of the file, for messages.
        columns: to read; None for all.

    Raises:
        UnsupportedError: pyarrow is not installed.
        InputError: the file is not Parquet, or broken.
        RequestError: it has no such column.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        msg = (
            f"{name} is Parquet, which needs pyarrow: install airflow-provider-genai-batch[parquet] on the worker, "
            "or give CSV or JSONL"
        )
        raise UnsupportedError(msg) from error
    try:
        with pq.ParquetFile(stream, buffer_size=_BUFFER, pre_buffer=False) as file:
            there = file.schema_arrow.names
            for column in columns or ():
                if column not in there:
                    msg = f"there is no column {column!r}, which the prompt names"
                    raise RequestError(msg, f"The columns are: {', '.join(map(repr, there))}.", where=name)
            chosen = None if columns is None else list(columns)
            for batch in file.iter_batches(_BATCH, columns=chosen, use_threads=False):
                yield from _dicts(batch)
    except (pa.ArrowException, OSError) as error:
        msg = f"{name} cannot be read as Parquet: {error}"
        raise InputError(msg) from error


def _dicts(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    names = batch.schema.names
    values = [_microseconds(column).to_pylist() for column in batch.columns]
    for row in zip(*values, strict=True):
        yield dict(zip(names, row, strict=True))


def _microseconds(column: pa.Array) -> pa.Array:
    """Cut nanoseconds off: Python's own times have none, and what stands in for them depends on what is installed."""
    import pyarrow as pa

    kind = column.type
    if getattr(kind, "unit", None) != "ns":
        return column
    if pa.types.is_timestamp(kind):
        wanted = pa.timestamp("us", kind.tz)
    else:
        wanted = pa.duration("us") if pa.types.is_duration(kind) else pa.time64("us")
    return column.cast(wanted, safe=False)
