"""Sorts lines into the order of the input in bounded memory: sorts pieces, and merges them from temporary files."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from struct import Struct
from tempfile import TemporaryFile
from typing import BinaryIO, TypeAlias, cast

Placed: TypeAlias = tuple[int, int, bytes]
"""Place in the input, order of arrival, line."""

_RUN = 4 * 1024 * 1024
"""Bytes that are sorted at a time."""
_FAN = 32
"""Files that are merged at a time."""
_OVERHEAD = 200
_LAST = (1 << 63) - 1
_HEAD = Struct("<QQI")
_BUFFER = 32 * 1024


@contextmanager
def in_order(
    lines: Iterable[tuple[int | None, bytes]], *, run_bytes: int = _RUN, fan: int = _FAN
) -> Iterator[Iterator[bytes]]:
    """Yield lines sorted by their places in the input; lines without a place come last, in order of arrival.

    The temporary files are removed when the block ends.

    Args:
        lines: with their places.
        run_bytes: about how many bytes are held in memory and sorted at a time.
        fan: how many temporary files are merged into one.
    """
    with ExitStack() as stack:
        levels: list[list[BinaryIO]] = []
        held: list[Placed] = []
        size = 0
        for arrival, (place, line) in enumerate(lines):
            held.append((_LAST if place is None else min(place, _LAST), arrival, line))
            size += len(line) + _OVERHEAD
            if size >= run_bytes:
                held.sort()
                _keep(stack, levels, 0, held, fan)
                held, size = [], 0
        held.sort()
        runs = [_read(run) for level in levels for run in level]
        yield (line for _, _, line in heapq.merge(*runs, held))


def _keep(
    stack: ExitStack, levels: list[list[BinaryIO]], level: int, run: Iterable[Placed], fan: int
) -> None:
    """Write a sorted run; if its level is full, merge the level's runs into one of the next level."""
    if level == len(levels):
        levels.append([])
    file = cast("BinaryIO", TemporaryFile(prefix="genai-batch-", buffering=_BUFFER))  # noqa: SIM115 - the stack closes
    stack.enter_context(file)
    for place, arrival, line in run:
        file.write(_HEAD.pack(place, arrival, len(line)))
        file.write(line)
    levels[level].append(file)
    if len(levels[level]) == fan:
        full, levels[level] = levels[level], []
        _keep(stack, levels, level + 1, heapq.merge(*map(_read, full)), fan)
        for done in full:
            done.close()


def _read(run: BinaryIO) -> Iterator[Placed]:
    run.seek(0)
    while head := run.read(_HEAD.size):
        place, arrival, size = _HEAD.unpack(head)
        yield place, arrival, run.read(size)
