"""The search for requests that have an answer in earlier results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import BinaryIO

from msgspec import UNSET, to_builtins
from msgspec.json import Encoder

from airflow_provider_genai_batch.exceptions import InputError
from airflow_provider_genai_batch.requests.request_digest import DIGEST_BYTES
from airflow_provider_genai_batch.results.keys.bitset import Bitset
from airflow_provider_genai_batch.results.keys.packed_map import PackedMap
from airflow_provider_genai_batch.results.write import spell_lines
from airflow_provider_genai_batch.task.inputs.ledger import Entry, RequestLedger
from airflow_provider_genai_batch.task.reuse.earlier import unreadable
from airflow_provider_genai_batch.task.reuse.stored_rows import StoredRow, StoredRows
from airflow_provider_genai_batch.wire.answers.answer import PlainRow, plain_row

_CUT_OFF = frozenset(("MAX_TOKENS", "max_tokens", "length"))
"""Finish reasons of answers that were cut off at a limit of tokens, by family."""
_OF_ITS_NIGHT = ("round", "input", "same_as")
"""Fields of an earlier row that say nothing of its answer."""
_encode = Encoder().encode_lines
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

    def is_fresh(self, at: datetime | None) -> bool:
        """Whether an answer of that time is not too old; one without a time is."""
        if self.since is None:
            return True
        return at is not None and (at if at.tzinfo else at.replace(tzinfo=timezone.utc)) >= self.since

    @property
    def takes_any(self) -> bool:
        """Whether all that is fresh is good enough."""
        return self.validate is None and not (self.whole or self.with_response)

    def takes(self, row: StoredRow | PlainRow) -> bool:
        """Whether an earlier row is as good as an answer of today."""
        if isinstance(row, StoredRow):
            reason, text, response = row.finish_reason, row.text, row.response or None
        else:
            reason, text, response = row.get("finish_reason"), row.get("text"), row.get("response")
        if (self.whole and reason in _CUT_OFF) or (self.with_response and response is None):
            return False
        if self.validate is None:
            return True
        try:
            self.validate(text or "")
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
        self, uri: str, rows: Iterable[StoredRows], ledger: RequestLedger, asked: PackedMap, wanted: Wanted
    ) -> None:
        """Take from a file what today's requests ask.

        Args:
            uri: the file's.
            rows: its rows.
            ledger: of today's requests.
            asked: their digests, with where each stands in the ledger.
            wanted: which rows are good enough.

        Raises:
            InputError: one that is wanted is no row.
        """
        for some in rows:
            if self.count == ledger.rows:
                break
            numbers, entries = self._found(uri, some, ledger, asked, wanted)
            if not numbers:
                continue
            try:
                read = some.read(numbers)
            except ValueError as error:
                raise InputError(unreadable(uri, f"one of its rows is none: {error}")) from error
            self._write(uri, self._as_of_today(uri, read, entries, wanted))

    def _found(
        self, uri: str, some: StoredRows, ledger: RequestLedger, asked: PackedMap, wanted: Wanted
    ) -> tuple[list[int], list[Entry]]:
        """Return numbers of rows, and for each a request of today that it answers: a row may be there again."""
        numbers, entries = [], []
        digests, at, since = some.asked, ledger.at, wanted.since
        answered = self.places if self.by_uri.keys() - {uri} else ()
        for number, offsets in asked.found(digests):
            if since is not None and not wanted.is_fresh(some.answered_at(number)):
                continue
            digest = digests[number * DIGEST_BYTES : (number + 1) * DIGEST_BYTES]
            for offset in offsets:
                entry = at(offset)
                if entry.digest == digest and entry.place not in answered:
                    numbers.append(number)
                    entries.append(entry)
        return numbers, entries

    def _as_of_today(
        self, uri: str, rows: Iterable[StoredRow | PlainRow], entries: Iterable[Entry], wanted: Wanted
    ) -> list[StoredRow | PlainRow]:
        """Return rows as they are to land, but for columns."""
        today: list[StoredRow | PlainRow] = []
        any_will_do, with_response, add = wanted.takes_any, wanted.with_response, self.places.add
        before = None
        for row, entry in zip(rows, entries, strict=True):
            if not any_will_do and not wanted.takes(row):
                self.unfit += 1
                continue
            if not add(entry.place):  # a row before this one has it
                continue
            if not isinstance(row, StoredRow):
                today.append(_as_of_today(row, uri, entry, with_response))
                continue
            one = copy(row) if row is before else row
            before = row
            one.key, one.index, one.reused_from = entry.key, entry.place, uri
            one.round = one.input = one.same_as = UNSET  # they say nothing of its answer
            if not with_response:
                one.response = UNSET
            today.append(one)
        return today

    def _write(self, uri: str, rows: list[StoredRow | PlainRow]) -> None:
        if rows:
            self.rows.write(_spelled(rows))
            self.by_uri[uri] += len(rows)
            self.count += len(rows)


def _spelled(rows: Sequence[StoredRow | PlainRow]) -> bytes:
    try:
        return _encode(rows)
    except (ValueError, OverflowError, TypeError):  # a whole number of more than eight bytes, say
        return spell_lines([to_builtins(row) for row in rows])


def _as_of_today(row: PlainRow, uri: str, entry: Entry, with_response: bool) -> PlainRow:
    left_out = _OF_ITS_NIGHT if with_response else (*_OF_ITS_NIGHT, "response")
    kept = {name: value for name, value in row.items() if name not in left_out}
    own = {"key": entry.key, "index": entry.place, "reused_from": uri, "asked": entry.digest.hex()}
    return {**_EMPTY, **kept, **own}
