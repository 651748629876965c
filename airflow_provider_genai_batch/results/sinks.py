"""Sinks of rows: plain lines, compressed lines, or columns."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, BinaryIO, Literal, Protocol, TypeAlias, cast, runtime_checkable

from airflow_provider_genai_batch.exceptions import InputError, UnsupportedError
from airflow_provider_genai_batch.results.column_types import ColumnTypes
from airflow_provider_genai_batch.wire.answers.usual_rows import UsualRow
from airflow_provider_genai_batch.wire.tables.installed import can_ask
from airflow_provider_genai_batch.wire.tables.sql import is_table, read_table

Form: TypeAlias = Literal["jsonl", "jsonl.gz", "parquet"]
Write: TypeAlias = Callable[[bytes], object]
"""Takes complete lines, each with its line end."""


@runtime_checkable
class WritesRows(Protocol):
    """Also takes usual rows directly, without lines."""

    def __call__(self, lines: bytes, /) -> object:
        """Take complete lines."""

    def rows(self, rows: Sequence[UsualRow], /) -> None:
        """Take rows."""


FORMS: tuple[Form, ...] = ("jsonl", "jsonl.gz", "parquet")


def form_of(uri: str) -> Form:
    """Return the format that a URI's ending names.

    Raises:
        InputError: it has no ending that rows can be landed with.
    """
    for form in FORMS:
        if uri.endswith(f".{form}"):
            return form
    msg = f"results_uri={uri!r} cannot take rows: give one file or object that ends in .jsonl, .jsonl.gz or .parquet."
    raise InputError(msg)


def check_results_uri(uri: str) -> None:
    """Refuse a results URI that rows cannot be landed at, before anything is paid.

    Raises:
        UnsupportedError, InputError: its ending names no format, or one whose library is not installed.
    """
    if is_table(uri):
        read_table(uri, "results_uri")
        if not can_ask():
            msg = (
                f"results_uri={uri!r}: rows are loaded by Google's client, which is not installed. Install "
                "airflow-provider-genai-batch[bigquery] where tasks run, or let them land in a file."
            )
            raise UnsupportedError(msg)
    elif form_of(uri) == "parquet" and importlib.util.find_spec("pyarrow") is None:
        msg = (
            f"results_uri={uri!r}: Parquet is written by pyarrow, which is not installed. Install "
            "airflow-provider-genai-batch[parquet] where tasks run, or end it in .jsonl or .jsonl.gz."
        )
        raise UnsupportedError(msg)


_PACKING = 4
"""zlib's level: compresses text in a third of the time of the default, 6, to a result that is a fifth larger."""
_ISAL_PACKING = 2
"""ISA-L's default level: a sixth of the time of zlib at 4, and a tenth larger."""


def _packed(out: BinaryIO) -> AbstractContextManager[BinaryIO]:
    """Open a compressor with the fastest installed library; with it, the same rows give the same bytes."""
    try:
        from isal import igzip
    except ImportError:
        import gzip

        packed: Any = gzip.GzipFile(fileobj=out, mode="wb", compresslevel=_PACKING, mtime=0)
    else:
        pack: Any = igzip.IGzipFile
        packed = pack(fileobj=out, mode="wb", compresslevel=_ISAL_PACKING, mtime=0)
    return cast("AbstractContextManager[BinaryIO]", packed)


@contextmanager
def opened(out: BinaryIO, form: Form, types: ColumnTypes | None = None) -> Iterator[Write]:
    """Yield a function that writes lines; the output is complete if the block ends without an error.

    Args:
        out: takes the bytes.
        form: the file's format.
        types: the types of columns, if the format has columns.
    """
    if form == "jsonl":
        yield out.write
    elif form == "jsonl.gz":
        with _packed(out) as packed:
            yield packed.write
    else:
        from airflow_provider_genai_batch.results.parquet_sink import ParquetSink

        with ParquetSink(out, types or ColumnTypes()) as sink:
            yield sink
