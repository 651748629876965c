"""Finds duplicate keys. Stamped keys need no memory; any other key takes 12 bytes, on disk if there are many."""

from __future__ import annotations

import os
import weakref
from array import array
from collections.abc import Iterable, Sequence
from tempfile import TemporaryFile
from typing import BinaryIO, cast

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.wire.keys import (
    MASK,
    key_digests,
    stamp,
    stamped_index,
    stamps,
    sum_of_stamps,
)

_SHARDS = 256
_HELD = 1 << 19
"""The number of keys held in memory before they are written to the worker's disk."""
_MOST_GAPS = 4096


def same_key(earlier: str, later: str) -> RequestError:
    """Return the error for two requests with one key; each is named as in ``line 3``."""
    msg = f"its key is the same as that of {earlier}"
    return RequestError(msg, "Keys join rows to requests: make each one different.", where=later)


class DuplicateKeyFinder:
    """Finds a key that occurs twice without holding the keys.

    As long as each key is the stamp of its place, only their number is kept. For every other key, a 63-bit digest and
    its line are kept: half a million of them take 6 MB of memory, and more go to a file on the worker's disk. The
    finder looks for duplicates whenever that many keys have arrived, and once more at the end. Two different keys with
    the same digest would count as duplicates; with five million keys, that happens in about one of a million files.

    Attributes:
        stamped: how many keys are known to be the stamp of their place. If it equals the number of keys, all are.
    """

    def __init__(self) -> None:
        self.stamped = 0
        self._first = _FirstStamps()
        self._others = _Digests()
        self._sum = 0

    @property
    def _count(self) -> int:
        return self._first.count + self._others.count

    @property
    def key_sum(self) -> int:
        """The sum of the digests modulo 2**63: identifies the set of keys, in any order."""
        return (self._sum + sum_of_stamps(0, self._first.count)) & MASK

    def facts(self) -> dict[str, int | None]:
        """Return the facts about the keys that `PreparedInput` has."""
        known = self.stamped == self._count
        return {"stamped": self.stamped, "key_sum": None if known else self.key_sum}

    def add(self, key: str, line: int) -> tuple[int, int] | None:
        """Add a key; return two lines with the same key if any are known by now."""
        return self.add_all([key], line)

    def add_all(self, keys: Sequence[str], line: int) -> tuple[int, int] | None:
        """Add the keys of consecutive lines; `line` is the first."""
        count = self._count
        if keys[0] == stamp(count) and keys == stamps(count, count + len(keys)):
            return self.add_stamps(len(keys), line)
        return self._note(keys, line)

    def add_stamps(self, number: int, line: int) -> tuple[int, int] | None:
        """Add this many keys, each of which is the stamp of its place."""
        self.stamped += number
        if not self._others.count and self._first.add(number, line):
            return None
        return self._note(stamps(self._count, self._count + number), line)

    def _note(self, keys: Sequence[str], line: int) -> tuple[int, int] | None:
        digests = key_digests(keys)
        self._sum = (self._sum + sum(digests)) & MASK
        twice = self._first.same(keys, line)
        found = self._others.add(digests, line)
        return min(filter(None, (twice, found)), key=_later, default=None)

    def twice(self) -> tuple[int, int] | None:
        """Return the earlier and the later line of the first duplicate key; None if there is none."""
        return min(filter(None, (self._first.found, self._others.twice())), key=_later, default=None)


def _later(lines: tuple[int, int]) -> int:
    return lines[1]


