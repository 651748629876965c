"""Remembers which keys there were, in 12 bytes each."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.wire.keys import MASK, key_digest, key_digests

_SHARDS = 256
_FIRST_LOOK = 4096


def same_key(earlier: str, later: str) -> RequestError:
    """Return the error of two requests with one key; each is named as in ``line 3``."""
    msg = f"its key is the same as that of {earlier}"
    return RequestError(msg, "Keys join rows to requests: make each one different.", where=later)


class DuplicateKeyFinder:
    """Finds a key that is there twice without holding the keys.

    It keeps a 63-bit digest and the line of each key. Whether one is there twice is looked at each time their
    number has doubled, and at the end: so it is found late, but a file of five million keys costs 60 MB and
    no time to speak of. Two different keys with one digest would count as one; among five million that
    happens once in a million files.

    Attributes:
        key_sum: the digests added up, modulo 2**63: tells a set of keys from any other, in whatever order.
    """

    def __init__(self) -> None:
        self._digests = [array("Q") for _ in range(_SHARDS)]
        self._lines = [array("I") for _ in range(_SHARDS)]
        self._shards = [
            (digests.append, lines.append) for digests, lines in zip(self._digests, self._lines, strict=True)
        ]
        self._count, self._next_look = 0, _FIRST_LOOK
        self.key_sum = 0

    def add(self, key: str, line: int) -> tuple[int, int] | None:
        """Note a key; return two lines with the same one if they are known by now."""
        digest = key_digest(key)
        self.key_sum = (self.key_sum + digest) & MASK
        note_digest, note_line = self._shards[digest & (_SHARDS - 1)]
        note_digest(digest)
        note_line(line)
        self._count += 1
        return None if self._count < self._next_look else self._look()

    def add_all(self, keys: Sequence[str], line: int) -> tuple[int, int] | None:
        """Note the keys of lines in a row, of which the first is given."""
        digests = key_digests(keys)
        self.key_sum = (self.key_sum + sum(digests)) & MASK
        shards = self._shards
        for number, digest in enumerate(digests, line):
            note_digest, note_line = shards[digest & (_SHARDS - 1)]
            note_digest(digest)
            note_line(number)
        self._count += len(digests)
        return None if self._count < self._next_look else self._look()

    def _look(self) -> tuple[int, int] | None:
        self._next_look *= 2
        return self.twice()

    def twice(self) -> tuple[int, int] | None:
        """Return the earlier and the later line of the first key that is there twice; None: there is none."""
        found: list[tuple[int, int]] = []
        for digests, lines in zip(self._digests, self._lines, strict=True):
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
