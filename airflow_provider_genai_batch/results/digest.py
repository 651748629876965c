"""The size and checksum that identify a file of rows.

A file is compared with what this package wrote, so a checksum is enough; it costs a quarter of a hash.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable
from typing import Any, BinaryIO

from typing_extensions import override

_CHUNK = 1024 * 1024
_POLYNOMIAL = 0xEDB88320
"""Of CRC-32 (IEEE 802.3), as zlib has it."""


class Digest:
    """Grows with the bytes that it is fed."""

    def __init__(self) -> None:
        self.size = self._sum = 0

    def feed(self, data: Any) -> int:
        """Take bytes, and return how many."""
        size = memoryview(data).nbytes
        self.size += size
        self._sum = zlib.crc32(data, self._sum)
        return size

    def __str__(self) -> str:
        """Return it as a manifest has it."""
        return _spelt(self._sum, self.size)


class Summed(io.RawIOBase):
    """Passes on what is written.

    Attributes:
        digest: of what was written so far.
    """

    def __init__(self, out: BinaryIO) -> None:
        self._out, self.digest = out, Digest()

    @override
    def writable(self) -> bool:
        return True

    @override
    def tell(self) -> int:
        return self.digest.size

    @override
    def write(self, data: Any) -> int:
        self._out.write(data)
        return self.digest.feed(data)


def joined(digests: Iterable[str]) -> str:
    """Return the digest of files that stand behind each other, from the digest of each."""
    size = total = 0
    for one in digests:
        checksum, own = parts_of(one)
        size, total = size + own, _times(_power(8 * own), total) ^ checksum
    return _spelt(total, size)


def parts_of(digest: str) -> tuple[int, int]:
    """Return the checksum and the size, in bytes, of which a digest is made."""
    _, checksum, size = digest.split("-")
    return int(checksum, 16), int(size)


def _times(left: int, right: int) -> int:
    """Multiply two polynomials over GF(2) modulo that of the checksum; the first bit is the lowest power."""
    product = 0
    for bit in range(31, -1, -1):
        if left >> bit & 1:
            product ^= right
        right = right >> 1 ^ (_POLYNOMIAL if right & 1 else 0)
    return product


def _power(exponent: int) -> int:
    """Return x to a power: times a checksum, it is that of the same bytes with so many zero bits behind them."""
    found, base = 1 << 31, 1 << 30
    while exponent:
        if exponent & 1:
            found = _times(found, base)
        base = _times(base, base)
        exponent >>= 1
    return found


def _spelt(checksum: int, size: int) -> str:
    return f"crc32-{checksum:08x}-{size}"


def digest_of(stream: BinaryIO) -> str:
    """Return the digest of a file, from where it stands to its end."""
    digest = Digest()
    while chunk := stream.read(_CHUNK):
        digest.feed(chunk)
    return str(digest)
