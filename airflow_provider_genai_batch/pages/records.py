"""Reads the tasks of this package from Airflow's database: their states, and the manifests that they left."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from msgspec.json import decode as json_decode
from sqlalchemy import Select, and_, exists, func, select
from sqlalchemy.orm import Session, aliased

from airflow_provider_genai_batch.models import Manifest
from airflow_provider_genai_batch.pages.left import Place, place_of, rendered

ASKS = ("GenAIBatchOperator", "GenAIBatchDecoratedOperator")
"""Operators that submit jobs: the cost in their manifests was paid for them."""
READS = "GenAIBatchResultsOperator"
"""The operator that reads the rows of jobs that another task submitted."""
OPERATORS = (*ASKS, READS, "GenAIBatchSensor", "GenAIBatchMergeOperator")
_RETURNED, _FAILED = "return_value", "manifest"
"""The keys of the XComs with the manifest of a task that succeeded, and of one that failed."""
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
_LATEST = (TaskInstance.start_date.is_(None).desc(), TaskInstance.start_date.desc(), TaskInstance.id)
_ORDERS: Mapping[str, Any] = {
    "begun": _LATEST,
    "task": (TaskInstance.dag_id, TaskInstance.task_id, TaskInstance.map_index, *_LATEST),
    "state": (TaskInstance.state, *_LATEST),
}
_BY_MANIFEST = {
    "cost": ("cost", "usd"),
    "tokens": ("usage", "total"),
    "rows": ("counts", "total"),
    "failed": ("counts",),
}
SORTS = (*_ORDERS, *_BY_MANIFEST)
_NO_MANIFEST = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What reading an XCom raises if it is something else than a manifest."""
_MOST_SORTED = 20_000
"""If manifests decide the order, only this many of the latest tasks are sorted."""


@dataclass(frozen=True)
class Wanted:
    """Which tasks to show.

    Attributes:
        dags: the DAGs that the user may read; tasks of other DAGs are never shown.
        since: tasks that began at this time or later, or have not begun.
        dag_id: the id of one DAG; empty: all.
        state: the task's state in Airflow's terms; empty: any.
        conn_id: the connection that the tasks use; empty: any.
        sort: one of `SORTS`.
        page: the number of the page, from 0.
    """

    dags: Collection[str]
    since: datetime
    dag_id: str = ""
    state: str = ""
    conn_id: str = ""
    sort: str = "begun"
    page: int = 0


@dataclass(frozen=True)
class TaskRecord:
    """One task instance.

    Attributes:
        manifest: the task's manifest; None: there is none yet, or this version cannot read it.
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

    @property
    def place(self) -> Place:
        """The fields that identify the task instance."""
        return self.dag_id, self.task_id, self.run_id, self.map_index

    @property
    def counted(self) -> bool:
        """Whether its manifest has counts of rows; then its jobs have ended."""
        return self.manifest is not None and self.manifest.counts is not None

    @property
    def queued(self) -> float | None:
        """For how many seconds its first job was queued; None: not known, as with a pilot before it."""
        made = self.manifest
        if made is None or not made.job_names or (made.plan is not None and made.plan.pilot):
            return None
        if made.create_time is None or made.start_time is None:
            return None
        return (made.start_time - made.create_time).total_seconds()

    @property
    def address(self) -> dict[str, Any]:
        """The parameters in the address of its page."""
        return dict(zip(("dag_id", "task_id", "run_id", "map_index"), self.place, strict=True))


def tasks(session: Session, wanted: Wanted) -> tuple[list[TaskRecord], int]:
    """Return one page of the wanted tasks in the wanted order, and the number of all of them."""
    query = _chosen(select(TaskInstance.id), wanted)
    number = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    begin = wanted.page * PAGE
    if wanted.sort in _BY_MANIFEST:
        ids = _by_manifest(session, query, wanted.sort)[begin : begin + PAGE]
    else:
        in_order = query.order_by(*_ORDERS.get(wanted.sort, _LATEST)).limit(PAGE).offset(begin)
        ids = [*session.scalars(in_order)]
    rows = session.execute(_select(TaskInstance.id).where(TaskInstance.id.in_(ids)))
    found = {row[-1]: _record(row[:-1]) for row in rows}
    return [found[one] for one in ids if one in found], number


def dags_of(session: Session, wanted: Wanted) -> set[str]:
    """Return the DAGs that have wanted tasks."""
    return {*session.scalars(_chosen(select(TaskInstance.dag_id), wanted).distinct())}


def places(session: Session, since: datetime) -> list[Place]:
    """Return the places of all tasks that submit jobs and began since then, regardless of who may read them."""
    query = select(*place_of(TaskInstance)).where(
        TaskInstance.operator.in_(ASKS), TaskInstance.start_date >= since
    )
    return [(row[0], row[1], row[2], row[3]) for row in session.execute(query)]


def _by_manifest(session: Session, query: Select[Any], sort: str) -> list[Any]:
    """Return the ids of tasks, sorted by a number in their manifests, largest first; tasks without it come last."""
    latest = query.order_by(*_LATEST).limit(_MOST_SORTED).subquery()
    returned, failed = _manifests()
    values = select(TaskInstance.id, returned.value, failed.value).join(
        latest, latest.c.id == TaskInstance.id
    )
    keyed = []
    for one, value, other in session.execute(_joined(values, returned, failed).order_by(*_LATEST)):
        number = _number(value, sort)
        keyed.append((one, _number(other, sort) if number is None else number))
    return [
        one for one, _ in sorted(keyed, key=lambda item: -1.0 if item[1] is None else item[1], reverse=True)
    ]


def _number(value: Any, sort: str) -> float | None:
    try:
        found: Any = json_decode(value, type=dict[str, Any]) if isinstance(value, str) else value
        for name in _BY_MANIFEST[sort]:
            found = found.get(name)
        if sort == "failed":
            found = found["total"] - found["ok"]
        return float(found) if isinstance(found, (int, float)) else None
    except _NO_MANIFEST:
        return None


def all_tasks(session: Session, wanted: Wanted) -> Iterator[TaskRecord]:
    """Yield all wanted tasks of all pages, in the order in which they began."""
    for row in session.execute(_chosen(_select(), wanted).order_by(TaskInstance.start_date)).yield_per(1000):
        yield _record(row)


def task(session: Session, dag_id: str, task_id: str, run_id: str, map_index: int) -> TaskRecord | None:
    """Return one task; None: this package has no such task. The caller has checked the user's permission."""
    query = _select().where(
        TaskInstance.dag_id == dag_id,
        TaskInstance.task_id == task_id,
        TaskInstance.run_id == run_id,
        TaskInstance.map_index == map_index,
    )
    row = session.execute(query).first()
    return None if row is None else _record(row)


