"""Tables as input: rows of CSV, JSONL or Parquet, or dicts; a template makes a request of each."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from airflow_provider_genai_batch.exceptions import InputError, RequestError
from airflow_provider_genai_batch.requests.frames import MOST_HELD, TOGETHER
from airflow_provider_genai_batch.requests.line_kind import parse
from airflow_provider_genai_batch.requests.tables.values import Row
from airflow_provider_genai_batch.wire.lines.framing import Framer

_GZIP = b"\x1f\x8b"
_PIECE = 1024 * 1024


def row_name(number: int, name: str) -> str:
    """Return the name of a row, counted from 1, for messages."""
    return f"row {number} of {name}" if name else f"row {number}"


def dict_rows(items: Iterable[Any]) -> Iterator[list[Row]]:
    """Yield rows given as Python dicts, several at a time.

    Raises:
        RequestError: an item is not a dict.
    """
    rows: list[Row] = []
    size = 0
    for number, item in enumerate(items, 1):
        if not isinstance(item, Mapping):
            yield rows
            msg = f"with prompt rows are dicts of columns, not {type(item).__name__}"
            raise RequestError(
                msg, "Leave prompt out to send requests as they are.", where=row_name(number, "")
            )
        rows.append(item)
        size += sum(len(value) for value in item.values() if isinstance(value, (str, bytes)))
        if len(rows) == TOGETHER or size > MOST_HELD:
            yield rows
            rows, size = [], 0
    yield rows


def jsonl_rows(chunks: Iterable[bytes], name: str) -> Iterator[list[Row]]:
    """Yield the objects of JSON lines, several at a time.

    Raises:
        RequestError: a line is not an object; with its number.
    """
    framer, number = Framer(), 0
    try:
        for lines in framer.blocks(chunks):
            rows: list[Row] = []
            for number, line in enumerate(lines, number + 1):  # noqa: B020 - it continues the count
                if not (text := line.strip()):
                    continue
                try:
                    rows.append(parse(text))
                except RequestError as error:
                    yield rows
                    remedy = "Write one JSON object a line; its names are the columns."
                    raise RequestError(error.reason, remedy, where=f"line {number} of {name}") from error
            yield rows
    except RequestError as error:
        raise error if error.where else error.at(f"line {framer.lines + 1} of {name}") from error


def unzipped(chunks: Iterable[bytes], name: str) -> Iterator[bytes]:
    """Yield the bytes of a file that may be gzipped; the first bytes decide, not the name.

    Raises:
        InputError: it is cut short, or broken.
    """
    source = _Chunks(chunks)
    if not source.begins_with(_GZIP):
        yield from source
        return
    try:
        with gzip.GzipFile(fileobj=source, mode="rb") as plain:  # type: ignore[call-overload]  # it reads
            while piece := plain.read(_PIECE):
                yield piece
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        msg = f"{name} cannot be decompressed: {error}"
        raise InputError(msg) from error


class _Chunks:
    """Chunks as a file that can be read once."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        # A chunk without bytes would look like the end of the file.
        self._chunks, self._held = filter(None, chunks), b""

    def begins_with(self, signature: bytes) -> bool:
        while len(self._held) < len(signature) and (chunk := next(self._chunks, b"")):
            self._held += chunk
        return self._held.startswith(signature)

    def __iter__(self) -> Iterator[bytes]:
        yield self._held
        yield from self._chunks

    def read(self, size: int = -1) -> bytes:
        data = self._held or next(self._chunks, b"")
        size = len(data) if size < 0 else size
        self._held = data[size:]
        return data[:size]
