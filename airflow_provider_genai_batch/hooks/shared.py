"""One async client and one looker per connection and event loop, for as long as somebody uses them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from airflow_provider_genai_batch.client.looker import Looker
from airflow_provider_genai_batch.hooks.genai_batch import GenAIBatchHook


@dataclass
class _Lease:
    looker: asyncio.Task[Looker]
    users: int = 0


_leases: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, _Lease]] = WeakKeyDictionary()


@asynccontextmanager
async def shared_looker(conn_id: str) -> AsyncIterator[Looker]:
    """Lend the loop's looker of a connection, and its client with it; the last one out closes them.

    The connection is looked up once, by whoever comes first; a cancelled first comer does not take the look-up
    of the others along.
    """
    leases = _leases.setdefault(asyncio.get_running_loop(), {})
    lease = leases.get(conn_id)
    if lease is None:
        lease = leases[conn_id] = _Lease(asyncio.ensure_future(_looker(conn_id)))
    lease.users += 1
    try:
        yield await asyncio.shield(lease.looker)
    finally:
        lease.users -= 1
        if not lease.users:
            if leases.get(conn_id) is lease:
                del leases[conn_id]
            await _close(lease.looker)


async def _looker(conn_id: str) -> Looker:
    return Looker(await GenAIBatchHook(conn_id).get_async_conn())


async def _close(pending: asyncio.Task[Looker]) -> None:
    if pending.done():
        if not pending.cancelled() and pending.exception() is None:
            await pending.result().close()
    else:
        pending.cancel()
