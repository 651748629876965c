"""What is known of an input beside its requests: which have an answer already, and which are equal to another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import groupby, islice
from typing import BinaryIO

from msgspec import Struct
from msgspec.json import Decoder

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.exceptions import UnsupportedError
from airflow_provider_genai_batch.flows.queue import short
from airflow_provider_genai_batch.models import BatchJob, Plan
from airflow_provider_genai_batch.results.keys.bitset import Bitset
from airflow_provider_genai_batch.results.keys.packed_map import PackedMap
from airflow_provider_genai_batch.task.inputs.ledger import Entry, RequestLedger
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.task.inputs.subset import subset
from airflow_provider_genai_batch.wire.answers.answer import PlainRow
from airflow_provider_genai_batch.wire.keys import key_digest

_LINES = 64


class _Placed(Struct, gc=False):
    index: int


_places = Decoder(_Placed).decode_lines
_rows = Decoder().decode_lines


@dataclass
class AtHand:
    """Answers at hand for an input.

    Attributes:
        ledger: of all requests.
        rows: of those that earlier results answer: one a line, with today's keys, in a file.
        places: of these, in the input.
        found_anew: no earlier attempt of the task has left it, or what it left is gone.
        dedupe: equal requests are asked once.
        other_models: short names of models that may be asked instead of the task's own. Their answers are not those
            that the requests ask for.
        same: places of requests that are equal to an earlier one of the input, which is asked for all of them.
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
    """Places of requests that are asked for others, too."""
    _digests: PackedMap | None = None
    _keys: PackedMap | None = None

    @property
    def left(self) -> int:
        """How many requests are to be asked."""
        return self.ledger.rows - len(self.places) - len(self.same)

    def digests(self) -> PackedMap:
        """Return where in the ledger each digest is."""
        if self._digests is None:
            self._digests = self.stack.enter_context(PackedMap())
            self._digests.add_all(self.ledger.digests())
        return self._digests

    @property
    def repeats(self) -> int | None:
        """How many requests are equal to another, where that is known without looking for it."""
        return None if self._digests is None else self._digests.repeats

    def read_places(self) -> None:
        """Learn from the rows which requests they are of."""
        self.rows.seek(0)
        while some := [*islice(self.rows, _LINES)]:
            for row in _places(b"".join(some)):
                self.places.add(row.index)

    def find_equal(self) -> int:
        """Learn which requests are equal to another; return how many need not be asked for that."""
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
        """Write into a plan what is at hand; where nothing is left to ask, that is the plan."""
        if not self.left:
            plan = Plan(requests=0, jobs=0, input_tokens=0, output_tokens=0, looked_at=0)
        if plan is None:
            return None
        return plan.model_copy(update={"reused": len(self.places), "same": len(self.same)})

    def rest(self, prepared: PreparedInput) -> PreparedInput | None:
        """Return an input of the requests that are to be asked; None: there is none."""
        if not self.left:
            return None
        if self.left == self.ledger.rows:
            return prepared
        found = subset(
            prepared, lambda _key, _place: True, lambda place: place in self.places or place in self.same
        )
        assert found is not None  # noqa: S101 - `check_can_be_reduced` has seen it
        return replace(found, reduced=True)

    # ------------------------------------------------------------ landing

    def earlier(self) -> Iterator[PlainRow]:
        """Give the rows of requests that earlier results answer."""
        self.rows.seek(0)
        while some := [*islice(self.rows, _LINES)]:
            yield from _rows(b"".join(some))

    def completed(self, job: BatchJob, rows: Iterator[PlainRow]) -> Iterator[PlainRow]:
        """Write into rows of a job what was asked and when it was answered, and give a copy for each equal request."""
        at = job.end_time.isoformat() if job.end_time else clock.now().isoformat()
        answered_at = at.replace("+00:00", "Z")
        others = short(job.model) in self.other_models
        for row in rows:
            entry = self._entry(row)
            if entry is None:
                yield row
                continue
            if not others:
                row["asked"] = entry.digest.hex()
            row["answered_at"] = answered_at
            yield row
            if entry.place in self._asked:
                for other in self._equal(entry):
                    copy = {**row, "key": other.key, "index": other.place, "same_as": row["key"]}
                    copy.pop("input", None)
                    yield copy

    def _entry(self, row: PlainRow) -> Entry | None:
        key, index = row["key"], row["index"]
        if key is None:
            return None
        if index is not None and (entry := self.ledger.at_place(index)) is not None and entry.key == key:
            return entry
        if self._keys is None:
            self._keys = self.stack.enter_context(PackedMap())
            self._keys.add_all((_of_key(each.key), offset) for offset, each in self.ledger)
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
    """Refuse an input of which no request can be left out.

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
