"""The trigger: waits for jobs on the triggerer's event loop. It looks and cancels; it never submits or downloads."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_genai_batch.hooks.states import has_left

if TYPE_CHECKING:
    from airflow_provider_genai_batch.client import AsyncGenAIBatchClient
    from airflow_provider_genai_batch.flows.watch import Ending

_cancelling: set[asyncio.Task[None]] = set()
"""Cancellations under way: the event loop itself keeps no task alive."""
_loaded = threading.Event()


def _load() -> None:
    """Load what looks need: a fifth of a second that the first trigger must not take from all others on its loop."""
    for module in ("client.follow", "flows.watch", "hooks.shared", "hooks.traces"):
        import_module(f"airflow_provider_genai_batch.{module}")
    import_module("airflow_provider_genai_batch.client.http").ssl_context()
    _loaded.set()


class GenAIBatchTrigger(BaseTrigger):
    """Fires once, when all jobs have ended, one cannot be looked at any more, or a deadline has passed.

    Args:
        conn_id: the Airflow connection.
        job_names: the jobs.
        plan: `flows.watch.WaitPlan` as a dict.
        memo: whatever the task wants back with the event.
        cancel_on_kill: cancel the jobs when somebody kills, clears or marks the task meanwhile.

    The event's payload is `flows.watch.Ending` as a dict, ``job_names`` and ``memo``; no rows.
    """

    def __init__(
        self,
        conn_id: str,
        job_names: Sequence[str],
        plan: dict[str, Any],
        memo: dict[str, Any] | None = None,
        cancel_on_kill: bool = False,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's base is not typed
        self.conn_id = conn_id
        self.job_names = list(job_names)
        self.plan = plan
        self.memo = memo
        self.cancel_on_kill = cancel_on_kill

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the metadata database keeps; no secret is in it."""
        kwargs = {
            "conn_id": self.conn_id,
            "job_names": self.job_names,
            "plan": self.plan,
            "memo": self.memo,
            "cancel_on_kill": self.cancel_on_kill,
        }
        return f"{type(self).__module__}.{type(self).__qualname__}", kwargs

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Watch the jobs."""
        try:
            if not _loaded.is_set():
                await asyncio.to_thread(_load)
            ending = await self._wait()
        except asyncio.CancelledError:
            if not hasattr(BaseTrigger, "on_kill"):  # before Airflow 3.3 nobody else calls it
                await asyncio.shield(self.on_kill())
            raise
        payload = {**ending.as_dict(), "job_names": self.job_names, "memo": self.memo}
        yield TriggerEvent(payload)  # type: ignore[no-untyped-call]  # nor is its event

    async def _wait(self) -> Ending:
        from airflow.providers.common.compat.sdk import AirflowNotFoundException

        from airflow_provider_genai_batch.client.follow import follow
        from airflow_provider_genai_batch.exceptions import GenAIBatchError
        from airflow_provider_genai_batch.flows.watch import Ending, WaitPlan, Why, watch
        from airflow_provider_genai_batch.hooks.shared import shared_looker
        from airflow_provider_genai_batch.hooks.traces import WAIT, WHY, of_jobs, passed

        began = time.time_ns()
        try:
            for again in (False, True):
                async with shared_looker(self.conn_id) as looker:
                    flow = watch(self.job_names, WaitPlan(**self.plan), clock=time.time)
                    ending = await follow(flow, self.job_names, looker)
                if again or ending.why is not Why.LOST or not looker.client.refused:
                    break  # else the connection may have another key by now
        except (GenAIBatchError, AirflowNotFoundException) as error:  # no connection to use: the task says so
            ending = Ending(Why.LOST, {}, str(error))
        passed(WAIT, began, {**of_jobs(self.job_names), WHY: ending.why.value})
        return ending

    async def on_kill(self) -> None:
        """Cancel the jobs, if the task does not wait for them any more.

        Airflow calls this also when the trigger only moves to another triggerer, and while it runs cancels it again
        every second (seen in 3.3.2). So the work is a task of its own, which nothing but its end ends.
        """
        if self.cancel_on_kill:
            work = asyncio.ensure_future(self._cancel_unwanted())
            _cancelling.add(work)
            work.add_done_callback(_cancelling.discard)
            await asyncio.shield(work)

    async def _cancel_unwanted(self) -> None:
        from airflow.providers.common.compat.sdk import AirflowNotFoundException
        from asgiref.sync import sync_to_async

        from airflow_provider_genai_batch.exceptions import GenAIBatchError
        from airflow_provider_genai_batch.hooks.shared import shared_looker

        if not await sync_to_async(has_left)(self.task_instance, *self._wanting):
            return
        try:
            async with shared_looker(self.conn_id) as looker:
                for name in self.job_names:
                    await self._cancel(looker.client, name)
        except (GenAIBatchError, AirflowNotFoundException) as error:
            self.log.error("%s could not be cancelled: %s", self.job_names, error)  # noqa: TRY400 - no trace needed

    @property
    def _wanting(self) -> Sequence[str]:
        """The states in which the task wants its jobs.

        One that waits for the first of several goes on while the others run. If another triggerer's copy of this
        trigger fired, Airflow stops this one, and no user has done anything. A task that a user cleared looks the same
        as soon as it is scheduled; then its next attempt takes the jobs up.
        """
        more_than_one = self.plan.get("until_first") and len(self.job_names) > 1
        return ("deferred", "scheduled", "queued", "running") if more_than_one else ("deferred",)

    async def _cancel(self, client: AsyncGenAIBatchClient, name: str) -> None:
        """Cancel one job; trouble with it is no reason to let the others go on."""
        from airflow_provider_genai_batch.client.jobs import cancel_job
        from airflow_provider_genai_batch.exceptions import GenAIBatchError

        try:
            said = await client.run(cancel_job(client.calls, name))
        except GenAIBatchError as error:
            self.log.error("Job %s could not be cancelled: %s", name, error)  # noqa: TRY400 - no trace needed
        else:
            self.log.info("The task does not wait any more. Job %s %s.", name, said)
