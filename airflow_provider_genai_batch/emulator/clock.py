"""Clocks: time in whole nanoseconds, real or moved by a test."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone
from email.utils import format_datetime
from functools import lru_cache

NANOSECONDS = 1_000_000_000


class Clock:
    """Real time, which cannot be moved."""

    def now_ns(self) -> int:
        """Return nanoseconds since 1970."""
        return time.time_ns()

    def now(self) -> datetime:
        """Return the time as an aware datetime."""
        return datetime.fromtimestamp(self.now_ns() / NANOSECONDS, tz=timezone.utc)

    @property
    def offset_ns(self) -> int:
        """How far this clock was moved ahead."""
        return 0

    def advance(self, seconds: float) -> None:
        """Move the clock ahead.

        Raises:
            TypeError: This clock is real.
        """
        message = f"a real clock cannot be advanced by {seconds} s; give the emulator a VirtualClock"
        raise TypeError(message)


class RealClock(Clock):
    """Real time, under an explicit name."""


class VirtualClock(Clock):
    """A clock that tests move: real time plus an offset, or standing still from a given start."""

    def __init__(self, start: datetime | None = None) -> None:
        """Start at a moment and stand still there, or run along with real time.

        Args:
            start: Aware moment at which the clock stands still; ``None``: it runs with real time.
        """
        self._frozen_ns = None if start is None else int(start.timestamp() * NANOSECONDS)
        self._offset_ns = 0
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []

    def now_ns(self) -> int:
        """Return nanoseconds since 1970 on this clock."""
        base = time.time_ns() if self._frozen_ns is None else self._frozen_ns
        return base + self._offset_ns

    @property
    def offset_ns(self) -> int:
        """How far this clock was moved ahead."""
        return self._offset_ns

    def advance(self, seconds: float) -> None:
        """Move the clock ahead.

        Raises:
            ValueError: The seconds are negative.
        """
        if seconds < 0:
            message = "a clock does not go back"
            raise ValueError(message)
        with self._lock:
            self._offset_ns += int(seconds * NANOSECONDS)
        for listener in tuple(self._listeners):
            listener()

    def restore(self, offset_ns: int) -> None:
        """Restore an offset that an earlier process kept."""
        with self._lock:
            self._offset_ns = max(self._offset_ns, offset_ns)

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call a function after every move; return a function that ends this."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)


def nanos_text(at_ns: int) -> str:
    """Format a time as the Gemini API does: RFC 3339, Z, nine digits."""
    whole, fraction = divmod(at_ns, NANOSECONDS)
    moment = datetime.fromtimestamp(whole, tz=timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{fraction:09d}Z"


@lru_cache(maxsize=64)
def micros_text(at_ns: int) -> str:
    """Format a time as Vertex AI does: RFC 3339, Z, six digits."""
    whole, fraction = divmod(at_ns, NANOSECONDS)
    moment = datetime.fromtimestamp(whole, tz=timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{fraction // 1000:06d}Z"


def http_text(at_ns: int) -> str:
    """Format a time as HTTP does: rounded down to whole seconds (RFC 9110, 5.6.7)."""
    return format_datetime(datetime.fromtimestamp(at_ns // NANOSECONDS, tz=timezone.utc), usegmt=True)
