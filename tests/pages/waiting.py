"""A task that waits for its job while a test looks at it, with what a deferral leaves in Airflow's database."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any, TypeVar
from urllib.parse import urlencode
from uuid import uuid4

from tests.dags import migrate

T = TypeVar("T")


class WaitingTask:
    """The task instance, as Airflow knows it."""

    def __init__(self, task_id: str = "", *, in_place: bool = False) -> None:
        self.task_id, self.in_place = task_id or f"ask_{uuid4().hex[:8]}", in_place
        self.dag_id = self.run_id = ""

    @property
    def address(self) -> str:
        """What stands in the address of its pages."""
        return urlencode({"dag_id": self.dag_id, "run_id": self.run_id, "task_id": self.task_id})

    def waits(self) -> bool:
        """Whether its trigger, or its job, is written down; ``dag.test`` calls a deferred task queued then."""
        from airflow.models.taskinstance import TaskInstance
        from airflow.utils.session import create_session
        from sqlalchemy import select

        query = select(TaskInstance.dag_id, TaskInstance.run_id, TaskInstance.trigger_id).where(
            TaskInstance.task_id == self.task_id
        )
        with create_session(scoped=False) as session:
            row = session.execute(query).first()
            if row is None or (row[2] is None and not self._wrote(session)):
                return False
        self.dag_id, self.run_id, _ = row
        return True

    def _wrote(self, session: Any) -> bool:
        try:
            from airflow.models.task_state_store import TaskStateStoreModel
        except ImportError:  # before Airflow 3.3
            return False
        from sqlalchemy import select

        kept = select(TaskStateStoreModel.value).where(TaskStateStoreModel.task_id == self.task_id)
        return self.in_place and any('"job": "batches/' in value for value in session.scalars(kept))


def look_while_it_waits(
    task: WaitingTask, run: Callable[[], T], look: Callable[[], None], give_up: Callable[[], None]
) -> T:
    """Run a deferrable task here, and look at it in another thread while it waits for its job.

    Args:
        task: which one.
        run: runs its DAG.
        look: what is looked at and done; it sees to it that the job ends.
        give_up: ends the job all the same, after trouble.

    Returns:
        What `run` returned.
    """
    over = Event()
    migrate()

    def beside() -> None:
        try:
            while not task.waits():
                assert not over.wait(0.05), "the task ended without having been deferred"
            look()
        except BaseException:
            give_up()
            raise

    with ThreadPoolExecutor(1) as pool:
        looked = pool.submit(beside)
        try:
            ran = run()
        finally:
            over.set()
        looked.result()
    return ran
