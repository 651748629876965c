"""Rows of CSV: UTF-8, commas, double quotes, the columns' names in the first line."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterable, Iterator

from airflow_provider_genai_batch.exceptions import InputError, RequestError
from airflow_provider_genai_batch.wire.catalog.limits import MAX_LINE_BYTES

_UTF8 = codecs.getincrementaldecoder("utf-8-sig")


def csv_rows(chunks: Iterable[bytes], name: str) -> Iterator[dict[str, str]]:
    """Yield rows as they come; blank lines are none.

    Args:
        chunks: the file in pieces, cut anywhere.
        name: of the file, for messages.

    Raises:
        RequestError: a line that has not the header's number of columns, or is not CSV; with its number.
        InputError: the header is missing, or has a name twice.
    """
    # The module's limit is for all of the process, and 128 KiB: an image in base64 is longer.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE_BYTES))
    # Strict, or a quote that is never closed would swallow all rows after it.
    reader = csv.reader(_lines(chunks, name), strict=True)
    try:
        names = next(reader, [])
        _check_header(names, name)
        width = len(names)
        for row in reader:
            if len(row) == width:
                yield dict(zip(names, row, strict=False))
            elif row:
                msg = f"{len(row)} columns, where the header has {width} ({', '.join(map(repr, names))})"
                raise RequestError(
                    msg,
                    'Put a value that has a comma or a line break in "quotes".',
                    where=_where(reader, name),
                )
    except csv.Error as error:
        msg = f"not CSV ({error})"
        remedy = 'Quotes inside a value are doubled (""), and lines end in LF or CRLF.'
        raise RequestError(msg, remedy, where=_where(reader, name)) from error


def _lines(chunks: Iterable[bytes], name: str) -> Iterator[str]:
    """Decode, and cut at line feeds alone: other line ends may be part of a value."""
    decoder, rest, number = _UTF8(), list[str](), 0
    try:
        for chunk in chunks:
            first, *others = decoder.decode(chunk).split("\n")
            rest.append(first)
            if not others:
                continue
            number += len(others)
            yield "".join(rest) + "\n"
            rest = [others.pop()]
            for line in others:
                yield f"{line}\n"
        rest.append(decoder.decode(b"", final=True))
    except UnicodeDecodeError as error:
        before = number + error.object[: error.start].count(b"\n")
        msg = f"it is not UTF-8: line {before + 1} of {name} has the byte 0x{error.object[error.start]:02x}"
        remedy = "Save it as UTF-8; Latin-1 and other encodings are not guessed."
        raise RequestError(msg, remedy, where=f"{name}, after line {before}") from error
    if last := "".join(rest):
        yield last


def _check_header(names: list[str], name: str) -> None:
    if not names:
        msg = f"{name} has no header: the first line of a CSV file names the columns"
        raise InputError(msg)
    if twice := sorted({column for column in names if names.count(column) > 1}):
        msg = f"the header of {name} has the column {twice[0]!r} twice: give each a name of its own"
        raise InputError(msg)


def _where(reader: object, name: str) -> str:
    return f"line {getattr(reader, 'line_num', 0)} of {name}"
