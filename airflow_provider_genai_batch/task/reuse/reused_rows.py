"""Rows of earlier results as they land today, read many at a time where they have the usual fields."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET
from msgspec.json import Decoder

from airflow_provider_genai_batch.requests.line_types import WRONG
from airflow_provider_genai_batch.results.read import Piece
from airflow_provider_genai_batch.wire.answers.usual_rows import UsualRow, UsualRows, UsualTokens
from airflow_provider_genai_batch.wire.keys import stamped_indices

_usual = Decoder(UsualRow).decode_lines
_any = Decoder().decode_lines


def reused_rows(lines: bytes) -> Sequence[Piece]:
    """Read rows that were prepared to land today, see `task.reuse.find`."""
    try:
        rows = _usual(lines)
    except WRONG:  # one of them has other fields
        return _any(lines)
    if not all(row.status == "ok" and row.reused_from is not UNSET for row in rows):
        return _any(lines)
    keys = [row.key for row in rows]
    used = [row.usage for row in rows]
    tokens = UsualTokens(
        sum([one.input for one in used]),
        sum([one.output for one in used]),
        sum([one.cached for one in used]),
        sum([one.thoughts for one in used]),
        sum([one.total for one in used]),
    )
    return [UsualRows(rows, keys, stamped_indices(keys), tokens, longest=0, cut_off=0, paid=False)]
