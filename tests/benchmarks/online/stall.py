"""How long an event loop could not attend to a coroutine. Imports nothing but the standard library."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_PAUSE = 0.001


class Stall:
    """The longest one.

    Attributes:
        seconds: by the wall clock, neighbours on the machine included.
        cpu_seconds: of work of the loop itself.
    """

    seconds = 0.0
    cpu_seconds = 0.0


@asynccontextmanager
async def watched() -> AsyncIterator[Stall]:
    """Tick meanwhile."""
    stall = Stall()
    ticking = asyncio.create_task(_tick(stall))
    try:
        yield stall
    finally:
        ticking.cancel()


async def _tick(stall: Stall) -> None:
    while True:
        before, cpu = time.perf_counter(), time.thread_time()
        await asyncio.sleep(_PAUSE)
        stall.seconds = max(stall.seconds, time.perf_counter() - before - _PAUSE)
        stall.cpu_seconds = max(stall.cpu_seconds, time.thread_time() - cpu)
