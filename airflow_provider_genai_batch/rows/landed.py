"""Rows read back from where they landed."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any, BinaryIO

from pydantic_core import from_json

from airflow_provider_genai_batch.models import ResultRow
from airflow_provider_genai_batch.rows.sinks import Form

_BATCH = 1024
"""Rows that are taken out of columns at a time."""


def landed_rows(stream: BinaryIO, form: Form) -> Iterator[ResultRow]:
    """Give the rows of a file.

    Args:
        stream: the file, seekable.
        form: how it was written, see `rows.sinks`.
    """
    if form == "parquet":
        yield from map(ResultRow.model_validate, _from_columns(stream))
        return
    lines: Any = gzip.GzipFile(fileobj=stream) if form == "jsonl.gz" else stream
    yield from map(ResultRow.model_validate_json, lines)


def _from_columns(stream: BinaryIO) -> Iterator[dict[str, Any]]:
    from pyarrow.parquet import ParquetFile

    from airflow_provider_genai_batch.rows.parquet import AS_TEXT

    for batch in ParquetFile(stream).iter_batches(batch_size=_BATCH):
        for row in batch.to_pylist():
            yield row | {name: from_json(row[name]) for name in AS_TEXT if row[name] is not None}
