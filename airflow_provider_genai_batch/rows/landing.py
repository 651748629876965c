"""Rows into a file: one JSON object a line, gzip by the name's ending."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from contextlib import ExitStack
from typing import BinaryIO

from airflow_provider_genai_batch.exceptions import InputError, UnsupportedError
from airflow_provider_genai_batch.models import ResultRow
from airflow_provider_genai_batch.rows.tally import Tally

_BUFFER = 256 * 1024


def check_results_uri(uri: str) -> None:
    """Refuse a results URI whose ending says no format, before anything is paid.

    Raises:
        UnsupportedError, InputError: the ending is none that rows can be landed as.
    """
    if uri.endswith(".parquet"):
        msg = f"results_uri={uri!r}: Parquet is not written yet; end it in .jsonl or .jsonl.gz."
        raise UnsupportedError(msg)
    if not uri.endswith((".jsonl", ".jsonl.gz")):
        msg = f"results_uri={uri!r} names one object that ends in .jsonl or .jsonl.gz."
        raise InputError(msg)


def land(
    rows: Iterable[ResultRow],
    tally: Tally,
    out: BinaryIO | None,
    *,
    compress: bool,
) -> None:
    """Count rows into `tally` and write them to `out`, then a row for each request that has none.

    Args:
        rows: in any order.
        tally: what to count into.
        out: where to write; None only counts.
        compress: write gzip.
    """
    with ExitStack() as stack:
        target = out
        if out is not None and compress:
            target = stack.enter_context(gzip.GzipFile(fileobj=out, mode="wb", compresslevel=6, mtime=0))  # type: ignore[assignment]  # it writes bytes
        buffer = bytearray()

        def write(row: ResultRow) -> None:
            buffer.extend(
                row.model_dump_json(exclude={"response"} if row.response is None else None).encode()
            )
            buffer.append(0x0A)
            if target is not None and len(buffer) >= _BUFFER:
                target.write(buffer)
            if len(buffer) >= _BUFFER:
                buffer.clear()

        for row in rows:
            if tally.take(row) and target is not None:
                sure = row.index is None or tally.trusts_index
                write(row if sure else row.model_copy(update={"index": None}))
        for row in tally.missing():
            if target is not None:
                write(row)
        if target is not None:
            target.write(buffer)
