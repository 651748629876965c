"""The trigger that waits for the service to have capacity again: it sleeps, and asks nothing of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

from airflow.triggers.base import TriggerEvent

from airflow_provider_genai_batch.triggers.unwanted import CancelsUnwanted


class GenAIBatchCapacityTrigger(CancelsUnwanted):
    """Fires at a moment, with what the task needs to go on.

    Airflow's own trigger for a moment brings nothing back, and not every way to run a task keeps what is given to
    ``defer``.

    Args:
        moment: seconds since the epoch.
        memo: the event's payload.
        conn_id: the Airflow connection.
        job_names: jobs of the task that go on meanwhile.
        cancel_on_kill: cancel them when somebody kills, clears or marks the task.
    """

    def __init__(
        self,
        moment: float,
        memo: dict[str, Any],
        conn_id: str,
        job_names: Sequence[str] = (),
        cancel_on_kill: bool = False,
    ) -> None:
        super().__init__(conn_id, job_names, cancel_on_kill=cancel_on_kill)
        self.moment = moment
        self.memo = memo

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the metadata database keeps."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            "moment": self.moment,
            "memo": self.memo,
            "conn_id": self.conn_id,
            "job_names": self.job_names,
            "cancel_on_kill": self.cancel_on_kill,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait."""
        try:
            await asyncio.sleep(max(0.0, self.moment - time.time()))
        except asyncio.CancelledError:
            await self.stopped()
            raise
        yield TriggerEvent(self.memo)  # type: ignore[no-untyped-call]  # nor is its event
