"""Searches earlier results for answers to today's requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import BinaryIO

from msgspec import UNSET, to_builtins
from msgspec.json import Encoder
from pydantic_core import to_json

from airflow_provider_genai_batch.exceptions import InputError
from airflow_provider_genai_batch.requests.request_digest import DIGEST_BYTES
from airflow_provider_genai_batch.results.keys.bitset import Bitset
from airflow_provider_genai_batch.results.keys.packed_map import PackedMap
from airflow_provider_genai_batch.results.write import spell_lines
from airflow_provider_genai_batch.task.inputs.ledger import Entry, RequestLedger
from airflow_provider_genai_batch.task.reuse.earlier import unreadable
from airflow_provider_genai_batch.task.reuse.stored_rows import StoredRow, StoredRows
from airflow_provider_genai_batch.wire.answers import chat, claude, gemini
from airflow_provider_genai_batch.wire.answers.answer import Finish, PlainRow, plain_row

_FINISHES = (gemini.FINISH, claude.FINISH, chat.FINISH)
_CUT_OFF = frozenset(said for one in _FINISHES for said, finish in one.items() if finish is Finish.CUT_OFF)
"""Finish reasons of answers that were cut off at a token limit; each family of models has its own."""
_OF_ITS_NIGHT = ("round", "input", "same_as")
"""Fields of an earlier row that belong to its own run, not to its answer."""
_encode = Encoder().encode_lines
_EMPTY = plain_row(None, "ok")
"""A row with all required fields, for files that another program has written."""


@dataclass(frozen=True)
class Wanted:
    """Which earlier rows are as good as an answer of today's run."""

    validate: Callable[[str], object] | None = None
    """Raises ValueError if a text does not have today's answer type."""
    whole: bool = False
    """Whether answers that were cut off are refused."""
    with_response: bool = False
    """Whether rows need the service's whole response."""
    with_media: bool = False
    """Whether rows are refused if their response has pictures or sound and they name no file of them."""
    since: datetime | None = None
    """The oldest time of an answer that is used; None: any age."""

    def not_before(self, since: datetime) -> Wanted:
        """Return a copy that also refuses answers older than this."""
        return replace(self, since=since)

    def is_fresh(self, at: datetime | None) -> bool:
        """Whether an answer of this time is not too old. If there is an age limit, one without a time is too old."""
        if self.since is None:
            return True
        return at is not None and (at if at.tzinfo else at.replace(tzinfo=timezone.utc)) >= self.since

    @property
    def takes_any(self) -> bool:
        """Whether every row that is not too old is good enough."""
        return self.validate is None and not (self.whole or self.with_response or self.with_media)

    def takes(self, row: StoredRow | PlainRow) -> bool:
        """Whether an earlier row is good enough, apart from its age."""
        media = None  # rows with media are not usual
        if isinstance(row, StoredRow):
            reason, text, response = row.finish_reason, row.text, row.response or None
        else:
            reason, text, response = row.get("finish_reason"), row.get("text"), row.get("response")
            media = row.get("media")
        if (self.whole and reason in _CUT_OFF) or (self.with_response and response is None):
            return False
        if self.with_media and not media and b'"inlineData"' in to_json(response):
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
    """Requests that earlier results answer, and the rows of the answers.

    Attributes:
        rows: the file for the rows, one per line, as they will land today, but without the columns of the input.
        places: positions of the requests in the input.
        unfit: the number of earlier rows that match today's requests but are not good enough.
        by_uri: the number of rows by the address of their file.
    """

    rows: BinaryIO
    places: Bitset = field(default_factory=Bitset)
    unfit: int = 0
    by_uri: Counter[str] = field(default_factory=Counter)
    count: int = 0

    def take(
        self, uri: str, rows: Iterable[StoredRows], ledger: RequestLedger, asked: PackedMap, wanted: Wanted
    ) -> None:
        """Take the rows of a file that answer today's requests.

        Args:
            uri: the address of the file.
            rows: the rows of the file.
            ledger: the ledger of today's requests.
            asked: the offsets in the ledger by request digest.
            wanted: which rows are good enough.

        Raises:
            InputError: a row that would be used is not valid.
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
        """Return numbers of rows, and the request that each answers. A row that answers several is there repeatedly."""
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
        """Return rows as they will land today, but without the columns of the input."""
        today: list[StoredRow | PlainRow] = []
        any_will_do, with_response, add = wanted.takes_any, wanted.with_response, self.places.add
        before = None
        for row, entry in zip(rows, entries, strict=True):
            if not any_will_do and not wanted.takes(row):
                self.unfit += 1
                continue
            if not add(entry.place):  # an earlier row answers it already
                continue
            if not isinstance(row, StoredRow):
                today.append(_as_of_today(row, uri, entry, with_response))
                continue
            one = copy(row) if row is before else row
            before = row
            one.key, one.index, one.reused_from = entry.key, entry.place, uri
            one.round = one.input = one.same_as = UNSET  # they belong to its own run
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
    except (ValueError, OverflowError, TypeError):  # for example an integer of more than eight bytes
        return spell_lines([to_builtins(row) for row in rows])


def _as_of_today(row: PlainRow, uri: str, entry: Entry, with_response: bool) -> PlainRow:
    left_out = _OF_ITS_NIGHT if with_response else (*_OF_ITS_NIGHT, "response")
    kept = {name: value for name, value in row.items() if name not in left_out}
    own = {"key": entry.key, "index": entry.place, "reused_from": uri, "asked": entry.digest.hex()}
    return {**_EMPTY, **kept, **own}
