"""One async client per connection and event loop, for as long as somebody uses it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from airflow_provider_genai_batch.client import AsyncGenAIBatchClient
from airflow_provider_genai_batch.hooks.genai_batch import GenAIBatchHook


@dataclass
class _Lease:
    client: asyncio.Task[AsyncGenAIBatchClient]
    users: int = 0


_leases: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, _Lease]] = WeakKeyDictionary()


@asynccontextmanager
async def shared_client(conn_id: str) -> AsyncIterator[AsyncGenAIBatchClient]:
    """Lend the loop's client of a connection; the last one out closes it.

    The connection is looked up once, by whoever comes first; a cancelled first comer does not take the look-up
    of the others along.
    """
    leases = _leases.setdefault(asyncio.get_running_loop(), {})
    lease = leases.get(conn_id)
    if lease is None:
        lease = leases[conn_id] = _Lease(asyncio.ensure_future(GenAIBatchHook(conn_id).get_async_conn()))
    lease.users += 1
    try:
        yield await asyncio.shield(lease.client)
    finally:
        lease.users -= 1
        if not lease.users:
            if leases.get(conn_id) is lease:
                del leases[conn_id]
            await _close(lease.client)


async def _close(pending: asyncio.Task[AsyncGenAIBatchClient]) -> None:
    if pending.done():
        if not pending.cancelled() and pending.exception() is None:
            await pending.result().close()
    else:
        pending.cancel()
