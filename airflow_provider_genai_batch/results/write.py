"""Writes rows to a file, one per request. No model is built per row; usual rows are counted and written together."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, TypeAlias, TypeGuard, TypeVar

from msgspec import Raw
from msgspec.json import Encoder
from pydantic_core import from_json, to_json

from airflow_provider_genai_batch.exceptions import ConfigurationError
from airflow_provider_genai_batch.results.counting.row_counter import RowCounter
from airflow_provider_genai_batch.results.external_sort import in_order
from airflow_provider_genai_batch.results.read import Piece, each
from airflow_provider_genai_batch.results.sinks import Write, WritesRows
from airflow_provider_genai_batch.wire.answers.answer import PlainRow, Store, row_error, store_media
from airflow_provider_genai_batch.wire.answers.usual_rows import UsualRow, UsualRows
from airflow_provider_genai_batch.wire.schemas.output_type import AnswerCheck, spelled

Row: TypeAlias = PlainRow | UsualRow
Validate: TypeAlias = Callable[[str], Any]
"""Takes an answer's text and returns the `output`; raises ValueError if it does not match the requested output,
and ConfigurationError if the user's code fails."""
Carry: TypeAlias = Callable[[int], Mapping[str, Any]]
"""Returns the columns of the input row at an index."""
Watch: TypeAlias = Callable[[Iterable[PlainRow]], Iterator[PlainRow]]
"""Looks at rows and passes them on."""

INVALID_OUTPUT = "INVALID_OUTPUT"
"""The error's `status` if an answer does not match the requested output."""
_LINES = 64
"""Lines written at a time."""
_BEYOND = (ValueError, OverflowError, TypeError)
"""Errors for values that JSON or its writer cannot represent."""
_Item = TypeVar("_Item")
_encoder = Encoder()


def land(
    rounds: Sequence[Iterable[Piece]],
    tally: RowCounter,
    write: Write | None,
    *,
    ordered: bool = False,
    validate: Validate | None = None,
    carry: Carry | None = None,
    store: Store | None = None,
    watch: Watch | None = None,
) -> None:
    """Count rows into `tally` and write them as lines, then a row for each request that has none.

    Args:
        rounds: the rows of each round, in any order; a later round's row replaces an earlier one's. If a good row came
            after a failed one, `tally` is not sure, and all rows must be landed again.
        tally: what to count into.
        write: takes the lines; with None, rows are only counted and passed to `store`.
        ordered: write in the order of the input; rows whose place in it is not known come last.
        validate: checks the text of each answer.
        carry: returns the columns that a row copies from its input row.
        watch: looks at the landed rows and passes them on.
        store: writes the pictures and sounds of the landed rows, see `wire.answers.answer.Store`.
    """
    plain = write is None and watch is None  # then no one reads outputs as JSON
    check = validate if validate is None or plain else _spelling(validate)
    pieces = _counted(rounds, tally, check, store)
    if watch is not None:
        pieces = watch(each(pieces))
    if write is None:
        for _ in pieces:
            pass
        return
    some = _together(pieces)
    if carry is not None:
        some = _carrying(some, carry)
    if ordered:
        with in_order((_index(row), spell(row)) for row in chain.from_iterable(some)) as lines:
            for batch in _batches(lines):
                write(b"\n".join([*batch, b""]))
    else:
        columns = write if isinstance(write, WritesRows) else None
        for rows in some:
            if columns is not None and _are_usual(rows):
                columns.rows(rows)
            else:
                write(spell_lines(rows))


def spell(row: Row) -> bytes:
    """Return a row as JSON, without NaN and without half surrogate pairs."""
    try:
        return _encoder.encode(row)
    except _BEYOND:
        plain = row.plain() if isinstance(row, UsualRow) else row
        # Python's own JSON reader, which reads inline rows, accepts more than JSON allows.
        data = json.dumps(plain, ensure_ascii=False, default=_plain).encode(errors="replace")
        return to_json(from_json(data), inf_nan_mode="null")


