"""Matches rows to requests by their keys, and finds out whether the request already has a row.

Rounds are read from the last to the first. So the first row of a request is the one that counts, within a round and
over all rounds. A good row after a failed one is the exception: then `results.counting.row_counter` has all rows read
again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from typing_extensions import override

from airflow_provider_genai_batch.results.keys.bitset import Bitset
from airflow_provider_genai_batch.results.keys.key_set import KeyPlaces, KeySet
from airflow_provider_genai_batch.wire.keys import MASK, key_digest, key_digests, stamp

UNPLACED = -1
"""The place of a request that is not known."""
DUPLICATE = -2
"""For a row whose request already has one in the same round."""
REPLACED = -3
"""For a row whose request has one in a later round."""
UNKNOWN = -4
"""For a row whose key no request has."""


class KeyMatcher(Protocol):
    """Matches the keys of rows to requests."""

    @property
    def joined(self) -> int:
        """Number of requests that have a row."""

    @property
    def sure(self) -> bool:
        """Whether each row is known to belong to a request of its own."""

    def begin(self, number: int) -> None:
        """Start the rows of a round."""

    def match(self, key: str, index: int | None) -> int:
        """Match a row's key and the index it spells; return the request's place, or one of the constants above."""

    def match_all(self, keys: Sequence[str], indices: Sequence[int | None]) -> Sequence[int] | None:
        """Match the keys of several rows and return their places; None, without a change, if one would not land."""

    def failed(self, key: str, place: int) -> None:
        """Note that a request's row is not ``ok``."""

    def unanswered(self, key: str, index: int | None) -> bool:
        """Whether a request has no row that is ``ok``."""

    def missing(self) -> Iterator[tuple[str, int]]:
        """Yield keys and places of the known requests that have no row; each counts as failed from then on."""


class StampedKeyMatcher(KeyMatcher):
    """Requests whose keys are all stamps of this package: one bit for each shows whether there is a row."""

    sure = True

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self._seen, self._later, self._failed = Bitset(expected), Bitset(), Bitset()
        self._bits = self._seen.bits

    @property
    @override
    def joined(self) -> int:
        return len(self._seen)

    @override
    def begin(self, _number: int) -> None:
        self._later = self._seen.copy()

    @override
    def match(self, _key: str, index: int | None) -> int:
        if index is None or index >= self._expected:
            return UNKNOWN
        # The same as `Bitset.add`; calling it would double the cost.
        at, bit = index >> 3, 1 << (index & 7)
        byte = self._bits[at]
        if byte & bit:
            return REPLACED if index in self._later else DUPLICATE
        self._bits[at] = byte | bit
        return index

    @override
    def match_all(self, _keys: Sequence[str], indices: Sequence[int | None]) -> Sequence[int] | None:
        places = [index for index in indices if index is not None and index < self._expected]
        return places if len(places) == len(indices) and self._seen.add_all(places) else None

    @override
    def failed(self, _key: str, place: int) -> None:
        self._failed.add(place)

    @override
    def unanswered(self, _key: str, index: int | None) -> bool:
        return index is not None and (index in self._failed or index not in self._seen)

    @override
    def missing(self) -> Iterator[tuple[str, int]]:
        for place in self._seen.unset_below(self._expected):
            self._seen.add(place)
            self._failed.add(place)
            yield self._key(place), place

    def _key(self, place: int) -> str:
        return stamp(place)


class KnownKeyMatcher(StampedKeyMatcher):
    """Requests whose keys are known."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._places = KeyPlaces(keys)
        super().__init__(self._places.count)

    @override
    def match(self, key: str, _index: int | None) -> int:
        return super().match(key, self._places.get(key))

    @override
    def match_all(self, keys: Sequence[str], _indices: Sequence[int | None]) -> Sequence[int] | None:
        return super().match_all(keys, [*map(self._places.get, keys)])

    @override
    def unanswered(self, key: str, _index: int | None) -> bool:
        return super().unanswered(key, self._places.get(key))

    def _key(self, place: int) -> str:
        return self._places.key(place)


class KeySumMatcher(KeyMatcher):
    """Requests of which at most the sum of the keys is known.

    If it is known, the keys of the first round, which are nearly all, need not be remembered: their number and sum show
    at the end whether each came once. If not, all rows are read again.
    """

    def __init__(self, expected: int | None, key_sum: int | None) -> None:
        self._expected, self._wanted_sum = expected, key_sum
        self._failed, self._later = KeySet(), list[KeySet]()
        self._own: KeySet | None = None if key_sum is not None else KeySet()
        self._sum = self._joined = 0

    @property
    @override
    def joined(self) -> int:
        return self._joined

    @property
    @override
    def sure(self) -> bool:
        return self._wanted_sum is None or (self._joined == self._expected and self._sum == self._wanted_sum)

    @override
    def begin(self, number: int) -> None:
        if self._own:
            self._later.append(self._own)
        self._own = KeySet() if number or self._wanted_sum is None else None

    @override
    def match(self, key: str, _index: int | None) -> int:
        if self._later and any(key in later for later in self._later):
            return REPLACED
        if self._own is not None and not self._own.add(key):
            return DUPLICATE
        self._joined += 1
        if self._wanted_sum is not None:
            self._sum = (self._sum + key_digest(key)) & MASK
        return UNPLACED

    @override
    def match_all(self, keys: Sequence[str], indices: Sequence[int | None]) -> Sequence[int] | None:
        if self._later or not (self._own is None or self._own.add_stamps(indices)):
            return None
        self._joined += len(keys)
        if self._wanted_sum is not None:
            self._sum = (self._sum + sum(key_digests(keys))) & MASK
        return [UNPLACED] * len(keys)

    @override
    def failed(self, key: str, _place: int) -> None:
        self._failed.add(key)

    @override
    def unanswered(self, key: str, _index: int | None) -> bool:
        if key in self._failed:
            return True
        return self._own is not None and key not in self._own and not any(key in rows for rows in self._later)

    @override
    def missing(self) -> Iterator[tuple[str, int]]:
        return iter(())
