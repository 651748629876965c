"""Cancels jobs that are no longer wanted, when a user ends the task of a trigger."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import AirflowNotFoundException
from airflow.triggers.base import BaseTrigger

from airflow_provider_genai_batch.exceptions import GenAIBatchError
from airflow_provider_genai_batch.hooks.task_state import has_left, in_loop

if TYPE_CHECKING:
    from airflow_provider_genai_batch.client import AsyncGenAIBatchClient

STILL_WANTED = ("deferred", "scheduled", "queued", "running")
"""States in which a task still wants its jobs; another triggerer's copy of the trigger may have resumed it.

Then Airflow stops this copy, although no user has done anything. A task that a user cleared looks the same as soon as
it is scheduled; then its next attempt reattaches to the jobs.
"""
_USER_ACTION = "__airflow_user_action__"
"""The message with which Airflow 3.3 and later cancel a trigger whose task a user has ended.

Airflow 3.4 uses it only if its database no longer has the trigger; a trigger that moved is cancelled with another
message. Source: ``airflow.jobs.triggerer_job_runner``.
"""
cancelling: set[asyncio.Task[None]] = set()
"""Running cancellations. They are kept here because the event loop itself keeps no task alive."""


class CancelsUnwanted(BaseTrigger):
    """Base of triggers whose tasks have running jobs.

    Args:
        conn_id: the Airflow connection.
        job_names: the names of the jobs.
        cancel_on_kill: cancel the jobs if somebody kills or clears the task, or sets its state.
    """

    def __init__(self, conn_id: str, job_names: Sequence[str], *, cancel_on_kill: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's base is not typed
        self.conn_id = conn_id
        self.job_names = list(job_names)
        self.cancel_on_kill = cancel_on_kill
        self._user_action = False

    @property
    def appear_until(self) -> float:
        """Until when the service may not know the new jobs by their names yet, in seconds since the epoch."""
        return 0.0

    @property
    def wanting(self) -> Sequence[str]:
        """The states in which the task wants its jobs."""
        return STILL_WANTED

    async def stopped(self, stop: asyncio.CancelledError) -> None:
        """Handle the cancellation of the trigger. Before Airflow 3.3, Airflow does not call `on_kill` itself."""
        self._user_action = stop.args[:1] == (_USER_ACTION,)
        if not hasattr(BaseTrigger, "on_kill"):
            await asyncio.shield(self.on_kill())

    async def on_kill(self) -> None:
        """Cancel the jobs if the task no longer waits for them.

        Airflow also calls this when the trigger only moves to another triggerer, and cancels the call every second
        while it runs (seen in 3.3.2). So the work runs in a task of its own, which is always finished.
        """
        if self.cancel_on_kill and self.job_names:
            work = asyncio.ensure_future(self._cancel_unwanted())
            cancelling.add(work)
            work.add_done_callback(cancelling.discard)
            await asyncio.shield(work)

    async def _cancel_unwanted(self) -> None:
        from asgiref.sync import sync_to_async

        from airflow_provider_genai_batch.hooks.poller_pool import shared_poller

        if in_loop(self.task_instance):
            # A triggerer cannot read the state of this iteration. Airflow's message is enough if the trigger could have
            # fired on another triggerer only because the only job had ended.
            if not self._user_action or self.wanting != ("deferred",):
                self.log.info("The state of one iteration is not known: %s is left alone.", self.job_names)
                return
        elif not await sync_to_async(has_left)(self.task_instance, *self.wanting):
            return
        try:
            async with shared_poller(self.conn_id) as poller:
                for name in self.job_names:
                    await self._cancel(poller.client, name)
        except (GenAIBatchError, AirflowNotFoundException) as error:
            self.log.error("%s could not be cancelled: %s", self.job_names, error)  # noqa: TRY400 - no trace needed

    async def _cancel(self, client: AsyncGenAIBatchClient, name: str) -> None:
        """Cancel one job. An error must not keep the other jobs running."""
        from airflow_provider_genai_batch.client.jobs import cancel_job

        try:
            until = self.appear_until
            became = await client.run(
                cancel_job(client.calls, name, is_new=lambda: client.service_time() < until)
            )
        except GenAIBatchError as error:
            self.log.error("Job %s could not be cancelled: %s", name, error)  # noqa: TRY400 - no trace needed
        else:
            self.log.info("The task no longer waits. Job %s %s.", name, became.words)
