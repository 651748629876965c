"""Time limits for asyncio tasks, with one timer for all: a timer for each would cost as much as the tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.exceptions import TransportError


class Deadlines:
    """Starts tasks, and cancels those that do not end in time.

    Args:
        seconds: the time limit of each task.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._running = set[asyncio.Task[None]]()
        self._due = dict[asyncio.Task[None], float]()
        """The deadline of each task, in order: tasks are due in the order in which they started."""
        self._late = set[asyncio.Task[None]]()
        self._begun = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """Return the number of tasks that have not ended."""
        return len(self._running)

    def start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Start a task."""
        task = asyncio.create_task(work)
        self._running.add(task)
        self._due[task] = clock.monotonic() + self._seconds
        task.add_done_callback(self._ended)
        self._begun.set()
        if self._watch is None:
            self._watch = asyncio.create_task(self._cancel_late_ones())
        return task

    @contextmanager
    def in_time(self) -> Iterator[None]:
        """Surround the waits of a task, to turn its cancellation at the deadline into an error.

        Raises:
            TransportError: the task was cancelled because its time is over.
        """
        try:
            yield
        except asyncio.CancelledError:
            if asyncio.current_task() not in self._late:
                raise
            msg = f"no whole answer within {self._seconds:g} seconds"
            raise TransportError(msg) from None

    async def close(self) -> None:
        """Cancel all tasks, and wait until they have ended."""
        tasks = [*self._running] if self._watch is None else [*self._running, self._watch]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._late.discard(task)
        self._due.pop(task, None)

    async def _cancel_late_ones(self) -> None:
        while True:
            now = clock.monotonic()
            late = [task for task, moment in self._due.items() if moment <= now]
            for task in late:
                del self._due[task]
                self._late.add(task)
                task.cancel()
            first = next(iter(self._due.values()), None)
            if first is None:
                self._begun.clear()
                await self._begun.wait()
            else:
                await clock.async_sleep(first - now)
