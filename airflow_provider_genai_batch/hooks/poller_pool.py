"""One async client and one poller per connection and event loop, kept for as long as a trigger uses them."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.client.polling.poller import JobPoller
from airflow_provider_genai_batch.hooks.genai_batch import GenAIBatchHook

STAYS_REFUSED = 30.0
"""Seconds before a connection that was read again is read once more: thousands may wait with a revoked key."""

_AT_ONCE = 50
"""How many borrowers continue in one turn of the event loop."""


@dataclass
class _Lease:
    poller: asyncio.Task[JobPoller]
    users: int = 0
    anew: float | None = None
    """When it replaced a lease whose credentials were refused, in monotonic seconds; None: it replaced none."""
    successor: _Lease | None = None
    """The lease that replaced this one; it stays open for as long as a borrower of this one may need it."""
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)
    """Borrowers that came before the connection was ready."""

    async def lent(self) -> JobPoller:
        """Return the poller when it is ready.

        Thousands may wait for it. They continue in small groups, so that other coroutines can run in between.
        """
        if self.waiting or not self.poller.done():
            if not self.waiting:
                self.poller.add_done_callback(self._go_on)
            turn = asyncio.get_running_loop().create_future()
            self.waiting.append(turn)
            await turn
        return self.poller.result()

    def _go_on(self, _: object = None) -> None:
        for _ in range(min(_AT_ONCE, len(self.waiting))):
            turn = self.waiting.popleft()
            if not turn.done():
                turn.set_result(None)
        if self.waiting:
            self.poller.get_loop().call_soon(self._go_on)

    @property
    def over(self) -> bool:
        """Whether the next borrower gets a new lease; current borrowers keep this one."""
        if not self.poller.done():
            return False
        if self.poller.cancelled() or self.poller.exception() is not None:
            return True
        if self.anew is not None and clock.monotonic() - self.anew < STAYS_REFUSED:
            return False
        return self.poller.result().client.refused


_leases: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, _Lease]] = WeakKeyDictionary()


def lent() -> list[str]:
    """Return the connections whose pollers are in use on this event loop."""
    return [*_leases.get(asyncio.get_running_loop(), ())]


class shared_poller:  # noqa: N801 - used as a function; a generator's frame for each waiting trigger would be much
    """Lends the loop's poller of a connection, with its client; the last borrower closes them.

    The first borrower starts the look-up of the connection, and all share it; it goes on if the first borrower is
    cancelled. The connection is looked up again once its credentials were refused, because a key may have been rotated.
    """

    __slots__ = ("_conn_id", "_lease")

    def __init__(self, conn_id: str) -> None:
        self._conn_id = conn_id
        self._lease: _Lease | None = None

    async def __aenter__(self) -> JobPoller:
        """Borrow the poller."""
        leases = _leases.setdefault(asyncio.get_running_loop(), {})
        lease = leases.get(self._conn_id)
        if lease is None:
            lease = leases[self._conn_id] = self._make()
        elif lease.over:
            lease.successor = leases[self._conn_id] = self._make(anew=clock.monotonic(), users=1)
            lease = lease.successor
        self._lease = lease
        lease.users += 1
        try:
            return await lease.lent()
        except BaseException:  # also if the borrower is cancelled: nobody else would give it back
            await self._give_back(lease)
            raise

    def _make(self, **more: Any) -> _Lease:
        return _Lease(asyncio.ensure_future(_poller(self._conn_id)), **more)

    async def __aexit__(self, *_: object) -> None:
        """Give the poller back."""
        assert self._lease is not None  # noqa: S101 - it was entered
        await self._give_back(self._lease)

    async def _give_back(self, lease: _Lease | None) -> None:
        while lease is not None:
            lease.users -= 1
            if lease.users:
                return
            leases = _leases[asyncio.get_running_loop()]
            if leases.get(self._conn_id) is lease:
                del leases[self._conn_id]
            await _close(lease.poller)
            lease = lease.successor


async def _poller(conn_id: str) -> JobPoller:
    return JobPoller(await GenAIBatchHook(conn_id).get_async_conn())


async def _close(pending: asyncio.Task[JobPoller]) -> None:
    if pending.done():
        if not pending.cancelled() and pending.exception() is None:
            await pending.result().close()
    else:
        pending.cancel()
