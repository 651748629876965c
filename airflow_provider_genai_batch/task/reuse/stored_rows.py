"""Rows in a file of earlier results: the request digests are read first, whole rows only if they are wanted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, BinaryIO, Protocol, TypeAlias

from msgspec import UNSET, Struct, UnsetType
from msgspec.json import Decoder
from pydantic import ValidationError

from airflow_provider_genai_batch.models import ResultRow
from airflow_provider_genai_batch.requests.line_types import WRONG
from airflow_provider_genai_batch.requests.request_digest import DIGEST_BYTES
from airflow_provider_genai_batch.results.read_back import columns_as_rows
from airflow_provider_genai_batch.wire.answers.answer import PlainRow
from airflow_provider_genai_batch.wire.lines.framing import line_feeds

_CHUNK = 128 * 1024
_TOGETHER = 256
"""How many rows of a Parquet file are read at a time."""
_HEX = 2 * DIGEST_BYTES
_NO_DIGEST = bytes(DIGEST_BYTES)
"""The digest of rows that cannot be used again; no request has it."""
_Optional: TypeAlias = str | UnsetType | None


class _Head(Struct, gc=False):
    status: str
    asked: str | None = None
    answered_at: datetime | None = None


class _Usage(Struct, forbid_unknown_fields=True, gc=False):
    input: int | UnsetType = UNSET
    output: int | UnsetType = UNSET
    cached: int | UnsetType = UNSET
    thoughts: int | UnsetType = UNSET
    total: int | UnsetType = UNSET
    tool_use: int | UnsetType = UNSET


class _Error(Struct, forbid_unknown_fields=True, gc=False):
    code: int | UnsetType | None = UNSET
    status: str | UnsetType = UNSET
    message: str | UnsetType = UNSET


class StoredRow(Struct, forbid_unknown_fields=True, gc=False):
    """A row with the usual fields. `ResultRow` checks rows with other fields, at ten times the cost.

    It is written again as a row of today's run, so fields that every row has are never left out.
    """

    key: str | None
    status: str
    index: int | None = None
    text: str | None = None
    output: Any = None
    error: _Error | None = None
    finish_reason: str | None = None
    usage: _Usage | None = None
    model_version: str | None = None
    tier: _Optional = UNSET
    response: dict[str, Any] | UnsetType | None = UNSET
    round: int | UnsetType = UNSET
    input: dict[str, Any] | UnsetType | None = UNSET
    asked: str | None = None
    answered_at: datetime | UnsetType | None = UNSET
    reused_from: _Optional = UNSET
    same_as: _Optional = UNSET


_heads = Decoder(_Head).decode_lines
_usual = Decoder(StoredRow).decode_lines
_decode = Decoder().decode


class StoredRows(Protocol):
    """Some rows of a file, in order."""

    count: int
    """The number of rows."""
    asked: bytes
    """The request digest of each row, 16 bytes each; zeros if the row cannot be used again."""

    def answered_at(self, number: int) -> datetime | None:
        """Return the time of a row's answer; None if it is not known."""
        ...

    def read(self, numbers: Sequence[int]) -> Sequence[StoredRow | PlainRow]:
        """Read whole rows.

        Raises:
            ValueError: one is not a valid row.
        """
        ...


class _Lines:
    """Rows of a file of JSON lines.

    Args:
        data: whole lines.
        whole: whether to read whole rows at once, because most of the lines before were wanted.
    """

    def __init__(self, data: bytes, whole: bool) -> None:
        self._data, self._rows = data, _all_usual(data) if whole else None
        self.wanted = 0
        heads: Sequence[_Head | StoredRow] = _heads(data) if self._rows is None else self._rows
        self.count, self._heads = len(heads), heads
        if self.count != line_feeds(data) + (not data.endswith(b"\n")):
            msg = "rows and lines are not the same"
            raise ValueError(msg)
        self.asked = _digests([head.asked if head.status == "ok" else None for head in heads])

    def answered_at(self, number: int) -> datetime | None:
        return self._heads[number].answered_at or None

    def read(self, numbers: Sequence[int]) -> Sequence[StoredRow | PlainRow]:
        rows, self.wanted = self._rows, len(numbers)
        if rows is not None:
            return rows if numbers == [*range(self.count)] else [rows[number] for number in numbers]
        lines = self._data.split(b"\n")
        wanted = [lines[number] for number in numbers]
        return _all_usual(b"\n".join(wanted)) or [_row(line) for line in wanted]


class _Columns:
    """Rows of a Parquet file."""

    def __init__(self, rows: Sequence[dict[str, Any]]) -> None:
        self.count, self._rows = len(rows), rows
        if not all(map(_are_columns, rows)):
            msg = "its columns are not those of rows"
            raise ValueError(msg)
        self.asked = _digests([row.get("asked") if row["status"] == "ok" else None for row in rows])

    def answered_at(self, number: int) -> datetime | None:
        at: datetime | None = self._rows[number].get("answered_at")
        return at

    def read(self, numbers: Sequence[int]) -> Sequence[StoredRow | PlainRow]:
        return [_checked(self._rows[number]).model_dump(mode="json") for number in numbers]


def rows_of_lines(stream: BinaryIO) -> Iterator[StoredRows]:
    """Yield the rows of a file of JSON lines.

    Raises:
        ValueError: its lines are not valid rows.
    """
    left, whole = b"", False
    while chunk := stream.read(_CHUNK):
        data, newline, rest = (left + chunk).rpartition(b"\n")
        left = rest
        if newline:
            some = _Lines(data, whole)
            yield some
            whole = 2 * some.wanted > some.count
    if left:
        yield _Lines(left, whole)


def rows_of_columns(stream: BinaryIO) -> Iterator[StoredRows]:
    """Yield the rows of a Parquet file.

    Raises:
        ValueError: its columns are not those of rows.
    """
    rows = columns_as_rows(stream)
    while some := [*islice(rows, _TOGETHER)]:
        yield _Columns(some)


def _are_columns(row: dict[str, Any]) -> bool:
    """Whether the values that are read before whole rows have the right types."""
    asked, at = row.get("asked"), row.get("answered_at")
    return "status" in row and isinstance(asked, str | None) and isinstance(at, datetime | None)


def _digests(asked: list[str | None]) -> bytes:
    try:
        together = "".join(asked)  # type: ignore[arg-type]  # faster if all have one
    except TypeError:
        together = ""
    if len(together) == _HEX * len(asked) and {*map(len, asked)} == {_HEX}:  # type: ignore[arg-type]
        return bytes.fromhex(together)
    return b"".join([_digest(one) for one in asked])


def _digest(asked: str | None) -> bytes:
    found = bytes.fromhex(asked or "")
    return found if len(found) == DIGEST_BYTES else _NO_DIGEST


def _all_usual(data: bytes) -> list[StoredRow] | None:
    """Read lines if all have the usual fields; None if one does not."""
    try:
        return _usual(data)
    except WRONG:
        return None


def _row(line: bytes) -> PlainRow:
    row: PlainRow = _decode(line)
    _checked(row)
    return row


def _checked(row: dict[str, Any]) -> ResultRow:
    try:
        return ResultRow.model_validate(row)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False, include_context=False)[:3]
        msg = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'row'}: {one['msg']}" for one in wrong)
        raise ValueError(msg) from error
