"""Rows into a file, each request once. Bytes in, bytes out: no model is built for a row."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeAlias, TypeVar

from msgspec import Raw
from msgspec.json import Encoder
from pydantic_core import from_json, to_json

from airflow_provider_genai_batch.results.counting.row_counter import RowCounter
from airflow_provider_genai_batch.results.external_sort import in_order
from airflow_provider_genai_batch.results.sinks import Write
from airflow_provider_genai_batch.wire.answers.answer import PlainRow, Store, row_error, store_media

Validate: TypeAlias = Callable[[str], Any]
"""Takes an answer's text and returns the `output`; raises ValueError where it is not what was asked for."""
Carry: TypeAlias = Callable[[int], Mapping[str, Any]]
"""Gives columns of the input row at an index."""
Watch: TypeAlias = Callable[[Iterable[PlainRow]], Iterator[PlainRow]]
"""Sees rows, and passes them on."""

INVALID_OUTPUT = "INVALID_OUTPUT"
"""The error's `status` where an answer is not what was asked for."""
_LINES = 64
"""Written at a time."""
_BEYOND = (ValueError, OverflowError, TypeError)
"""What JSON has no word for, or its writer no room."""
_Item = TypeVar("_Item")
_encoder = Encoder()


def land(
    rounds: Sequence[Iterable[PlainRow]],
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
        rounds: the rows of each round of asking, in any order; a later round's row replaces an earlier one's. Where a
            good row came behind one that failed, `tally` is not sure, and all is to be landed again.
        tally: what to count into.
        write: takes the lines; None only counts, and lets `store` have its part.
        ordered: write in the order of the input; rows whose place in it is not known come last.
        validate: checks the text of each answer.
        carry: gives what the row takes along from its input row.
        watch: sees the rows that are landed, and passes them on.
        store: writes the pictures and sounds of the rows that are landed, see `wire.answers.answer.Store`.
    """
    plain = write is None and watch is None  # nobody needs outputs as JSON
    spelled = validate if validate is None or plain else _spelling(validate)
    rows = _counted(rounds, tally, spelled)
    if watch is not None:
        rows = watch(rows)
    if store is not None:
        rows = _with_files(rows, store)
    if write is None:
        for _ in rows:
            pass
        return
    if carry is not None:
        rows = _carrying(rows, carry)
    if ordered:
        with in_order((row["index"], spell(row)) for row in rows) as lines:
            for some in _batches(lines):
                write(b"\n".join([*some, b""]))
    else:
        for batch in _batches(rows):
            write(spell_lines(batch))


def spell(row: PlainRow) -> bytes:
    """Return a row as JSON, which has neither NaN nor half surrogate pairs."""
    try:
        return _encoder.encode(row)
    except _BEYOND:
        # Python's own JSON reader, which reads inline rows, lets more pass than there may be.
        data = json.dumps(row, ensure_ascii=False, default=_plain).encode(errors="replace")
        return to_json(from_json(data), inf_nan_mode="null")


def spell_lines(rows: Sequence[PlainRow]) -> bytes:
    """Return rows as lines."""
    try:
        return _encoder.encode_lines(rows)
    except _BEYOND:  # one of them
        return b"\n".join([*map(spell, rows), b""])


def _spelling(validate: Validate) -> Validate:
    """Let outputs be spelled at once, by who knows how: they may be models."""

    def check(text: str) -> Any:
        output = validate(text)
        try:
            return Raw(to_json(output, inf_nan_mode="null"))
        except ValueError:
            return output

    return check


def _plain(value: Any) -> Any:
    return from_json(bytes(value)) if isinstance(value, Raw) else str(value)


def _counted(
    rounds: Sequence[Iterable[PlainRow]], tally: RowCounter, validate: Validate | None
) -> Iterator[PlainRow]:
    """Give the rows that are to be landed."""
    take = tally.take_any if tally.reuses else tally.take
    for number in reversed(range(len(rounds))):
        tally.begin_round(number)
        rows = rounds[number]
        if validate is not None:
            rows = _validated(rows, validate)
        yield from filter(take, _numbered(rows, number) if number else rows)
    yield from tally.missing()


def _validated(rows: Iterable[PlainRow], validate: Validate) -> Iterator[PlainRow]:
    for row in rows:
        if row["status"] == "ok":
            _validate(row, validate)
        yield row


def _numbered(rows: Iterable[PlainRow], number: int) -> Iterator[PlainRow]:
    for row in rows:
        row["round"] = number
        yield row


def _validate(row: PlainRow, validate: Validate) -> None:
    wrong = "the answer has no text"
    if row["text"] is not None:
        try:
            row["output"] = validate(row["text"])
            return
        except ValueError as error:
            wrong = str(error)
    row["status"] = "invalid"
    row["error"] = row_error(wrong, status=INVALID_OUTPUT)


def _with_files(rows: Iterable[PlainRow], store: Store) -> Iterator[PlainRow]:
    for row in rows:
        if "media" in row:
            store_media(row, store)
        yield row


def _carrying(rows: Iterable[PlainRow], carry: Carry) -> Iterator[PlainRow]:
    for row in rows:
        index = row["index"]
        row["input"] = None if index is None else carry(index)
        yield row


def _batches(items: Iterable[_Item]) -> Iterator[list[_Item]]:
    items = iter(items)
    while some := list(islice(items, _LINES)):
        yield some
