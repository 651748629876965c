"""A clock for tests: waiting takes no real time, and this package and the emulator share the same time."""

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
"""After so many idle turns of an event loop, nothing else is expected to run."""
_ROUNDING = 1e-6


class SharedClock:
    """A clock for this package that follows an emulator's clock, and advances that clock instead of waiting.

    A pause in a thread advances it at once. On event loops it advances when nothing else can run: to the end of the
    shortest pause, and not while an answer of the service is awaited. `airflow_provider_genai_batch.clock.replaced`
    installs it for the process; other processes keep the system's clock.

    Args:
        service: the clock of the emulator (`Emulator(clock=…)`). Advancing it ends the pauses here.

    Attributes:
        service: the clock of the emulator.
        ahead: seconds by which this machine's time of day is ahead of the service's. Setting it makes the time of day
            jump, but not the monotonic time.
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
        """The idle turns that are left for each loop with sleepers; negative: the loop is stopped by `held`."""
        self._holders = 0
        service.listen(self._wake)

    def time(self) -> float:
        """Return the seconds since 1970."""
        return self.service.now_ns() / 1e9 + self.ahead

    def monotonic(self) -> float:
        """Return the seconds since this clock was created."""
        return (self.service.now_ns() - self._start_ns) / 1e9

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.service.advance(seconds)

    def sleep(self, seconds: float) -> None:
        """Let this much time pass, without waiting."""
        self.service.advance(max(0.0, seconds))

    async def async_sleep(self, seconds: float) -> None:
        """Wait until this much time has passed; it passes when nothing else can run."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        with self._lock:
            due = self.monotonic() + seconds
            heapq.heappush(self._sleepers, (due, next(self._number), loop, future))
            begin = loop not in self._turns
            # A loop that stopped while an answer is awaited keeps its negative mark, by which `held` starts it again.
            if self._turns.get(loop, 0) >= 0:
                self._turns[loop] = _TURNS
        if begin:
            loop.call_soon(self._turn, loop)
        await future

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        """Wait for an event, at most for this long; return whether it is set."""
        waits = {asyncio.ensure_future(self.async_sleep(seconds)), asyncio.ensure_future(event.wait())}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
        return event.is_set()

    async def turn(self) -> float:
        """Let the event loop turn once; it takes no time on this clock."""
        await asyncio.sleep(0)
        return 0.0

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep event loops from advancing the clock until the block ends."""
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
        """Count the idle turns of a loop, and advance the clock after enough of them."""
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
            # A smaller step would be lost in rounding, and code that waits for the rest of a pause would never end.
            self.service.advance(max(_ROUNDING, due - self.monotonic()))
        loop.call_soon(self._turn, loop)

    def _next_due(self) -> float | None:
        while self._sleepers and self._sleepers[0][3].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    def _wake(self) -> None:
        """Wake the sleepers whose pause is over."""
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
