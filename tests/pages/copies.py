"""Many task instances in Airflow's database, made of one that ran."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from sqlalchemy import insert, select


def copy_task(dag_id: str, task_id: str, number: int) -> None:
    """Add copies of a task instance and its XComs, as if it had been mapped.

    Args:
        dag_id: of the instance.
        task_id: likewise; it has one instance.
        number: of copies.
    """
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        for model in (TaskInstance, XComModel):
            table: Any = model.__table__
            query = select(table).where(table.c.dag_id == dag_id, table.c.task_id == task_id)
            rows = [dict(row) for row in session.execute(query).mappings()]
            ids = (lambda: {"id": uuid4()}) if "id" in table.c else dict
            copies = [{**row, **ids(), "map_index": at} for row in rows for at in range(number)]
            session.execute(insert(table), copies)
