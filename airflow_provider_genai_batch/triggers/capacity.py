"""The trigger that waits for the service to have capacity again: it sleeps, and asks nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent


class GenAIBatchCapacityTrigger(BaseTrigger):
    """Fires at a moment, with what the task needs to go on.

    Airflow's own trigger for a moment brings nothing back, and not every way to run a task keeps what is given to
    ``defer``.

    Args:
        moment: seconds since the epoch.
        memo: the event's payload.
    """

    def __init__(self, moment: float, memo: dict[str, Any]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's base is not typed
        self.moment = moment
        self.memo = memo

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the metadata database keeps."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            "moment": self.moment,
            "memo": self.memo,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait."""
        await asyncio.sleep(max(0.0, self.moment - time.time()))
        yield TriggerEvent(self.memo)  # type: ignore[no-untyped-call]  # nor is its event
