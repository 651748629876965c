"""Decides whether the rows of an inline job are too large to be returned.

No page gives a limit. A user reported that every get of a finished job with 1,000 pictures failed with 503 after a
minute.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

MOST_PICTURES = 1_000
MOST_BYTES = 1_000_000_000
"""About the size of a thousand of the service's own pictures."""


class Size:
    """Counts rows on their way to the disk."""

    def __init__(self, most_bytes: int | None) -> None:
        """Set the limit in bytes; None: the limit that was reported."""
        self._most_bytes = most_bytes
        self._bytes = 0
        self._pictures = 0

    def counted(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """Yield lines and count them."""
        for line in lines:
            self._bytes += len(line)
            self._pictures += b'"inlineData"' in line
            yield line

    @property
    def too_large(self) -> bool:
        """Whether every get of these rows fails."""
        if self._most_bytes is not None:
            return self._bytes > self._most_bytes
        return self._bytes > MOST_BYTES or self._pictures >= MOST_PICTURES
