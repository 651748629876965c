"""A set of places in the input, with one bit for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

_MORE = 4096
_FULL = 0xFF


class Bitset:
    """A set of numbers from 0 up.

    Args:
        room: how many numbers there will be, if known.

    Attributes:
        bits: eight numbers per byte, the smallest in the lowest bit.
    """

    def __init__(self, room: int = 0) -> None:
        self.bits = bytearray((room + 7) >> 3)

    def __len__(self) -> int:
        return int.from_bytes(self.bits, "little").bit_count()

    def add(self, place: int) -> bool:
        """Add a number; return False if the set already has it."""
        at, bit = place >> 3, 1 << (place & 7)
        if at >= len(self.bits):
            self.bits.extend(bytes(at + _MORE - len(self.bits)))
        byte = self.bits[at]
        self.bits[at] = byte | bit
        return not byte & bit

    def add_all(self, places: Sequence[int]) -> bool:
        """Add numbers; return False, and add none, if the set already has one or one is repeated."""
        bits = self.bits
        if (needed := (max(places, default=-1) >> 3) + 1) > len(bits):
            bits.extend(bytes(needed + _MORE - len(bits)))
        for number, place in enumerate(places):
            at, bit = place >> 3, 1 << (place & 7)
            byte = bits[at]
            if byte & bit:
                for added in places[:number]:
                    bits[added >> 3] &= ~(1 << (added & 7))
                return False
            bits[at] = byte | bit
        return True

    def __contains__(self, place: int) -> bool:
        at = place >> 3
        return at < len(self.bits) and bool(self.bits[at] & (1 << (place & 7)))

    def copy(self) -> Bitset:
        """Return a copy of the set."""
        other = Bitset()
        other.bits = bytearray(self.bits)
        return other

    def unset_below(self, end: int) -> Iterator[int]:
        """Yield the numbers below `end` that are not in the set. They may be added meanwhile."""
        for at in range((end + 7) >> 3):
            if at < len(self.bits) and self.bits[at] == _FULL:
                continue
            for place in range(at << 3, min(end, (at + 1) << 3)):
                if place not in self:
                    yield place
