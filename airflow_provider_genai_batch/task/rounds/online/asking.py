"""Asking rows at once from a worker: an event loop in a thread of its own, while the task's thread keeps watch."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import aclosing, suppress
from contextvars import copy_context
from dataclasses import dataclass

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.client import AsyncGenAIBatchClient, ClientConfig
from airflow_provider_genai_batch.client.garbage import settled
from airflow_provider_genai_batch.client.online import OnlineCounts, OnlineRows, OnlineSettings
from airflow_provider_genai_batch.exceptions import OnlineStopped
from airflow_provider_genai_batch.task.journal.journal import Journal, Part
from airflow_provider_genai_batch.task.journal.writer import JournalWriter
from airflow_provider_genai_batch.task.ready.rungs import Rung

log = logging.getLogger(__name__)

GRACE = 30.0
"""Seconds for which calls that are under way go on when no more are asked; those that are dropped may be billed."""
_TICK = 5.0
_LOOK = 0.2
"""Seconds between two looks of the task's thread whether it is to end. Others' signals interrupt them."""


@dataclass
class Asked:
    """What came of the asking.

    Attributes:
        parts: of the journal that were written.
        counts: of calls and rows; None: the asking did not begin.
        stopped: why the service answers no more; None: it answered all.
        over: why no more was asked in this tier, though there was more; empty: there was not.
        kept: lines that went into the journal.
    """

    parts: list[Part]
    counts: OnlineCounts | None = None
    stopped: OnlineStopped | None = None
    over: str = ""
    kept: int = 0

    @property
    def durable(self) -> int:
        """How many lines are in the journal."""
        return sum(part.lines for part in self.parts)


class Asking:
    """Asks lines once, and keeps what is answered in a journal.

    Args:
        config: of the task's connection.
        model: as `read_model` gives it.
        settings: how they are asked.
        journal: of the round.
        writer: this attempt's name in it.
        rung: tells which lines are kept, and when no more are asked.
        requests: how many there are.

    Attributes:
        asked: what has come of it so far.
    """

    def __init__(
        self,
        config: ClientConfig,
        model: str,
        settings: OnlineSettings,
        journal: Journal,
        writer: str,
        *,
        rung: Rung,
        requests: int,
    ) -> None:
        self._config, self._model, self._settings = config, model, settings
        self._journal, self._writer = journal, writer
        self._rung, self._requests = rung, requests
        self._over_since: float | None = None
        self._end: Callable[[], None] = lambda: None
        self._ending = threading.Event()
        self.asked = Asked([])

    def ask(self, lines: Iterable[bytes], watch: Callable[[], None]) -> Asked:
        """Ask lines, and wait until all are answered or given up, and their answers are written.

        Args:
            lines: as `OnlineRows.ask` takes them.
            watch: called several times a second; raises where the task is to end. Then no more calls are sent, those
                under way are dropped, and what was answered is written before the error is raised.

        Raises:
            OSError: the journal cannot be written.
        """
        with settled(), ThreadPoolExecutor(1, "genai-batch-online") as thread:
            future: Future[None] = thread.submit(
                copy_context().run, asyncio.run, self._run(self._wanted(lines))
            )
            try:
                while not wait([future], _LOOK).done:
                    watch()
            except BaseException:
                self._ending.set()
                self._end()
                try:
                    future.result()
                except OSError as error:
                    log.warning("Answers that had just come could not be kept: %s", error)
                raise
            future.result()
        return self.asked

    def _wanted(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """Give lines for as long as they are to be asked."""
        for line in lines:
            if self._is_over():
                return
            yield line

    def _is_over(self) -> bool:
        """Whether no more is asked in this tier."""
        counts = self.asked.counts
        if self._over_since is None and counts is not None:
            self.asked.over = self._rung.over(counts, self._requests - self.asked.kept)
            if self.asked.over:
                self._over_since = clock.monotonic()
        return self._over_since is not None

    @property
    def _over_for(self) -> float:
        return 0.0 if self._over_since is None else clock.monotonic() - self._over_since

    async def _run(self, lines: Iterable[bytes]) -> None:
        """Ask and write side by side.

        Raises:
            OSError: the journal cannot be written.
        """
        loop = asyncio.get_running_loop()
        async with AsyncGenAIBatchClient(self._config, max_connections=self._settings.max_calls) as client:
            rows = OnlineRows(client, self._model, self._settings)
            journal = JournalWriter(self._journal, self._writer, rows.kept)
            self.asked.parts, self.asked.counts = journal.parts, rows.counts
            asking = asyncio.ensure_future(self._take(rows, lines, journal))

            def end() -> None:
                with suppress(RuntimeError):  # the loop is closed: all has been asked
                    loop.call_soon_threadsafe(asking.cancel)

            self._end = end
            if self._ending.is_set():  # before anybody knew how to end it
                asking.cancel()
            writing = asyncio.ensure_future(journal.run())
            timing = asyncio.ensure_future(self._keep_time(asking))
            try:
                await asyncio.wait({asking, writing}, return_when=asyncio.FIRST_COMPLETED)
                if writing.done():  # it never ends by itself
                    asking.cancel()
                with suppress(asyncio.CancelledError):
                    await asking
            finally:
                timing.cancel()
                journal.close()
                await writing

    async def _keep_time(self, asking: asyncio.Future[None]) -> None:
        """Drop calls that go on for too long when no more are asked."""
        while not (self._is_over() and self._over_for >= GRACE):
            await clock.async_sleep(_TICK)
        asking.cancel()

    async def _take(self, rows: OnlineRows, lines: Iterable[bytes], journal: JournalWriter) -> None:
        try:
            async with aclosing(rows.ask(lines)) as answers:
                async for line in answers:
                    if self._rung.keeps(line):
                        self.asked.kept += 1
                        journal.add(line)
                    else:
                        rows.kept(1)
        except OnlineStopped as stopped:
            self.asked.stopped = stopped
