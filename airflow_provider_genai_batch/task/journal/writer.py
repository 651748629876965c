"""Gathers answer lines into journal parts during a round: many lines are written together, in a thread."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.flows.retry import backoff
from airflow_provider_genai_batch.task.journal.journal import Journal, Part

log = logging.getLogger(__name__)

PART_LINES = 256
"""Most lines that wait while earlier ones are being written."""
_PART_BYTES = 4 * 1024 * 1024
_LEAST_AGE, _MOST_AGE, _AGING = 1.0, 10.0, 60.0
"""Most seconds that a line waits for others: one in the first minute, later a sixtieth of the elapsed time."""
_TRIES = 6


class JournalWriter:
    """Writes the lines of one writer. It belongs to one event loop.

    Args:
        journal: the round's journal.
        writer: the writer's name.
        written: called with the number of lines that have become durable.

    Attributes:
        parts: the durable parts.
    """

    def __init__(self, journal: Journal, writer: str, written: Callable[[int], None]) -> None:
        self._journal, self._writer, self._written = journal, writer, written
        self.parts: list[Part] = []
        self._lines: list[bytes] = []
        self._bytes = self._writing = 0
        self._oldest = math.inf
        self._begun = clock.monotonic()
        self._closed = False
        self._changed = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Number of lines that would be lost if the process died now."""
        return len(self._lines) + self._writing

    @property
    def durable(self) -> int:
        """Number of written lines."""
        return sum(part.lines for part in self.parts)

    def add(self, line: bytes) -> None:
        """Add a line."""
        if not self._lines:
            self._oldest = clock.monotonic()
            self._changed.set()
        self._lines.append(line)
        self._bytes += len(line)
        if self._is_full():
            self._changed.set()

    def close(self) -> None:
        """Let `run` write the remaining lines, and end."""
        self._closed = True
        self._changed.set()

    async def run(self) -> None:
        """Write parts until it is closed and all is written.

        Raises:
            OSError: a part cannot be written.
        """
        while True:
            self._changed.clear()
            pause = self._pause()
            if pause <= 0:
                if not self._lines:
                    return
                await self._write()
            elif math.isinf(pause):
                await self._changed.wait()
            else:
                await clock.wait(self._changed, pause)

    def _pause(self) -> float:
        if self._closed or self._is_full():
            return 0.0
        if not self._lines:
            return math.inf
        now = clock.monotonic()
        age = min(_MOST_AGE, max(_LEAST_AGE, (now - self._begun) / _AGING))
        return max(0.0, self._oldest + age - now)

    def _is_full(self) -> bool:
        return len(self._lines) >= PART_LINES or self._bytes >= _PART_BYTES

    async def _write(self) -> None:
        lines, self._lines, self._bytes = self._lines, [], 0
        self._writing = len(lines)
        part = Part.named(self._writer, len(self.parts), len(lines), clock.time())
        for attempt in range(1, _TRIES + 1):
            try:
                await clock.in_thread(self._journal.write, part, lines)
                break
            except OSError as error:
                if attempt == _TRIES:
                    raise
                log.warning("Answers could not be written to %s yet: %s", self._journal.folder, error)
                await clock.async_sleep(backoff(attempt))
        self.parts.append(part)
        self._writing = 0
        self._written(len(lines))
