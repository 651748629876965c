"""The size and checksum that identify a file of rows.

Files are compared only with what this package wrote, so a checksum is enough; it costs a quarter of a hash.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable
from typing import Any, BinaryIO

from typing_extensions import override

_CHUNK = 1024 * 1024
_POLYNOMIAL = 0xEDB88320
"""The polynomial of CRC-32 (IEEE 802.3), in zlib's bit order."""


class Digest:
    """A digest of the bytes fed so far."""

    def __init__(self) -> None:
        self.size = self._sum = 0

    def feed(self, data: Any) -> int:
        """Add bytes, and return their number."""
        size = memoryview(data).nbytes
        self.size += size
        self._sum = zlib.crc32(data, self._sum)
        return size

    def __str__(self) -> str:
        """Return the digest in the form of a manifest."""
        return _spelt(self._sum, self.size)


class Summed(io.RawIOBase):
    """A file that passes on what is written.

    Attributes:
        digest: of the bytes written so far.
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
    """Return the digest of files joined in order, from the digest of each."""
    size = total = 0
    for one in digests:
        checksum, own = parts_of(one)
        size, total = size + own, _times(_power(8 * own), total) ^ checksum
    return _spelt(total, size)


def parts_of(digest: str) -> tuple[int, int]:
    """Return the checksum and the size in bytes from a digest."""
    _, checksum, size = digest.split("-")
    return int(checksum, 16), int(size)


def _times(left: int, right: int) -> int:
    """Multiply two polynomials over GF(2) modulo the checksum's; the first bit is the lowest power."""
    product = 0
    for bit in range(31, -1, -1):
        if left >> bit & 1:
            product ^= right
        right = right >> 1 ^ (_POLYNOMIAL if right & 1 else 0)
    return product


def _power(exponent: int) -> int:
    """Return a power of x: multiplied with a checksum, it is that of the same bytes followed by that many zero bits."""
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
    """Return the digest of a file, from its current position to its end."""
    digest = Digest()
    while chunk := stream.read(_CHUNK):
        digest.feed(chunk)
    return str(digest)
