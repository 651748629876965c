"""Connections of one event loop, each with its own httpx client.

When a call begins or ends, a connection pool of httpcore goes through all its connections, and for each idle one
through all others again. With sixty simultaneous calls, that costs as much as all the rest of a call.
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
"""Seconds after which an idle lane is closed. httpcore closes an idle connection earlier, but only at its next use."""


class Lane(Protocol):
    """A client with one connection."""

    async def aclose(self) -> None:
        """Close it."""


L = TypeVar("L", bound=Lane)


class Lanes(Generic[L]):
    """Clients with one connection each, opened when they are needed; the most recently used one is lent first.

    Args:
        make: opens a client.
        most: the most calls at a time; others wait.
        patience: how long a call waits for a client, in seconds.
    """

    def __init__(self, make: Callable[[], L], most: int, patience: float) -> None:
        self._make, self._patience = make, patience
        self._free = most
        self._queue = deque[asyncio.Event]()
        self._idle = deque[tuple[float, L]]()
        self._all = set[L]()

    @asynccontextmanager
    async def one(self) -> AsyncGenerator[L, None]:
        """Lend a client to one call.

        Raises:
            TransportError: no client was free in time.
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
        """Close all clients."""
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
        """Let the call go on that has waited longest."""
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
        """Close the clients that have not been used for longest, at the bottom of the stack."""
        while self._idle and self._idle[0][0] < clock.monotonic() - _LONGEST_IDLE:
            _, client = self._idle.popleft()
            self._all.discard(client)
            await client.aclose()