def spell_lines(rows: Sequence[Row]) -> bytes:
    """Return rows as lines."""
    try:
        return _encoder.encode_lines(rows)
    except _BEYOND:  # one of the rows
        return b"\n".join([*map(spell, rows), b""])


def _spelling(validate: Validate) -> Validate:
    """Return a validator that returns the output already serialized, if possible in one step."""
    if isinstance(validate, AnswerCheck):
        return validate.spelled
    return lambda text: spelled(validate(text))


def _plain(value: Any) -> Any:
    return from_json(bytes(value)) if isinstance(value, Raw) else str(value)


def _counted(
    rounds: Sequence[Iterable[Piece]], tally: RowCounter, validate: Validate | None, store: Store | None
) -> Iterator[Piece]:
    """Yield the rows to land."""
    for number in reversed(range(len(rounds))):
        tally.begin_round(number)
        for piece in rounds[number]:
            if isinstance(piece, UsualRows):
                _prepare_usual(piece, number, validate)
                if tally.take_usual(piece):
                    yield piece
                    continue
                rows = piece.plain()
            else:
                _prepare(piece, number, validate)
                rows = [piece]
            yield from _taken(rows, tally, store)
    yield from tally.missing()


def _taken(rows: Iterable[PlainRow], tally: RowCounter, store: Store | None) -> Iterator[PlainRow]:
    take = tally.take_any if tally.reuses else tally.take
    for row in rows:
        if take(row):
            if store is not None:
                store_media(row, store)
            yield row


def _together(pieces: Iterable[Piece]) -> Iterator[Sequence[Row]]:
    """Yield rows, several at a time."""
    waiting: list[PlainRow] = []
    for piece in pieces:
        if not isinstance(piece, UsualRows):
            waiting.append(piece)
            if len(waiting) < _LINES:
                continue
        if waiting:
            yield waiting
            waiting = []
        if isinstance(piece, UsualRows):
            yield piece.rows
    if waiting:
        yield waiting


def _prepare(row: PlainRow, number: int, validate: Validate | None) -> None:
    if validate is not None and row["status"] == "ok":
        _validate(row, validate)
    if number:
        row["round"] = number


def _prepare_usual(rows: UsualRows, number: int, validate: Validate | None) -> None:
    if validate is not None:
        for at, row in enumerate(rows.rows):
            try:
                row.output = validate(row.text)
            except ValueError as error:
                row.status, row.error = "invalid", row_error(str(error), status=INVALID_OUTPUT)
                rows.failed.append(at)
            except ConfigurationError as error:
                error.add(f"It is the answer of the row {row.key!r}.")
                raise
    if number:
        for row in rows.rows:
            row.round = number


def _validate(row: PlainRow, validate: Validate) -> None:
    wrong = "the answer has no text"
    if row["text"] is not None:
        try:
            row["output"] = validate(row["text"])
            return
        except ValueError as error:
            wrong = str(error)
        except ConfigurationError as error:
            error.add(f"It is the answer of the row {row['key']!r}.")
            raise
    row["status"] = "invalid"
    row["error"] = row_error(wrong, status=INVALID_OUTPUT)


def _carrying(some: Iterable[Sequence[Row]], carry: Carry) -> Iterator[Sequence[Row]]:
    for rows in some:
        for row in rows:
            index = _index(row)
            columns = None if index is None else carry(index)
            if isinstance(row, UsualRow):
                row.input = columns
            else:
                row["input"] = columns
        yield rows


def _are_usual(rows: Sequence[Row]) -> TypeGuard[Sequence[UsualRow]]:
    """Whether the rows come from a piece of usual rows; other rows are grouped separately."""
    return isinstance(rows[0], UsualRow)


def _index(row: Row) -> int | None:
    return row.index if isinstance(row, UsualRow) else row["index"]


def _batches(items: Iterable[_Item]) -> Iterator[list[_Item]]:
    items = iter(items)
    while some := list(islice(items, _LINES)):
        yield some
