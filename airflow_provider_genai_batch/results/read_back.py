"""Reads rows back from where they were landed."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from airflow_provider_genai_batch.models import ResultRow
from airflow_provider_genai_batch.results.sinks import Form

_BATCH = 1024
"""Rows that are read from columns at a time."""
_CHUNK = 1024 * 1024


def plain(stream: BinaryIO, form: Form) -> BinaryIO:
    """Return a stream of a file's lines; the file may be compressed."""
    return cast("BinaryIO", gzip.GzipFile(fileobj=stream)) if form == "jsonl.gz" else stream


def landed_rows(stream: BinaryIO, form: Form) -> Iterator[ResultRow]:
    """Yield the rows of a file.

    Args:
        stream: the file, seekable.
        form: the file's format, see `results.sinks`.
    """
    if form == "parquet":
        yield from map(ResultRow.model_validate, columns_as_rows(stream))
        return
    yield from map(ResultRow.model_validate_json, plain(stream, form))


def count_rows(stream: BinaryIO, form: Form) -> int:
    """Count the rows of a file without parsing them."""
    if form == "parquet":
        from pyarrow.parquet import ParquetFile

        rows: int = ParquetFile(stream).metadata.num_rows
        return rows
    lines = plain(stream, form)
    return sum(chunk.count(b"\n") for chunk in iter(lambda: lines.read(_CHUNK), b""))


def columns_as_rows(stream: BinaryIO) -> Iterator[dict[str, Any]]:
    """Yield the rows of a Parquet file as Python values; absent fields are None."""
    from pyarrow.parquet import ParquetFile

    from airflow_provider_genai_batch.results.arrow_types import read_change

    file = ParquetFile(stream)
    changes = {field.name: change for field in file.schema_arrow if (change := read_change(field))}
    for batch in file.iter_batches(batch_size=_BATCH):
        for row in batch.to_pylist():
            row |= {name: read(row[name]) for name, read in changes.items() if row[name] is not None}
            if isinstance(row.get("usage"), dict):
                row["usage"] = {kind: number for kind, number in row["usage"].items() if number is not None}
            yield row
