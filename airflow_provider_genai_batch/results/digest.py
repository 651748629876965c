"""The size and checksum that identify a file of rows.

A file is compared with what this package wrote, so a checksum is enough; it costs a quarter of a hash.
"""

from __future__ import annotations

import io
import zlib
from typing import Any, BinaryIO

from typing_extensions import override

_CHUNK = 1024 * 1024


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
        return f"crc32-{self._sum:08x}-{self.size}"


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


def digest_of(stream: BinaryIO) -> str:
    """Return the digest of a file, from where it stands to its end."""
    digest = Digest()
    while chunk := stream.read(_CHUNK):
        digest.feed(chunk)
    return str(digest)
