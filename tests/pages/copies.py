"""Many task instances in Airflow's database, made of one that ran."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from sqlalchemy import delete, insert, select, update


def copy_task(dag_id: str, task_id: str, number: int) -> None:
    """Add copies of a task instance and its XComs, as if it had been mapped.

    Args:
        dag_id: of the instance.
        task_id: likewise; it has one instance.
        number: of copies.
    """
    from airflow.models.renderedtifields import RenderedTaskInstanceFields
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        models: tuple[Any, ...] = (TaskInstance, XComModel, RenderedTaskInstanceFields)
        for model in models:
            table = model.__table__
            query = select(table).where(table.c.dag_id == dag_id, table.c.task_id == task_id)
            rows = [dict(row) for row in session.execute(query).mappings()]
            new_id = "id" in table.c
            copies = [
                {**row, **({"id": uuid4()} if new_id else {}), "map_index": at}
                for row in rows
                for at in range(number)
            ]
            session.execute(insert(table), copies)


def push_instead(dag_id: str, value: str) -> None:
    """Put a text in place of what the tasks of a DAG returned, as users may who can write XComs."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        session.execute(update(XComModel).where(XComModel.dag_id == dag_id).values(value=value))


def unbegin(dag_id: str) -> None:
    """Let the tasks of a DAG be ones that Airflow has scheduled and not begun."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    nothing = {"state": "scheduled", "start_date": None, "end_date": None, "try_number": 0}
    with create_session(scoped=False) as session:
        session.execute(delete(XComModel).where(XComModel.dag_id == dag_id))
        session.execute(update(TaskInstance).where(TaskInstance.dag_id == dag_id).values(**nothing))


def forget_manifests(dag_id: str, every: int) -> None:
    """Let every so many mapped tasks be ones that run and have left nothing yet."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        session.execute(delete(XComModel).where(*_every(XComModel, dag_id, every)))
        those = _every(TaskInstance, dag_id, every)
        session.execute(update(TaskInstance).where(*those).values(state="running", end_date=None))


def _every(table: Any, dag_id: str, every: int) -> tuple[Any, Any, Any]:
    return table.dag_id == dag_id, table.map_index >= 0, table.map_index % every == 0