def _chosen(query: Select[Any], wanted: Wanted) -> Select[Any]:
    query = query.where(
        TaskInstance.operator.in_(OPERATORS),
        TaskInstance.dag_id.in_(wanted.dags),
        (TaskInstance.start_date >= wanted.since) | TaskInstance.start_date.is_(None),
    )
    if wanted.dag_id:
        query = query.where(TaskInstance.dag_id == wanted.dag_id)
    if wanted.state:
        query = query.where(TaskInstance.state == wanted.state)
    if wanted.conn_id:
        columns, fields = rendered()
        pairs = zip(columns, place_of(TaskInstance), strict=True)
        uses = fields["conn_id"].as_string() == wanted.conn_id
        query = query.where(exists().where(*(one == other for one, other in pairs), uses))
    return query


def _select(*more: Any) -> Select[Any]:
    returned, failed = _manifests()
    columns = (getattr(TaskInstance, name) for name in _COLUMNS)
    return _joined(select(*columns, returned.value, failed.value, *more), returned, failed)


def _manifests() -> tuple[Any, Any]:
    return aliased(XComModel), aliased(XComModel)


def _joined(query: Select[Any], returned: Any, failed: Any) -> Select[Any]:
    for xcom, key in ((returned, _RETURNED), (failed, _FAILED)):
        pairs = zip(place_of(xcom), place_of(TaskInstance), strict=True)
        query = query.outerjoin(xcom, and_(*(one == other for one, other in pairs), xcom.key == key))
    return query.where(TaskInstance.operator.in_(OPERATORS))


def _record(row: Any) -> TaskRecord:
    dag_id, task_id, run_id, map_index, operator, state, try_number, begun, ended, returned, failed = row
    manifest = _manifest(returned) or _manifest(failed)
    state = str(state or "none")
    return TaskRecord(dag_id, task_id, run_id, map_index, operator, state, try_number, begun, ended, manifest)


def _manifest(value: Any) -> Manifest | None:
    """Read an XCom. Other code may have pushed any value under its key."""
    try:
        found = json.loads(value) if isinstance(value, str) else value
        manifest = Manifest.model_validate(found) if isinstance(found, Mapping) else None
    except _NO_MANIFEST:
        return None
    if manifest is None or any(time and not time.tzinfo for time in _times(manifest)):
        return None
    return manifest


def _times(manifest: Manifest) -> tuple[datetime | None, ...]:
    return manifest.create_time, manifest.start_time, manifest.end_time
