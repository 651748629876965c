"""The only place where this package uses time: every reading of a clock, every pause and every timer.

The current clock is the system's. Tests replace it with `replaced`; `airflow_provider_genai_batch.testing` has a clock
that follows the emulator's. Flows take a clock as an argument; pass them `time`.
"""

from __future__ import annotations

import asyncio
import time as _time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime, timezone
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
_MINUTE = 60
_NOTHING: AbstractContextManager[None] = nullcontext()


class Clock(Protocol):
    """The clock behind the functions of this module. All times are in seconds."""

    def time(self) -> float:
        """Return the seconds since 1970; they may jump."""

    def monotonic(self) -> float:
        """Return the seconds since an arbitrary moment; they never jump."""

    def sleep(self, seconds: float) -> None:
        """Wait in a thread."""

    async def async_sleep(self, seconds: float) -> None:
        """Wait on an event loop."""

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        """Wait for an event, at most for this long; return whether it is set."""

    async def turn(self) -> float:
        """Let the event loop turn once; return the seconds of CPU time that it took."""

    def held(self) -> AbstractContextManager[None]:
        """Keep a clock that skips idle time from moving while an answer is on its way."""


class SystemClock:
    """The clock of the machine."""

    def time(self) -> float:
        """Return the seconds since 1970."""
        return _time.time()

    def monotonic(self) -> float:
        """Return the seconds since an arbitrary moment."""
        return _time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait in a thread."""
        _time.sleep(seconds)

    async def async_sleep(self, seconds: float) -> None:
        """Wait on an event loop."""
        await asyncio.sleep(seconds)

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        """Wait for an event, at most for this long; return whether it is set."""
        try:
            await asyncio.wait_for(event.wait(), seconds)
        except asyncio.TimeoutError:
            return False
        return True

    async def turn(self) -> float:
        """Let the event loop turn once; return the seconds of CPU time that it took."""
        before = _time.thread_time()
        await asyncio.sleep(0)
        return _time.thread_time() - before

    def held(self) -> AbstractContextManager[None]:
        """Do nothing: real time cannot be held."""
        return _NOTHING


_current: Clock = SystemClock()


@contextmanager
def replaced(clock: Clock) -> Iterator[None]:
    """Let the whole process use another clock until the block ends."""
    global _current  # noqa: PLW0603 - threads and event loops of a process share it
    before, _current = _current, clock
    try:
        yield
    finally:
        _current = before


def time() -> float:
    """Return the seconds since 1970."""
    return _current.time()


def now() -> datetime:
    """Return the current time as an aware datetime in UTC."""
    return datetime.fromtimestamp(_current.time(), timezone.utc)


def monotonic() -> float:
    """Return the seconds since an arbitrary moment; they never jump."""
    return _current.monotonic()


def sleep(seconds: float) -> None:
    """Wait in a thread."""
    _current.sleep(seconds)


async def async_sleep(seconds: float) -> None:
    """Wait on an event loop."""
    await _current.async_sleep(seconds)


async def wait(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event, at most for this long; return whether it is set."""
    return await _current.wait(event, seconds)


async def turn() -> float:
    """Let the event loop turn once; return the seconds of CPU time that it took."""
    return await _current.turn()


def held() -> AbstractContextManager[None]:
    """Hold the clock while an answer is on its way. The system's clock goes on."""
    return _current.held()


async def in_thread(do: Callable[..., T], *given: Any) -> T:
    """Call a function in a thread, and hold the clock until it returns; an event loop awaits it."""
    with held():
        return await asyncio.to_thread(do, *given)


def in_words(seconds: float) -> str:
    """Format seconds in their two largest units: ``45 s``, ``12 min``, ``2 h 5 min``, ``1 d``."""
    if seconds < _MINUTE:
        return f"{max(0.0, seconds):.0f} s"
    minutes = round(seconds / _MINUTE)
    hours, days = minutes // 60, minutes // (60 * 24)
    large, small = (f"{days} d", f"{hours % 24} h") if days else (f"{hours} h", f"{minutes % 60} min")
    if not hours:
        return small
    return large if small.startswith("0 ") else f"{large} {small}"
