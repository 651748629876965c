"""Which requests of an input already have an answer, and which are equal to another one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import groupby, islice
from typing import BinaryIO

from msgspec import UNSET, Struct
from msgspec.json import Decoder

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.exceptions import UnsupportedError
from airflow_provider_genai_batch.flows.queue import short
from airflow_provider_genai_batch.models import BatchJob, Plan
from airflow_provider_genai_batch.models.manifest.plan import with_reuse
from airflow_provider_genai_batch.results.keys.bitset import Bitset
from airflow_provider_genai_batch.results.keys.packed_map import PackedMap
from airflow_provider_genai_batch.results.read import Piece
from airflow_provider_genai_batch.task.inputs.ledger import Entry, RequestLedger
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.task.inputs.subset import subset
from airflow_provider_genai_batch.task.reuse.reused_rows import reused_rows
from airflow_provider_genai_batch.wire.answers.answer import PlainRow
from airflow_provider_genai_batch.wire.answers.usual_rows import UsualRows
from airflow_provider_genai_batch.wire.keys import key_digest

_LINES = 256
"""Rows that are read at a time."""


class _Placed(Struct, gc=False):
    index: int


_places = Decoder(_Placed).decode_lines


@dataclass
class AtHand:
    """The requests of an input that need no job, because an answer exists or an equal request is sent.

    Attributes:
        ledger: the ledger of all requests.
        rows: a file with the rows of earlier results that answer requests: one per line, with today's keys.
        places: the positions of these requests in the input.
        found_anew: whether this attempt has searched: no earlier attempt left the result of a search, or it is gone.
        dedupe: whether equal requests are sent once.
        other_models: short names of models that may answer instead of the task's own (fallbacks). Their answers are not
            marked for reuse, because the requests ask for the task's model.
        same: positions of requests that are equal to an earlier one in the input. Only that one is sent.
    """

    stack: ExitStack
    ledger: RequestLedger
    rows: BinaryIO
    places: Bitset = field(default_factory=Bitset)
    same: Bitset = field(default_factory=Bitset)
    found_anew: bool = False
    dedupe: bool = False
    other_models: frozenset[str] = frozenset()
    _asked: Bitset = field(default_factory=Bitset)
    """Positions of requests whose answers also serve equal requests."""
    _digests: PackedMap | None = None
    _keys: PackedMap | None = None

    @property
    def left(self) -> int:
        """The number of requests that have to be sent."""
        return self.ledger.rows - len(self.places) - len(self.same)

    def digests(self) -> PackedMap:
        """Return the offsets in the ledger by digest."""
        if self._digests is None:
            self._digests = self.stack.enter_context(PackedMap())
            self._digests.add_all(self.ledger.digests())
        return self._digests

    @property
    def repeats(self) -> int | None:
        """The number of requests that are equal to another; None if that is not known without a search."""
        return None if self._digests is None else self._digests.repeats

    def read_places(self) -> None:
        """Set `places` from the rows."""
        self.rows.seek(0)
        while some := [*islice(self.rows, _LINES)]:
            for row in _places(b"".join(some)):
                self.places.add(row.index)

    def find_equal(self) -> int:
        """Find equal requests; return how many need not be sent because of that."""
        for _, group in groupby(self.digests(), key=lambda record: record[0]):
            offsets = [offset for _, offset in group]
            if len(offsets) > 1:
                self._find_equal([self.ledger.at(offset) for offset in offsets])
        return len(self.same)

    def _find_equal(self, entries: list[Entry]) -> None:
        first: dict[bytes, int] = {}
        for entry in entries:  # in the order of the input
            if entry.place in self.places:
                continue
            asked = first.setdefault(entry.digest, entry.place)
            if asked != entry.place:
                self.same.add(entry.place)
                self._asked.add(asked)

    def in_plan(self, plan: Plan | None) -> Plan | None:
        """Return a plan with the numbers of reused and equal requests; an empty plan if nothing is left to send."""
        return with_reuse(plan, left=self.left, reused=len(self.places), same=len(self.same))

    def rest(self, prepared: PreparedInput) -> PreparedInput | None:
        """Return an input with the requests that have to be sent; None if there are none."""
        if not self.left:
            return None
        if self.left == self.ledger.rows:
            return prepared
        found = subset(
            prepared, lambda _key, _place: True, lambda place: place in self.places or place in self.same
        )
        assert found is not None  # noqa: S101 - `check_can_be_reduced` has made sure
        return replace(found, reduced=True)

    # ------------------------------------------------------------ landing

    def earlier(self) -> Iterator[Piece]:
        """Yield the rows of earlier results that answer requests."""
        self.rows.seek(0)
        while some := [*islice(self.rows, _LINES)]:
            yield from reused_rows(b"".join(some))

    def completed(self, job: BatchJob, pieces: Iterator[Piece]) -> Iterator[Piece]:
        """Yield a job's rows with the request digest and the time of the answer, and a copy for each equal request."""
        at = job.end_time.isoformat() if job.end_time else clock.now().isoformat()
        answered_at = at.replace("+00:00", "Z")
        own_model = short(job.model) not in self.other_models
        for piece in pieces:
            if isinstance(piece, UsualRows):
                entries = [*map(self._entry, piece.keys, piece.indices)]
                for one, entry in zip(piece.rows, entries, strict=True):
                    if entry is not None:
                        one.asked = entry.digest.hex() if own_model else UNSET
                        one.answered_at = answered_at
                if not any(entry and entry.place in self._asked for entry in entries):
                    yield piece
                    continue
                rows = piece.plain()
            else:
                entry = None if piece["key"] is None else self._entry(piece["key"], piece["index"])
                if entry is not None:
                    if own_model:
                        piece["asked"] = entry.digest.hex()
                    piece["answered_at"] = answered_at
                rows, entries = [piece], [entry]
            for row, entry in zip(rows, entries, strict=True):
                yield row
                if entry is not None and entry.place in self._asked:
                    yield from self._copies(row, entry)

    def _copies(self, row: PlainRow, asked: Entry) -> Iterator[PlainRow]:
        """Yield the rows of the requests that are equal to the one of a row."""
        for other in self._equal(asked):
            copy = {**row, "key": other.key, "index": other.place, "same_as": row["key"]}
            copy.pop("input", None)
            yield copy

    def _entry(self, key: str, index: int | None) -> Entry | None:
        entry = self.ledger.next()  # rows often come in the input's order
        if entry is not None and entry.key == key:
            return entry
        if index is not None and (entry := self.ledger.at_place(index)) is not None and entry.key == key:
            return entry
        if self._keys is None:
            self._keys = self.stack.enter_context(PackedMap())
            self._keys.add_all((_of_key(entry.key), offset) for offset, entry in self.ledger)
        for offset in self._keys.get(_of_key(key)):
            if (entry := self.ledger.at(offset)).key == key:
                return entry
        return None

    def _equal(self, asked: Entry) -> Iterator[Entry]:
        for offset in self.digests().get(asked.digest):
            entry = self.ledger.at(offset)
            if entry.digest == asked.digest and entry.place in self.same:
                yield entry


def check_can_be_reduced(prepared: PreparedInput, given: str) -> None:
    """Refuse an input from which requests cannot be left out.

    Raises:
        UnsupportedError: the requests cannot be read here, or have no keys.
    """
    if not prepared.readable:
        msg = (
            f"{given} needs requests that are read here, and the service alone reads these. Give a file, a list, or "
            "objects that the connection can read, or leave it out. Nothing was sent and nothing is billed."
        )
        raise UnsupportedError(msg)
    if not prepared.keyed:
        msg = (
            f"{given} needs rows that have a key, and this model's have none: take another model, or leave it out. "
            "Nothing was sent and nothing is billed."
        )
        raise UnsupportedError(msg)


def _of_key(key: str) -> bytes:
    return key_digest(key).to_bytes(8, "little")
