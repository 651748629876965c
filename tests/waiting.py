"""Waiting for a condition, with a name for what did not happen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE = 120.0
"""Seconds: what is awaited comes at once, but not on a machine that is busy with other things."""


def wait_until(
    condition: Callable[[], object], what: str, timeout: float = PATIENCE, every: float = 0.05
) -> None:
    """Wait until the condition holds.

    Args:
        condition: Asked again and again.
        what: The condition in words, for the failure.
        timeout: Seconds.
        every: Seconds between two looks.

    Raises:
        AssertionError: It did not hold in time.
    """
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            message = f"after {timeout:g} s it was not so that {what}"
            raise AssertionError(message)
        time.sleep(every)


def wait_until_gone(pid: str | int, timeout: float = PATIENCE) -> None:
    """Wait until there is no such process.

    Args:
        pid: Process id.
        timeout: Seconds.

    Raises:
        AssertionError: It is still there.
    """
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), f"process {pid} is gone", timeout)


async def until(condition: Callable[[], object], what: str = "what is awaited holds") -> None:
    """Wait for a condition beside the event loop.

    Args:
        condition: Asked again and again, in a thread.
        what: The condition in words, for the failure.

    Raises:
        AssertionError: It did not hold in time.
    """
    await asyncio.to_thread(wait_until, condition, what)
