"""A task instance in the metadata database that waits for a job on the triggerer, as if a worker had deferred it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle
from airflow_provider_genai_batch.flows.watch import WaitPlan
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.triggers.genai_batch import GenAIBatchTrigger
from tests.dags import run_dag
from tests.operators.scenes import MODEL, client


class Waiting:
    """One task instance, by its DAG, and the job that it waits for."""

    def __init__(self, dag_id: str, job: str = "") -> None:
        self._dag_id = dag_id
        self._job = job

    def set(self, state: str | None, trigger: int | None = None) -> None:
        """Set its state, as Airflow's UI does when a user marks or clears it."""
        with self._row() as row:
            row.state, row.trigger_id = state, trigger

    @property
    def state(self) -> str | None:
        with self._row() as row:
            return None if row.state is None else str(row.state)

    def looks(self, emulator: Emulator) -> int:
        """Return how often the job has been looked at."""
        return sum(job["looks"] for job in emulator.jobs if job["name"] == self._job)

    def cancelled(self, emulator: Emulator) -> bool:
        """Tell whether the job's cancellation was asked for."""
        return any(job["cancel_requested"] for job in emulator.jobs if job["name"] == self._job)

    @contextmanager
    def _row(self) -> Iterator[Any]:
        from airflow.models.taskinstance import TaskInstance
        from airflow.utils.session import create_session
        from sqlalchemy import select

        with create_session() as session:
            yield session.scalars(select(TaskInstance).filter_by(dag_id=self._dag_id)).one()


def deferred(emulator: Emulator) -> Waiting:
    """Make one that waits for a job that does not end."""
    from airflow.models.trigger import Trigger
    from airflow.utils.session import create_session

    ran = run_dag(lambda: GenAIBatchOperator(task_id="ask", model=MODEL, src=["a"], wait=False))
    emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    with client() as service:
        name = service.create(MODEL, ["a"]).name
    end = time.time() + 3600
    trigger = GenAIBatchTrigger(
        "genai_batch_default", [name], WaitPlan(0.5, end, end).as_dict(), {}, cancel_on_kill=True
    )
    with create_session() as session:
        row = Trigger.from_object(trigger)
        session.add(row)
        session.flush()
        number = row.id
    waiting = Waiting(ran.dag_id, name)
    waiting.set("deferred", number)
    return waiting
