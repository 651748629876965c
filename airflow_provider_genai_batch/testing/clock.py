"""The clock for tests: waiting takes no time, and this package and the emulator agree on the time."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_genai_batch.emulator import VirtualClock

_TURNS = 100
"""Turns that an event loop makes without anything due before nothing else can be expected to run."""
_ROUNDING = 1e-6


class SharedClock:
    """A clock for the product that goes by an emulator's, and moves that on instead of waiting.

    A pause in a thread moves it at once. On event loops it moves when nothing else can run: to the end of the shortest
    pause, and not while an answer of the service is awaited. `airflow_provider_genai_batch.clock.replaced` puts it in
    place for the process; other processes keep the system's clock.

    Args:
        service: the emulator's (`Emulator(clock=…)`). Whoever advances that wakes those who wait here.

    Attributes:
        service: as above.
        ahead: seconds by which this machine's time of day is ahead of the service's. To set it is a jump, which the
            monotonic time does not see.
    """

    def __init__(self, service: VirtualClock) -> None:
        """Begin at the service's time."""
        self.service = service
        self.ahead = 0.0
        self._start_ns = service.now_ns()
        self._number = itertools.count()
        self._lock = threading.Lock()
        self._sleepers: list[tuple[float, int, asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        self._turns: dict[asyncio.AbstractEventLoop, int] = {}
        """For each loop with sleepers, the turns without anything due that are left."""
        self._holders = 0
        service.listen(self._wake)

    def time(self) -> float:
        """Return seconds since 1970."""
        return self.service.now_ns() / 1e9 + self.ahead

    def monotonic(self) -> float:
        """Return seconds since this clock was made."""
        return (self.service.now_ns() - self._start_ns) / 1e9

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.service.advance(seconds)

    def sleep(self, seconds: float) -> None:
        """Let so much time pass, at once."""
        self.service.advance(max(0.0, seconds))

    async def async_sleep(self, seconds: float) -> None:
        """Wait until so much time has passed; it passes when nothing else can run."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        with self._lock:
            due = self.monotonic() + seconds
            heapq.heappush(self._sleepers, (due, next(self._number), loop, future))
            begin = loop not in self._turns
            # One that has stopped to turn while an answer is awaited keeps that mark: it is set going by it again.
            if self._turns.get(loop, 0) >= 0:
                self._turns[loop] = _TURNS
        if begin:
            loop.call_soon(self._turn, loop)
        await future

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        """Wait for an event, for so long at most; return whether it is set."""
        waits = {asyncio.ensure_future(self.async_sleep(seconds)), asyncio.ensure_future(event.wait())}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
        return event.is_set()

    async def turn(self) -> float:
        """Let the event loop turn once, in no time."""
        await asyncio.sleep(0)
        return 0.0

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let no time pass by itself on event loops meanwhile."""
        with self._lock:
            self._holders += 1
        try:
            yield
        finally:
            with self._lock:
                self._holders -= 1
                parked = [] if self._holders else [loop for loop, left in self._turns.items() if left < 0]
                self._turns |= dict.fromkeys(parked, _TURNS)
            for loop in parked:
                if not loop.is_closed():
                    loop.call_soon_threadsafe(self._turn, loop)

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        """Watch a loop go round; when nothing else has happened for long enough, let time pass."""
        with self._lock:
            if self._holders:
                self._turns[loop] = -1
                return
            due = self._next_due()
            if due is None:
                del self._turns[loop]
                return
            quiet = not self._turns[loop]
            self._turns[loop] = _TURNS if quiet else self._turns[loop] - 1
        if quiet:
            # Less would be lost in the rounding, and whoever asks for the rest of a pause would ask without end.
            self.service.advance(max(_ROUNDING, due - self.monotonic()))
        loop.call_soon(self._turn, loop)

    def _next_due(self) -> float | None:
        while self._sleepers and self._sleepers[0][3].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    def _wake(self) -> None:
        """Wake whose pause is over."""
        now = self.monotonic() + _ROUNDING
        over = []
        with self._lock:
            while self._sleepers and self._sleepers[0][0] <= now:
                over.append(heapq.heappop(self._sleepers))
        for _, _, loop, future in over:
            if not loop.is_closed():
                loop.call_soon_threadsafe(_finish, future)


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
