"""The trigger that waits for jobs on the triggerer's event loop. It never submits or downloads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from airflow.providers.common.compat.sdk import AirflowNotFoundException
from airflow.triggers.base import TriggerEvent

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.exceptions import GenAIBatchError
from airflow_provider_genai_batch.hooks.genai_batch import DEFAULT_CONN_ID
from airflow_provider_genai_batch.triggers.cancel_on_kill import STILL_WANTED, CancelsUnwanted

if TYPE_CHECKING:
    from airflow_provider_genai_batch.flows.watch import Ending

_loaded = threading.Event()
_loads: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Future[None]] = WeakKeyDictionary()


def _load() -> None:
    """Import the modules for watching jobs. This takes 0.2 s, for which the first trigger must not block the others."""
    for module in ("client.polling.driver", "flows.watch", "hooks.poller_pool", "task.jobs.traces"):
        import_module(f"airflow_provider_genai_batch.{module}")
    import_module("airflow_provider_genai_batch.client.transport.http").ssl_context()
    _loaded.set()


async def _loaded_once() -> None:
    """Wait until all modules are imported, by one thread for all triggers."""
    loop = asyncio.get_running_loop()
    if (load := _loads.get(loop)) is None or load.done():
        load = _loads[loop] = asyncio.ensure_future(asyncio.to_thread(_load))
    await asyncio.shield(load)


class GenAIBatchTrigger(CancelsUnwanted):
    """Fires once, when all jobs have ended, one can no longer be read, or a deadline has passed.

    Args:
        conn_id: the Airflow connection.
        job_names: the names of the jobs.
        plan: `flows.watch.WaitPlan` as a dict.
        memo: data that the task gets back with the event.
        cancel_on_kill: cancel the jobs if somebody kills or clears the task, or sets its state.
        **_newer: further arguments that a newer version of this package serialised; ignored.

    The event's payload is `flows.watch.Ending` as a dict, ``job_names`` and ``memo``; no rows.
    """

    def __init__(
        self,
        conn_id: str = DEFAULT_CONN_ID,
        job_names: Sequence[str] = (),
        plan: dict[str, Any] | None = None,
        memo: dict[str, Any] | None = None,
        cancel_on_kill: bool = False,
        **_newer: Any,
    ) -> None:
        super().__init__(conn_id, job_names, cancel_on_kill=cancel_on_kill)
        self.plan = plan or {}
        self.memo = memo

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the metadata database stores; it contains no secret."""
        kwargs = {
            "conn_id": self.conn_id,
            "job_names": self.job_names,
            "plan": self.plan,
            "memo": self.memo,
            "cancel_on_kill": self.cancel_on_kill,
        }
        return f"{type(self).__module__}.{type(self).__qualname__}", kwargs

    def end_at(self, moment: float, left: float) -> None:  # noqa: ARG002 - it has the service's clock itself
        """Wait at most until this time of the service's clock, when the task's attempt is over."""
        self.plan = {**self.plan, "attempt_ends": moment, "cancel_with_attempt": self.cancel_on_kill}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Watch the jobs."""
        try:
            if not _loaded.is_set():
                await _loaded_once()
            ending = await self._wait()
        except asyncio.CancelledError as stop:
            await self.stopped(stop)
            raise
        payload = {**ending.as_dict(), "job_names": self.job_names, "memo": self.memo}
        yield TriggerEvent(payload)  # type: ignore[no-untyped-call]  # nor is its event

    async def _wait(self) -> Ending:
        from airflow_provider_genai_batch.client.polling.driver import drive_with_poller
        from airflow_provider_genai_batch.flows.watch import Ending, WaitPlan, Why, watch
        from airflow_provider_genai_batch.hooks.poller_pool import shared_poller
        from airflow_provider_genai_batch.task.jobs.traces import WAIT, WHY, of_jobs, passed

        if not self.job_names:
            return Ending(Why.LOST, {}, "the trigger names no job")
        began = int(clock.time() * 1e9)
        try:
            for again in (False, True):
                async with shared_poller(self.conn_id) as poller:
                    plan, service_time = WaitPlan.from_dict(self.plan), poller.client.service_time
                    flow = watch(self.job_names, plan, clock=service_time)
                    ending = await drive_with_poller(flow, self.job_names, poller)
                if again or ending.why is not Why.LOST or not poller.client.refused:
                    break  # otherwise the connection may have another key by now
        except (GenAIBatchError, AirflowNotFoundException) as error:  # no usable connection: the task says so
            ending = Ending(Why.LOST, {}, str(error))
        passed(WAIT, began, {**of_jobs(self.job_names), WHY: ending.why.value})
        return ending

    @property
    def appear_until(self) -> float:
        """Until when the service may not know the new jobs by their names yet, in seconds since the epoch."""
        until = self.plan.get("appear_until")
        return float(until) if isinstance(until, (int, float)) else 0.0

    @property
    def wanting(self) -> Sequence[str]:
        """The states in which the task still wants its jobs; with several jobs it may be resumed after the first."""
        more_than_one = self.plan.get("until_first") and len(self.job_names) > 1
        return STILL_WANTED if more_than_one else ("deferred",)
