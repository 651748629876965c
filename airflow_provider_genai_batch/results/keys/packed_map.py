"""A map from digests to numbers in bounded memory: sorted records in a file, and an index of them in memory."""

from __future__ import annotations

import os
import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from operator import eq
from struct import Struct
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    from typing_extensions import Self

_RECORD = Struct(">8sQ")
_WORDS = Struct(">Q8x")
"""Unpacks the first words of digests that follow one another."""
_SIZE, _WORD = 16, 8
_BUCKETS = 64
_SPILL = 64 * 1024
"""Bytes of a bucket that are held before they are written to disk."""
_BLOCK = 64
"""Records per block; memory holds the first of each block."""
_MOST_BITS, _BITS_IN_SLOT = 16, 4
"""The most leading bits of a digest that select a slot, and the bits of the number of digests in a slot."""
_MOST_IN_MEMORY = 1 << 20


class PackedMap:
    """A map from digests to numbers. It compares only the first eight bytes of a digest; the caller compares the rest.

    Records are put into buckets by their first bits, and each bucket is sorted by itself. A million records take 16 MiB
    of memory; ten million take less, and are read from a file of 160 MB during look-ups.

    Args:
        most_in_memory: up to this many records are held in memory, in 16 bytes each; of more, only an index is.

    Attributes:
        rows: how many pairs there are.
    """

    def __init__(self, most_in_memory: int = _MOST_IN_MEMORY) -> None:
        self._most = most_in_memory
        self._files: list[BinaryIO | None] = [None] * _BUCKETS
        self._held = [bytearray() for _ in range(_BUCKETS)]
        self._sorted: BinaryIO | None = None
        self._number = -1
        self._firsts = array("Q")
        self._numbers: array[int] | None = None
        self._slots, self._shift = array("Q"), 0
        self.rows = 0

    def __enter__(self) -> Self:
        """Return the map."""
        return self

    def __exit__(self, *_: object) -> None:
        """Free the disk space."""
        for file in (*self._files, self._sorted):
            if file is not None:
                with suppress(OSError):  # data that the disk had no room for is discarded like the rest
                    file.close()

    def _spill(self, bucket: int) -> None:
        file, held = self._files[bucket], self._held[bucket]
        if file is None:
            file = self._files[bucket] = _temporary()
        file.write(held)
        held.clear()

    def add_all(self, pairs: Iterable[tuple[bytes, int]]) -> None:
        """Add pairs; not allowed after the first look-up."""
        held, pack, rows = self._held, _RECORD.pack, self.rows
        for digest, number in pairs:
            some = held[digest[0] >> 2]
            some += pack(digest, number)
            rows += 1
            if len(some) >= _SPILL:
                self._spill(digest[0] >> 2)
        self.rows = rows

    def get(self, digest: bytes) -> list[int]:
        """Return the numbers of all digests that begin like this one, the smallest first."""
        return next((numbers for _, numbers in self.found(digest[:_WORD] + bytes(_WORD))), [])

    def found(self, digests: bytes) -> Iterator[tuple[int, list[int]]]:
        """Look up many digests.

        Args:
            digests: 16 bytes each, one after the other.

        Yields:
            The place of each digest that is found, from 0, and the numbers of all that begin like it, the smallest
            first.
        """
        if self._sorted is None:
            self._sort()
        firsts, slots, shift, numbers = self._firsts, self._slots, self._shift, self._numbers
        rows = len(firsts)
        for place, (word,) in enumerate(_WORDS.iter_unpack(digests)):
            slot = word >> shift
            at = bisect_left(firsts, word, slots[slot], slots[slot + 1])
            if numbers is None:
                if some := self._from_disk(word, max(0, at - 1)):
                    yield place, some
            elif at < rows and firsts[at] == word:
                end = at + 1
                if end == rows or firsts[end] != word:
                    yield place, [numbers[at]]
                    continue
                while end < rows and firsts[end] == word:
                    end += 1
                yield place, numbers[at:end].tolist()

    def _from_disk(self, word: int, block: int) -> list[int]:
        found: list[int] = []
        head = word.to_bytes(_WORD, "big")
        while block < len(self._firsts) and self._firsts[block] <= word:
            data = self._block(block)
            at = data.find(head)
            while at >= 0 and at % _SIZE:
                at = data.find(head, at + 1)
            while at >= 0 and data.startswith(head, at):
                found.append(int.from_bytes(data[at + _WORD : at + _SIZE], "big"))
                at += _SIZE
            block += 1
        return found

    def _block(self, block: int) -> bytes:
        return os.pread(self._number, _BLOCK * _SIZE, block * _BLOCK * _SIZE)

    @property
    def repeats(self) -> int | None:
        """How many digests begin like another one; None if there are too many to count in memory."""
        if self._sorted is None:
            self._sort()
        firsts = self._firsts
        return None if self._numbers is None else sum(map(eq, firsts, islice(firsts, 1, None)))

    def __iter__(self) -> Iterator[tuple[bytes, int]]:
        """Yield the beginnings of all digests with their numbers, in order."""
        if self._sorted is None:
            self._sort()
        for block in range(-(-self.rows // _BLOCK)):
            yield from _RECORD.iter_unpack(self._block(block))

    def _sort(self) -> None:
        out = self._sorted = _temporary()
        all_in_memory = self.rows <= self._most
        numbers, written = array("Q"), 0
        for bucket, held in enumerate(self._held):
            file = self._files[bucket]
            data = bytes(held)
            if file is not None:
                file.seek(0)
                data = file.read() + data
                file.close()
            held.clear()
            ordered = sorted(data[at : at + _SIZE] for at in range(0, len(data), _SIZE))
            out.write(b"".join(ordered))
            some = ordered if all_in_memory else ordered[-written % _BLOCK :: _BLOCK]
            pairs = array("Q", b"".join(some))
            if sys.byteorder == "little":
                pairs.byteswap()
            self._firsts.extend(pairs[::2])
            if all_in_memory:
                numbers.extend(pairs[1::2])
            written += len(ordered)
        out.flush()
        self._number = out.fileno()
        self._numbers = numbers if all_in_memory else None
        self._set_slots()

    def _set_slots(self) -> None:
        """Index where the digests of each beginning are, so that a search covers only a few of them."""
        firsts = self._firsts
        bits = max(0, min(_MOST_BITS, len(firsts).bit_length() - _BITS_IN_SLOT))
        self._shift = 8 * _WORD - bits
        self._slots = array("Q", (bisect_left(firsts, slot << self._shift) for slot in range(1 << bits)))
        self._slots.append(len(firsts))


def _temporary() -> BinaryIO:
    return cast("BinaryIO", TemporaryFile(prefix="genai-batch-"))
