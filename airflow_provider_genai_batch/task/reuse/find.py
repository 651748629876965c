"""The search for requests that have an answer in earlier results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import BinaryIO

from airflow_provider_genai_batch.exceptions import InputError
from airflow_provider_genai_batch.results.keys.bitset import Bitset
from airflow_provider_genai_batch.results.keys.packed_map import PackedMap
from airflow_provider_genai_batch.results.write import spell_lines
from airflow_provider_genai_batch.task.inputs.ledger import RequestLedger
from airflow_provider_genai_batch.task.reuse.earlier import EarlierRow, unreadable
from airflow_provider_genai_batch.wire.answers.answer import PlainRow, plain_row

_CUT_OFF = frozenset(("MAX_TOKENS", "max_tokens", "length"))
"""Finish reasons of answers that were cut off at a limit of tokens, by family."""
_OF_ITS_NIGHT = ("round", "input", "same_as")
"""Fields of an earlier row that say nothing of its answer."""
_LINES = 64
"""Written at a time."""
_EMPTY = plain_row(None, "ok")
"""Has all that a row must have: another hand may have written the file."""


@dataclass(frozen=True)
class Wanted:
    """Which earlier rows are as good as an answer of today."""

    validate: Callable[[str], object] | None = None
    """Raises ValueError where a text is not what answers are to be today."""
    whole: bool = False
    """Answers that were cut off are not ``ok`` today."""
    with_response: bool = False
    """The service's own response is to land."""
    since: datetime | None = None
    """Answers that are older are asked again."""

    def not_before(self, since: datetime) -> Wanted:
        """Return the same, without answers that are older."""
        return replace(self, since=since)

    def is_fresh(self, row: EarlierRow) -> bool:
        """Whether an answer is not too old; one without a time is."""
        if self.since is None:
            return True
        at = row.answered_at
        if at is None:
            return False
        return (at if at.tzinfo else at.replace(tzinfo=timezone.utc)) >= self.since

    def takes(self, row: PlainRow) -> bool:
        """Whether an earlier row is as good as an answer of today."""
        if self.whole and row.get("finish_reason") in _CUT_OFF:
            return False
        if self.with_response and row.get("response") is None:
            return False
        if self.validate is None:
            return True
        try:
            self.validate(row["text"] or "")
        except ValueError:
            return False
        return True


@dataclass
class Reused:
    """Requests that have an answer, and the rows of these.

    Attributes:
        rows: where rows are written to, one a line, as they are to land today, but for columns.
        places: of the requests, in the input.
        unfit: earlier rows of today's requests that are not as good as an answer of today.
        by_uri: rows by where they were.
    """

    rows: BinaryIO
    places: Bitset = field(default_factory=Bitset)
    unfit: int = 0
    by_uri: Counter[str] = field(default_factory=Counter)
    count: int = 0

    def take(
        self, uri: str, rows: Iterable[EarlierRow], ledger: RequestLedger, asked: PackedMap, wanted: Wanted
    ) -> None:
        """Take from a file what today's requests ask.

        Args:
            uri: the file's.
            rows: its rows.
            ledger: of today's requests.
            asked: their digests, with where each stands in the ledger.
            wanted: which rows are good enough.
        """
        found: list[PlainRow] = []
        for earlier in rows:
            if self.count == ledger.rows:
                break
            offsets = asked.get(earlier.asked)
            if not offsets or not wanted.is_fresh(earlier):
                continue
            entries = [
                entry
                for entry in map(ledger.at, offsets)
                if entry.digest == earlier.asked and entry.place not in self.places
            ]
            if not entries or (row := self._as_of_today(uri, earlier, wanted)) is None:
                continue
            for number, entry in enumerate(entries):
                one = {**row} if number else row
                one["key"], one["index"] = entry.key, entry.place
                found.append(one)
                self.places.add(entry.place)
            self.count += len(entries)
            if len(found) >= _LINES:
                self._write(uri, found)
                found = []
        self._write(uri, found)

    def _as_of_today(self, uri: str, earlier: EarlierRow, wanted: Wanted) -> PlainRow | None:
        """Return an earlier row as it is to land, but for its key; None: it is not good enough.

        Raises:
            InputError: it is no row.
        """
        try:
            row = {**_EMPTY, **earlier.read(earlier.stored)}
        except ValueError as error:
            raise InputError(unreadable(uri, f"one of its rows is none: {error}")) from error
        if not wanted.takes(row):
            self.unfit += 1
            return None
        for name in _OF_ITS_NIGHT if wanted.with_response else (*_OF_ITS_NIGHT, "response"):
            row.pop(name, None)
        row["reused_from"], row["asked"] = uri, earlier.asked.hex()
        return row

    def _write(self, uri: str, rows: list[PlainRow]) -> None:
        if rows:
            self.rows.write(spell_lines(rows))
            self.by_uri[uri] += len(rows)
