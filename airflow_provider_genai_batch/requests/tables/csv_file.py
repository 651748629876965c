"""Rows of CSV: UTF-8, commas, double quotes, and the columns' names in the first line."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat
from typing import Any

from airflow_provider_genai_batch.exceptions import InputError, RequestError
from airflow_provider_genai_batch.requests.frames import TOGETHER
from airflow_provider_genai_batch.requests.tables.fast_csv import Halves, fields_of
from airflow_provider_genai_batch.requests.tables.values import Row
from airflow_provider_genai_batch.wire.catalog.limits import MAX_LINE_BYTES
from airflow_provider_genai_batch.wire.lines.framing import BOM

_UTF8 = codecs.getincrementaldecoder("utf-8")


def csv_rows(chunks: Iterable[bytes], name: str) -> Iterator[list[Row]]:
    """Yield rows as they come, several at a time; blank lines are skipped.

    Args:
        chunks: the file in pieces, cut anywhere.
        name: the file's name, for messages.

    Raises:
        RequestError: a line is not CSV, or its number of columns differs from the header's; with its number.
        InputError: the header is missing, or has a name twice.
    """
    halves = Halves(_without_mark(chunks))
    names: list[str] = []
    for parts in halves:
        found = None if halves.cut else fields_of(parts, len(names))
        if found is None:
            break
        width, fields = found
        if not names:
            names, fields = fields[:width], fields[width:]
            _check_header(names, name)
        columns = [fields[number::width] for number in range(width)]
        yield [*map(dict, map(zip, repeat(names), zip(*columns, strict=True)))]
    else:
        if not names:
            _check_header(names, name)
        return
    left, before = chain((b'"'.join(parts),), halves.rest()), halves.lines
    yield from _carefully(_lines(_texts(left, name, before)), names, name, before)


def _carefully(lines: Iterator[str], names: list[str], name: str, before: int) -> Iterator[list[Row]]:
    """Read the rows of lines after `before` other lines. Without `names`, the first line has them."""
    # The csv module's limit holds for the whole process and is 128 KiB; an image in base64 is longer.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE_BYTES))
    # Strict, because otherwise a quote that is never closed would swallow all rows after it.
    reader = csv.reader(lines, strict=True)
    rows: list[Row] = []
    try:
        if not names:
            names = next(reader, [])
            _check_header(names, name)
        width = len(names)
        for row in reader:
            if len(row) == width:
                rows.append(dict(zip(names, row, strict=False)))
            elif row:
                raise _other_width(row, names, _where(reader, before, name))
            if len(rows) == TOGETHER:
                yield rows
                rows = []
    except csv.Error as error:
        yield rows
        msg = f"not CSV ({error})"
        remedy = 'Quotes inside a value are doubled (""), and lines end in LF or CRLF.'
        raise RequestError(msg, remedy, where=_where(reader, before, name)) from error
    except RequestError:
        yield rows
        raise
    yield rows


def _without_mark(chunks: Iterable[bytes]) -> Iterator[bytes]:
    head, chunks = b"", iter(chunks)
    for chunk in chunks:
        head += chunk
        if len(head) >= len(BOM):
            break
    yield head.removeprefix(BOM)
    yield from chunks


def _texts(chunks: Iterable[bytes], name: str, number: int) -> Iterator[str]:
    """Decode what stands after a number of line feeds."""
    decoder = _UTF8()
    try:
        for chunk in chunks:
            text = decoder.decode(chunk)
            number += text.count("\n")
            yield text
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        before = number + error.object[: error.start].count(b"\n")
        msg = f"it is not UTF-8: line {before + 1} of {name} has the byte 0x{error.object[error.start]:02x}"
        remedy = "Save it as UTF-8; Latin-1 and other encodings are not guessed."
        raise RequestError(msg, remedy, where=f"{name}, after line {before}") from error


def _lines(texts: Iterable[str]) -> Iterator[str]:
    """Split at line feeds only: other line ends may be part of a value."""
    rest: list[str] = []
    for text in texts:
        first, *others = text.split("\n")
        rest.append(first)
        if not others:
            continue
        yield "".join(rest) + "\n"
        rest = [others.pop()]
        for line in others:
            yield f"{line}\n"
    if last := "".join(rest):
        yield last


def _check_header(names: Sequence[str], name: str) -> None:
    if not names:
        msg = f"{name} has no header: the first line of a CSV file names the columns"
        raise InputError(msg)
    if twice := sorted({column for column in names if names.count(column) > 1}):
        msg = f"the header of {name} has the column {twice[0]!r} twice: give each a name of its own"
        raise InputError(msg)


def _other_width(row: Sequence[str], names: Sequence[str], where: str) -> RequestError:
    msg = f"{len(row)} columns, where the header has {len(names)} ({', '.join(map(repr, names))})"
    return RequestError(msg, 'Put a value that has a comma or a line break in "quotes".', where=where)


def _where(reader: Any, before: int, name: str) -> str:
    return f"line {before + reader.line_num} of {name}"
