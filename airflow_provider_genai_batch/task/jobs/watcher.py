"""Watches jobs: looks once, or waits in place until they end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeAlias

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.client.jobs import cancel_job
from airflow_provider_genai_batch.flows.drive import drive
from airflow_provider_genai_batch.flows.steps import (
    Cancel,
    Look,
    Sleep,
    WatchStep,
    unknown,
)
from airflow_provider_genai_batch.flows.watch import Ending, WaitPlan, look_once, watch
from airflow_provider_genai_batch.models.jobs.cancellation import Cancellation
from airflow_provider_genai_batch.task.jobs.traces import (
    WAIT,
    WHY,
    span,
)

OpenClient: TypeAlias = Callable[[str], AbstractContextManager[GenAIBatchClient]]
"""Opens a client of an Airflow connection; closed at the end of the block."""


@dataclass(frozen=True)
class JobWatcher:
    """Looks at jobs, cancels them, and waits.

    Attributes:
        client: the client of the task's connection.
        open_client: opens a client of a connection that an earlier attempt used; None: there was no earlier attempt.
    """

    client: GenAIBatchClient
    open_client: OpenClient | None = None

    def wait(self, names: list[str], plan: WaitPlan) -> Ending:
        """Wait in place."""
        with span(WAIT, names) as note:
            ending = drive(watch(names, plan, clock=self.client.service_time), self.act)
            note({WHY: ending.why.value})
        return ending

    def look_once(self, names: list[str], appear_until: float = 0.0) -> Ending | None:
        """Look once; return None while a job runs, or cannot be read yet."""
        service_time = self.client.service_time
        return drive(look_once(names, {}, clock=service_time, appear_until=appear_until), self.act)

    def act(self, step: WatchStep, tries: int = 1) -> Any:
        """Carry out a step; a look is tried `tries` times before its failure counts."""
        match step:
            case Look(name):
                return self.client.perform(self.client.calls.look(name), tries)
            case Cancel():
                return self._cancel(step)
            case Sleep(seconds):
                return clock.sleep(seconds)
            case _:
                return unknown(step)

    def _cancel(self, step: Cancel) -> Cancellation:
        how: dict[str, Any] = {"only_if": step.only_if, "is_new": step.is_new}
        if not step.conn_id or self.open_client is None:
            return self.client.run(cancel_job(self.client.calls, step.name, **how))
        with self.open_client(step.conn_id) as client:
            return client.run(cancel_job(client.calls, step.name, **how))
