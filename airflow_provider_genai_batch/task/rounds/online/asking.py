"""Sends immediate calls from a worker: an event loop in its own thread, while the task's thread keeps watch."""

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
"""Seconds to let calls in progress finish when no more are sent; dropped calls may be billed."""
_TICK = 5.0
_LOOK = 0.2
"""Seconds between two checks by the task's thread whether it must end. Signals interrupt the pause."""


@dataclass
class Asked:
    """The result of the calls.

    Attributes:
        parts: parts of the journal that were written.
        counts: counts of calls and rows; None: no call was sent.
        stopped: why the service stopped answering; None: it did not.
        over: why no more requests were sent in this tier although some remained; empty: none remained.
        kept: lines that went into the journal.
    """

    parts: list[Part]
    counts: OnlineCounts | None = None
    stopped: OnlineStopped | None = None
    over: str = ""
    kept: int = 0

    @property
    def durable(self) -> int:
        """Number of lines in the journal."""
        return sum(part.lines for part in self.parts)


class Asking:
    """Sends each line once, and keeps the answers in a journal.

    Args:
        config: configuration of the task's connection.
        model: the model's name, as returned by `read_model`.
        settings: settings of the calls.
        journal: the round's journal.
        writer: this attempt's name in the journal.
        rung: decides which lines are kept, and when to stop.
        requests: number of requests.

    Attributes:
        asked: the result so far.
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
        """Send lines, and wait until all are answered or given up, and their answers are written.

        Args:
            lines: lines in the format of `OnlineRows.ask`.
            watch: called several times a second; raises if the task must end. Then no more calls are sent, calls in
                progress are dropped, and the answers so far are written before the error is raised.

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
                    log.warning("The latest answers could not be written: %s", error)
                raise
            future.result()
        return self.asked

    def _wanted(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """Yield lines as long as they are to be sent."""
        for line in lines:
            if self._is_over():
                return
            yield line

    def _is_over(self) -> bool:
        """Whether to stop sending in this tier."""
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
        """Send calls and write answers concurrently.

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
                with suppress(RuntimeError):  # the loop is closed: all requests have been sent
                    loop.call_soon_threadsafe(asking.cancel)

            self._end = end
            if self._ending.is_set():  # set before `end` was registered
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
        """Drop calls that take too long when no more are sent."""
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
