"""Usual rows, many at a time: typed, counted as they are made, and written without conversion.

`wire.answers.fast_results` defines which rows are usual. `plain` returns the same rows that any other reader makes of
the lines, for code that handles rows one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from airflow_provider_genai_batch.wire.answers.answer import PlainRow


class UsualTokens(Struct, forbid_unknown_fields=True, gc=False):
    """The tokens of a usual row; see `wire.answers.answer.tokens`."""

    input: int
    output: int
    cached: int
    thoughts: int
    total: int


class UsualRow(Struct, forbid_unknown_fields=True, gc=False):
    """A row with one text: the fields of `PlainRow` in the same order. Unset fields are not written.

    The last three are set in tasks with ``reuse`` or ``dedupe``, see `models.ResultRow`.
    """

    key: str
    index: int | None
    status: str
    text: str
    output: Any
    error: dict[str, Any] | None
    finish_reason: str
    usage: UsualTokens
    model_version: str
    parts: list[dict[str, Any]] | UnsetType = UNSET
    tier: str | UnsetType = UNSET
    round: int | UnsetType = UNSET
    input: Any = UNSET
    asked: str | UnsetType | None = UNSET
    answered_at: str | UnsetType | None = UNSET
    reused_from: str | UnsetType | None = UNSET

    def plain(self) -> PlainRow:
        """Return it as a dict."""
        usage = self.usage
        row: PlainRow = {
            "key": self.key,
            "index": self.index,
            "status": self.status,
            "text": self.text,
            "output": self.output,
            "error": self.error,
            "finish_reason": self.finish_reason,
            "usage": {
                "input": usage.input,
                "output": usage.output,
                "cached": usage.cached,
                "thoughts": usage.thoughts,
                "total": usage.total,
            },
            "model_version": self.model_version,
        }
        for name in OPTIONAL:
            if (value := getattr(self, name)) is not UNSET:
                row[name] = value
        return row


OPTIONAL = ("parts", "tier", "round", "input", "asked", "answered_at", "reused_from")
"""Fields that may be unset."""


@dataclass(slots=True)
class UsualRows:
    """Consecutive rows.

    Attributes:
        rows: in order.
        keys: the rows' keys.
        indices: the indices that the keys spell.
        tokens: the sums over all rows.
        longest: the largest number of prompt tokens in a row.
        cut_off: how many answers reached a token limit; all others are whole.
        failed: positions in `rows` of those that are not ``ok``, because their text does not fit the output type.
        paid: whether they come from a job of this run; if not, from earlier results.
    """

    rows: list[UsualRow]
    keys: list[str]
    indices: Sequence[int | None]
    tokens: UsualTokens
    longest: int
    cut_off: int
    failed: list[int] = field(default_factory=list)
    paid: bool = True

    def place(self, places: Sequence[int | None]) -> None:
        """Set the places of the requests in the input."""
        if places != self.indices:
            self.indices = places
            for row, place in zip(self.rows, places, strict=True):
                row.index = place

    def plain(self) -> list[PlainRow]:
        """Return them as dicts."""
        return [row.plain() for row in self.rows]
