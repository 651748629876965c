"""Tables as input: rows of CSV, JSONL or Parquet, or dicts, each of which becomes a request by a template."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic_core import to_json

from airflow_provider_genai_batch.exceptions import InputError, RequestError
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.requests.line_kind import parse
from airflow_provider_genai_batch.requests.tables.prompt_template import Prompt, Row
from airflow_provider_genai_batch.requests.tables.row_settings import RowKeys, RowSettings
from airflow_provider_genai_batch.wire.catalog.limits import limits_of
from airflow_provider_genai_batch.wire.catalog.publishers import family_of
from airflow_provider_genai_batch.wire.keys import stamp
from airflow_provider_genai_batch.wire.lines.entry import spelled_key
from airflow_provider_genai_batch.wire.lines.framing import Framer

_GZIP = b"\x1f\x8b"
_PIECE = 1024 * 1024
_BY_PLACE = RowSettings()


def table_lines(  # noqa: PLR0913 - as for requests, which take no prompt
    rows: Iterable[Row],
    prompt: Prompt,
    backend: Backend,
    task: Task,
    model: str,
    *,
    settings: RowSettings = _BY_PLACE,
    defaults: Any = None,
    name: str = "",
    max_bytes: int | None = None,
    max_requests: int | None = None,
) -> Iterator[tuple[str, bytes]]:
    """Yield the key of each row, by default the stamp of its place, and its line of JSONL (some models take no key).

    Raises:
        RequestError: a row without a value for the prompt, or without a key, or too many; ``row 3 of in.csv`` is the
            third.
        InputError: there are none.
    """
    limits = limits_of(backend, task, model, max_bytes=max_bytes, max_requests=max_requests)
    most_bytes, most_rows = limits.max_bytes or sys.maxsize, limits.max_requests or sys.maxsize
    write = prompt.writer(backend, task, model, defaults)
    keys = RowKeys(settings.key, lambda number: row_name(number, name)) if settings.key else None
    family = family_of(model)
    number = size = 0
    try:
        for number, row in enumerate(rows, 1):
            settings.check(row)
            if keys is None:
                key = stamp(number - 1)
                line = write(row, key.encode())
            else:
                key = keys.of(row, number)
                line = write(row, to_json(spelled_key(key, backend, family))[1:-1])
            size += len(line)
            if size > most_bytes or number > most_rows:
                limits.check(number, size, "")
            yield key, line
        if keys is not None:
            keys.check_all()
    except RequestError as error:
        raise error if error.where else error.at(row_name(number, name)) from error
    if not number:
        msg = f"{name or 'src'} holds no rows: there is nothing to ask"
        raise InputError(msg)


def row_name(number: int, name: str) -> str:
    """Name a row, counted from 1, in messages."""
    return f"row {number} of {name}" if name else f"row {number}"


def dict_rows(items: Iterable[Any]) -> Iterator[Row]:
    """Yield rows that are given in Python.

    Raises:
        RequestError: one is no dict.
    """
    for number, item in enumerate(items, 1):
        if not isinstance(item, Mapping):
            msg = f"with prompt rows are dicts of columns, not {type(item).__name__}"
            raise RequestError(
                msg, "Leave prompt out to send requests as they are.", where=row_name(number, "")
            )
        yield item


def jsonl_rows(chunks: Iterable[bytes], name: str) -> Iterator[Row]:
    """Yield the objects of JSON lines.

    Raises:
        RequestError: a line is none; with its number.
    """
    for number, line in enumerate(_lines(chunks, name), 1):
        if not (text := line.strip()):
            continue
        try:
            row = parse(text)
        except RequestError as error:
            remedy = "Write one JSON object a line; its names are the columns."
            raise RequestError(error.reason, remedy, where=f"line {number} of {name}") from error
        yield row


def _lines(chunks: Iterable[bytes], name: str) -> Iterator[bytes]:
    framer = Framer()
    try:
        for block in framer.blocks(chunks):
            yield from block
    except RequestError as error:
        raise error.at(f"line {framer.lines + 1} of {name}") from error


def unzipped(chunks: Iterable[bytes], name: str) -> Iterator[bytes]:
    """Yield the bytes of a file that may be compressed: its first bytes say so, its name may not.

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
    """Chunks as a file to read once."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks, self._held = iter(chunks), b""

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
