"""Rows into a file, each request once. Bytes in, bytes out: no model is built for a row."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeAlias

from msgspec import Raw
from msgspec.json import Encoder
from pydantic_core import from_json, to_json

from airflow_provider_genai_batch.rows.order import in_order
from airflow_provider_genai_batch.rows.sinks import Write
from airflow_provider_genai_batch.rows.tally import Tally
from airflow_provider_genai_batch.wire.results import PlainRow, invalid_error

Validate: TypeAlias = Callable[[str], Any]
"""Takes an answer's text and returns the `output`; raises ValueError where it is not what was asked for."""
Carry: TypeAlias = Callable[[int], Mapping[str, Any]]
"""Gives columns of the input row at an index."""

INVALID_OUTPUT = "INVALID_OUTPUT"
"""The error's `status` where an answer is not what was asked for."""
_LINES = 64
_FIELDS = 9
"""Of a row that has only those that every row has."""
_ANYTHING = ("output", "response", "input")
_encode = Encoder().encode


def land(
    rounds: Sequence[Iterable[PlainRow]],
    tally: Tally,
    write: Write | None,
    *,
    ordered: bool = False,
    validate: Validate | None = None,
    carry: Carry | None = None,
) -> None:
    """Count rows into `tally` and write them as lines, then a row for each request that has none.

    Args:
        rounds: the rows of each round of asking, in any order; a later round's row replaces an earlier one's.
        tally: what to count into.
        write: takes the lines; None only counts.
        ordered: write in the order of the input; rows whose place in it is not known come last.
        validate: checks the text of each answer.
        carry: gives what the row takes along from its input row.
    """
    rows = _counted(rounds, tally, validate)
    if write is None:
        for _ in rows:
            pass
        return
    if carry is not None:
        rows = _carrying(rows, carry)
    if ordered:
        with in_order((row["index"], spell(row)) for row in rows) as lines:
            _write(lines, write)
    else:
        _write(map(spell, rows), write)


def spell(row: PlainRow) -> bytes:
    """Return a row as JSON, which has neither NaN nor half surrogate pairs."""
    try:
        if row["output"] is None and len(row) == _FIELDS:
            return _encode(row)
        anything = {name: _spelled(row[name]) for name in _ANYTHING if row.get(name) is not None}
        return _encode({**row, **anything})
    except (ValueError, OverflowError):
        # Python's own JSON reader, which reads inline rows, lets more pass than there may be.
        data = json.dumps(row, ensure_ascii=False, default=str).encode(errors="replace")
        return to_json(from_json(data), inf_nan_mode="null")


def _spelled(value: Any) -> Raw:
    """Spell what may be anything, a model of the user's above all."""
    return Raw(to_json(value, inf_nan_mode="null"))


def _counted(
    rounds: Sequence[Iterable[PlainRow]], tally: Tally, validate: Validate | None
) -> Iterator[PlainRow]:
    """Give the rows that are to be landed."""
    take = tally.take
    for number in reversed(range(len(rounds))):
        tally.begin_round(number)
        for row in rounds[number]:
            if validate is not None and row["status"] == "ok":
                _validate(row, validate)
            if number:
                row["round"] = number
            if take(row):
                yield row
    yield from tally.missing()


def _validate(row: PlainRow, validate: Validate) -> None:
    wrong = "the answer has no text"
    if row["text"] is not None:
        try:
            row["output"] = validate(row["text"])
            return
        except ValueError as error:
            wrong = str(error)
    row["status"] = "invalid"
    row["error"] = invalid_error(INVALID_OUTPUT, wrong)


def _carrying(rows: Iterable[PlainRow], carry: Carry) -> Iterator[PlainRow]:
    for row in rows:
        index = row["index"]
        row["input"] = None if index is None else carry(index)
        yield row


def _write(lines: Iterable[bytes], write: Write) -> None:
    """Write some lines at a time."""
    lines = iter(lines)
    while some := list(islice(lines, _LINES)):
        some.append(b"")
        write(b"\n".join(some))
