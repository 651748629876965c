"""A set of places in the input, in one bit each."""

from __future__ import annotations

from collections.abc import Iterator

_FULL = 0xFF


class Marks:
    """Numbers from 0 on, as many bits as the greatest."""

    def __init__(self, bits: bytes | bytearray = b"") -> None:
        self._bits = bytearray(bits)
        self.count = 0

    def add(self, place: int) -> bool:
        """Add a number; False if it was there."""
        at, bit = place >> 3, 1 << (place & 7)
        try:
            byte = self._bits[at]
        except IndexError:
            self._bits.extend(bytes(at + 4096 - len(self._bits)))
            byte = 0
        if byte & bit:
            return False
        self._bits[at] = byte | bit
        self.count += 1
        return True

    def __contains__(self, place: int) -> bool:
        at = place >> 3
        return at < len(self._bits) and bool(self._bits[at] & (1 << (place & 7)))

    def copy(self) -> Marks:
        """Return the set as it is now."""
        other = Marks(self._bits)
        other.count = self.count
        return other

    def absent(self, end: int) -> Iterator[int]:
        """Give the numbers below `end` that are not there. They may be added meanwhile."""
        for at in range((end + 7) >> 3):
            if at < len(self._bits) and self._bits[at] == _FULL:
                continue
            for place in range(at << 3, min(end, (at + 1) << 3)):
                if place not in self:
                    yield place
