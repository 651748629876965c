"""Pauses without a worker slot: while the service has no capacity for a job, or while an ended job's rows are late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import TriggerEvent

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.flows.retry import LONGEST
from airflow_provider_genai_batch.hooks.genai_batch import DEFAULT_CONN_ID
from airflow_provider_genai_batch.triggers.cancel_on_kill import CancelsUnwanted
from airflow_provider_genai_batch.triggers.deferral import ATTEMPT_OVER

if TYPE_CHECKING:
    from airflow_provider_genai_batch.task.jobs.patience import Patience

IN_SLOT = 5.0
"""How many seconds to wait for late rows in the slot, because a deferral and its resumption take as long."""
_LATE_SINCE = "late_since"


class GenAIBatchPauseTrigger(CancelsUnwanted):
    """Fires at a given time, with the data that the task needs to continue. It does not call the service.

    Airflow's own trigger for a moment brings no data back, and not every way to run a task keeps the ``kwargs`` of
    ``defer``.

    Args:
        moment: seconds since the epoch.
        memo: the event's payload.
        conn_id: the Airflow connection.
        job_names: jobs of the task that keep running meanwhile.
        cancel_on_kill: cancel these jobs if somebody kills or clears the task, or sets its state.
        **_newer: further arguments that a newer version of this package serialised; ignored.
    """

    def __init__(
        self,
        moment: float = 0.0,
        memo: dict[str, Any] | None = None,
        conn_id: str = DEFAULT_CONN_ID,
        job_names: Sequence[str] = (),
        cancel_on_kill: bool = False,
        **_newer: Any,
    ) -> None:
        super().__init__(conn_id, job_names, cancel_on_kill=cancel_on_kill)
        self.moment = moment
        self.memo = memo or {}

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the metadata database stores."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            "moment": self.moment,
            "memo": self.memo,
            "conn_id": self.conn_id,
            "job_names": self.job_names,
            "cancel_on_kill": self.cancel_on_kill,
        }

    def end_at(self, moment: float, left: float) -> None:  # noqa: ARG002 - it asks no service for the time
        """Fire after `left` seconds at the latest, and then report that the task's attempt is over.

        The process that continues cannot decide this as well, because its clock and the service's differ from this
        machine's.
        """
        over = clock.time() + max(0.0, left)
        if over < self.moment:
            self.moment = over
            self.memo = {**self.memo, ATTEMPT_OVER: True}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, then fire."""
        try:
            await clock.async_sleep(max(0.0, self.moment - clock.time()))
        except asyncio.CancelledError as stop:
            await self.stopped(stop)
            raise
        yield TriggerEvent(self.memo)  # type: ignore[no-untyped-call]  # nor is its event


class LateRows:
    """The way in which a deferrable task waits for rows of ended jobs: after a short while, without its slot.

    The pause fires with the event of the jobs' end, so that the task repeats what it did after that event.

    Args:
        task: a `KeepsOverDeferrals` with a ``conn_id`` and an ``execute_complete``.
        event: the event that this method takes.
        going: the task's jobs that keep running meanwhile.
        cancel_on_kill: cancel these jobs if somebody kills or clears the task, or sets its state.
    """

    def __init__(
        self,
        task: Any,
        event: dict[str, Any],
        going: Sequence[str] = (),
        *,
        cancel_on_kill: bool = False,
    ) -> None:
        self._task = task
        self._event = event
        self._going = going
        self._cancel_on_kill = cancel_on_kill
        self._since: float = event.get(_LATE_SINCE) or clock.time()

    @property
    def patience(self) -> Patience:
        """The patience to settle with."""
        from airflow_provider_genai_batch.task.jobs.patience import Patience

        return Patience(since=self._since, pause=self._pause)

    def _pause(self, seconds: float) -> None:
        """Wait for at least this long, in place or by a deferral."""
        from airflow_provider_genai_batch.flows.outcome.collect import READ_PATIENCE

        now = clock.time()
        waited = now - self._since
        if self._task.seconds_left <= 0:
            self._task.out_of_time(
                f"The task ran out of Airflow's time while it waited for the rows of jobs that have ended: "
                f"{', '.join(self._event.get('job_names', ()))}. What they answered is paid. The next attempt "
                "reattaches to them and pays nothing."
            )
        if waited + seconds < IN_SLOT:
            clock.sleep(seconds)
            return
        longer = min(now + min(waited, LONGEST), self._since + READ_PATIENCE)
        trigger = GenAIBatchPauseTrigger(
            max(now + seconds, longer),
            {**self._event, _LATE_SINCE: self._since},
            self._task.conn_id,
            self._going,
            self._cancel_on_kill,
        )
        self._task.defer(trigger=trigger, method_name="execute_complete")
