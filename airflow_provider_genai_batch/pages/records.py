"""What Airflow's database knows of the tasks of this package: their states, and the manifests that they left."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from pydantic import ValidationError
from sqlalchemy import Select, and_, func, select
from sqlalchemy.orm import Session, aliased

from airflow_provider_genai_batch.models import Manifest

ASKS = ("GenAIBatchOperator", "GenAIBatchDecoratedOperator")
"""Operators that submit jobs: what their manifests cost was paid for them."""
OPERATORS = (*ASKS, "GenAIBatchResultsOperator", "GenAIBatchSensor", "GenAIBatchMergeOperator")
_RETURNED, _FAILED = "return_value", "manifest"
"""Keys of the XComs with the manifest of a task that succeeded, and of one that failed."""
_COLUMNS = (
    "dag_id",
    "task_id",
    "run_id",
    "map_index",
    "operator",
    "state",
    "try_number",
    "start_date",
    "end_date",
)
PAGE = 50
"""Tasks on a page."""


@dataclass(frozen=True)
class Wanted:
    """Which tasks to show.

    Attributes:
        dags: that the user may read; no other is looked at.
        since: they began at this time or later, or have not begun.
        dag_id: of one DAG; empty: of all.
        state: of the task, as Airflow calls it; empty: any.
        page: from 0.
    """

    dags: Collection[str]
    since: datetime
    dag_id: str = ""
    state: str = ""
    page: int = 0


@dataclass(frozen=True)
class TaskRecord:
    """One task instance.

    Attributes:
        manifest: None: it has left none yet, or one that this version does not read.
    """

    dag_id: str
    task_id: str
    run_id: str
    map_index: int
    operator: str
    state: str
    try_number: int
    begun: datetime | None
    ended: datetime | None
    manifest: Manifest | None


def tasks(session: Session, wanted: Wanted) -> tuple[list[TaskRecord], int]:
    """Return a page of tasks, the latest first, and how many there are in all."""
    query = _query(wanted)
    number = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    page = query.order_by(TaskInstance.start_date.desc()).limit(PAGE).offset(wanted.page * PAGE)
    return [_record(row) for row in session.execute(page)], number


def all_tasks(session: Session, wanted: Wanted) -> Iterator[TaskRecord]:
    """Yield all tasks that are wanted, whatever the page, in the order of their begins."""
    for row in session.execute(_query(wanted).order_by(TaskInstance.start_date)).yield_per(1000):
        yield _record(row)


def task(session: Session, dag_id: str, task_id: str, run_id: str, map_index: int) -> TaskRecord | None:
    """Return one task; None where there is no such task of this package. Whoever asks has checked the permission."""
    query = _select().where(
        TaskInstance.dag_id == dag_id,
        TaskInstance.task_id == task_id,
        TaskInstance.run_id == run_id,
        TaskInstance.map_index == map_index,
    )
    row = session.execute(query).first()
    return None if row is None else _record(row)


def _query(wanted: Wanted) -> Select[Any]:
    query = _select().where(
        TaskInstance.dag_id.in_(wanted.dags),
        (TaskInstance.start_date >= wanted.since) | TaskInstance.start_date.is_(None),
    )
    if wanted.dag_id:
        query = query.where(TaskInstance.dag_id == wanted.dag_id)
    if wanted.state:
        query = query.where(TaskInstance.state == wanted.state)
    return query


def _select() -> Select[Any]:
    returned, failed = aliased(XComModel), aliased(XComModel)
    query: Select[Any] = select(
        *(getattr(TaskInstance, name) for name in _COLUMNS), returned.value, failed.value
    )
    for xcom, key in ((returned, _RETURNED), (failed, _FAILED)):
        query = query.outerjoin(
            xcom,
            and_(
                xcom.dag_id == TaskInstance.dag_id,
                xcom.task_id == TaskInstance.task_id,
                xcom.run_id == TaskInstance.run_id,
                xcom.map_index == TaskInstance.map_index,
                xcom.key == key,
            ),
        )
    return query.where(TaskInstance.operator.in_(OPERATORS))


def _record(row: Any) -> TaskRecord:
    dag_id, task_id, run_id, map_index, operator, state, try_number, begun, ended, returned, failed = row
    manifest = _manifest(returned) or _manifest(failed)
    state = str(state or "none")
    return TaskRecord(dag_id, task_id, run_id, map_index, operator, state, try_number, begun, ended, manifest)


def _manifest(value: Any) -> Manifest | None:
    """Read an XCom; others may have pushed anything under its key."""
    try:
        found = json.loads(value) if isinstance(value, str) else value
        return Manifest.model_validate(found) if isinstance(found, Mapping) else None
    except (ValueError, ValidationError):
        return None
