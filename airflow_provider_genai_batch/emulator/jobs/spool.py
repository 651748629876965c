"""Rows on disk: written as they come, and shuffled without loading them into memory."""

from __future__ import annotations

import mmap
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

BLOCK = 1 << 20
"""Bytes read or written at a time."""


def read_lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file without line ends; blank lines are left out."""
    with path.open("rb") as source:
        for line in source:
            stripped = line.strip()
            if stripped:
                yield stripped


def lines_of(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of a stream of bytes without line ends; blank lines are left out."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            if line.strip():
                yield line.strip()
    if rest.strip():
        yield rest.strip()


def write_lines(path: Path, lines: Iterable[bytes]) -> int:
    """Write lines to a new file, which appears only when it is complete; return their number."""
    partial = path.with_suffix(".partial")
    count = 0
    with partial.open("wb", buffering=BLOCK) as target:
        for line in lines:
            target.write(line)
            target.write(b"\n")
            count += 1
    partial.replace(path)
    return count


def shuffle_lines(path: Path, seed: str) -> None:
    """Shuffle the lines of a file; equal seeds give equal orders."""
    if path.stat().st_size == 0:
        return
    with path.open("rb") as source, mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ) as data:
        starts = [0]
        while (found := data.find(b"\n", starts[-1])) >= 0:
            starts.append(found + 1)
        order = list(range(len(starts) - 1))
        random.Random(seed).shuffle(order)  # noqa: S311 - repeatable, not secret
        write_lines(path, (data[starts[place] : starts[place + 1] - 1] for place in order))


def blocks(path: Path) -> Iterator[bytes]:
    """Yield a file in blocks."""
    with path.open("rb") as source:
        while block := source.read(BLOCK):
            yield block