class _FirstStamps:
    """The keys of an input up to the first one that is not the stamp of its place.

    Attributes:
        count: how many there are.
        found: the line of one of them, and the line of the first later key that equals it.
    """

    def __init__(self) -> None:
        self.count = 0
        self.found: tuple[int, int] | None = None
        self._places, self._lines = array("Q"), array("Q")
        """Each place where the lines are not consecutive, and its line."""

    def add(self, number: int, line: int) -> bool:
        """Add this many more; return False if their digests must be kept instead."""
        if not self._places or line != self._line(self.count):
            if len(self._places) == _MOST_GAPS:
                return False
            self._places.append(self.count)
            self._lines.append(line)
        self.count += number
        return True

    def same(self, keys: Sequence[str], line: int) -> tuple[int, int] | None:
        """Return the lines of the first of these keys that equals a stamp; the search ends at the first hit."""
        if self.found is not None or not self.count:
            return None
        for number, key in enumerate(keys, line):
            if key[:1] == "r" and (index := stamped_index(key)) is not None and index < self.count:
                self.found = self._line(index), number
                return self.found
        return None

    def _line(self, place: int) -> int:
        at = next(at for at in reversed(range(len(self._places))) if self._places[at] <= place)
        return self._lines[at] + place - self._places[at]


class _Digests:
    """Digests with their lines, divided into shards by their last bits.

    Attributes:
        count: how many there are.
    """

    def __init__(self) -> None:
        self.count, self._next_look = 0, 4096
        self._file: BinaryIO | None = None
        self._ends: list[int] = []
        """The ends of each shard's digests and lines in the file, one write after the other."""
        self._begin()

    def _begin(self) -> None:
        self._held = 0
        self._shards = [(array("Q"), array("I")) for _ in range(_SHARDS)]
        self._notes = [(digests.append, lines.append) for digests, lines in self._shards]

    def add(self, digests: Sequence[int], line: int) -> tuple[int, int] | None:
        """Add the digests of consecutive lines; return two lines with the same digest if any are known by now."""
        notes = self._notes
        for number, digest in enumerate(digests, line):
            note_digest, note_line = notes[digest & (_SHARDS - 1)]
            note_digest(digest)
            note_line(number)
        self.count += len(digests)
        self._held += len(digests)
        if self._held >= _HELD:
            return self._put_away()
        if self.count < self._next_look:
            return None
        self._next_look *= 2
        return _first_twice(self._shards)

    def twice(self) -> tuple[int, int] | None:
        """Return the earlier and the later line of the first duplicate; None if there is none."""
        return _first_twice(self._shards if self._file is None else map(self._whole, range(_SHARDS)))

    def _put_away(self) -> tuple[int, int] | None:
        """Write what is held in memory to disk; return two lines with the same digest, if there are any."""
        found = _first_twice(self._shards)
        if self._file is None:
            self._file = cast("BinaryIO", TemporaryFile(prefix="genai-batch-"))  # noqa: SIM115 - as long as this
            weakref.finalize(self, self._file.close)
        end = self._ends[-1] if self._ends else 0
        for pair in self._shards:
            for numbers in pair:
                end += self._file.write(numbers.tobytes())
                self._ends.append(end)
        self._file.flush()
        self._begin()
        return found

    def _whole(self, shard: int) -> tuple[array[int], array[int]]:
        """Return a whole shard, in order of arrival."""
        file = cast("BinaryIO", self._file)
        digests, lines = array("Q"), array("I")
        for writing in range(0, len(self._ends), 2 * _SHARDS):
            for numbers, at in ((digests, writing + 2 * shard), (lines, writing + 2 * shard + 1)):
                begin = self._ends[at - 1] if at else 0
                numbers.frombytes(os.pread(file.fileno(), self._ends[at] - begin, begin))
        held_digests, held_lines = self._shards[shard]
        return digests + held_digests, lines + held_lines


def _first_twice(shards: Iterable[tuple[array[int], array[int]]]) -> tuple[int, int] | None:
    found: list[tuple[int, int]] = []
    for digests, lines in shards:
        if len(set(digests)) == len(digests):
            continue
        seen: dict[int, int] = {}
        for digest, line in zip(digests, lines, strict=True):
            if digest in seen:
                found.append((line, seen[digest]))
                break
            seen[digest] = line
    if not found:
        return None
    later, earlier = min(found)
    return earlier, later
