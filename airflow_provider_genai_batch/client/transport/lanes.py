"""Connections of one event loop, each with a client of httpx of its own.

A pool of httpcore looks at all of its connections, idle ones at all others again, when a call begins and when it ends:
with sixty calls at a time that costs as much as all the rest of a call.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Generic, Protocol, TypeVar

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.exceptions import TransportError

_LONGEST_IDLE = 30.0
"""Seconds after which a lane that nobody needs is closed; httpcore closes its connection earlier, at its next use."""


class Lane(Protocol):
    """A client of one connection."""

    async def aclose(self) -> None:
        """Close it."""


L = TypeVar("L", bound=Lane)


class Lanes(Generic[L]):
    """Clients of one connection each, made as they are needed; the most recently used is borrowed first.

    Args:
        make: opens a client.
        most: calls at a time; others wait.
        patience: seconds that a call waits for its turn.
    """

    def __init__(self, make: Callable[[], L], most: int, patience: float) -> None:
        self._make, self._patience = make, patience
        self._free = most
        self._queue = deque[asyncio.Event]()
        self._idle = deque[tuple[float, L]]()
        self._all = set[L]()

    @asynccontextmanager
    async def one(self) -> AsyncGenerator[L, None]:
        """Give a client to one call.

        Raises:
            TransportError: none was free in time.
        """
        await self._turn()
        client = self._idle.pop()[1] if self._idle else self._opened()
        try:
            yield client
        finally:
            self._leave()
            self._idle.append((clock.monotonic(), client))
            await self._close_idle()

    async def close(self) -> None:
        """Close all of them."""
        self._idle.clear()
        while self._all:
            await self._all.pop().aclose()

    async def _turn(self) -> None:
        if self._free:
            self._free -= 1
            return
        mine = asyncio.Event()
        self._queue.append(mine)
        try:
            await clock.wait(mine, self._patience)
        except asyncio.CancelledError:
            self._give_up(mine)
            raise
        if not mine.is_set():
            self._give_up(mine)
            msg = f"no connection was free within {self._patience:g} seconds"
            raise TransportError(msg)

    def _leave(self) -> None:
        """Give a place to who has waited longest."""
        if self._queue:
            self._queue.popleft().set()
        else:
            self._free += 1

    def _give_up(self, waiting: asyncio.Event) -> None:
        if waiting.is_set():
            self._leave()
        else:
            self._queue.remove(waiting)

    def _opened(self) -> L:
        client = self._make()
        self._all.add(client)
        return client

    async def _close_idle(self) -> None:
        """Close those at the bottom of the heap."""
        while self._idle and self._idle[0][0] < clock.monotonic() - _LONGEST_IDLE:
            _, client = self._idle.popleft()
            self._all.discard(client)
            await client.aclose()
