"""Reads from Airflow's database what is known of tasks without a manifest: connection, jobs, deadlines and plan."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

from airflow.models.renderedtifields import RenderedTaskInstanceFields
from airflow.models.taskinstance import TaskInstance
from airflow.models.trigger import Trigger
from sqlalchemy import JSON, select, tuple_, type_coerce
from sqlalchemy.orm import Session

from airflow_provider_genai_batch.flows.record import Record
from airflow_provider_genai_batch.flows.watch import WaitPlan
from airflow_provider_genai_batch.hooks.state_store.records import JOB_KEY
from airflow_provider_genai_batch.models.manifest.plan import Plan
from airflow_provider_genai_batch.task.cost.plan import read_plan
from airflow_provider_genai_batch.task.state import Checkpoint

log = logging.getLogger(__name__)

Place = tuple[str, str, str, int]
"""DAG, task, run and map index."""
_OURS = "airflow_provider_genai_batch."


@dataclass(frozen=True)
class Left:
    """What one task instance has left. An empty or None value is not known.

    Attributes:
        conn_id: the connection of its jobs.
        model: the task's parameter.
        names: the names of its jobs, as far as the task has recorded them.
        usual: how long jobs of the model usually take, as text.
        deadline: the deadline of its jobs.
        ready_by: when its rows must be ready.
        plan: the plan of what it was about to submit.
    """

    conn_id: str = ""
    model: str = ""
    names: tuple[str, ...] = ()
    usual: str = ""
    deadline: datetime | None = None
    ready_by: datetime | None = None
    plan: Plan | None = None


def left_by(session: Session, places: Collection[Place]) -> dict[Place, Left]:
    """Return what each task instance has left."""
    found = {place: Left() for place in places}
    for place, conn_id, model in _rendered(session, places):
        found[place] = Left(conn_id=conn_id or "", model=model or "")
    for place, trigger in _triggers(session, places):
        found[place] = _of_trigger(found[place], trigger)
    for place, record in _recorded(session, [place for place in places if not found[place].names]):
        names = (*found[place].names, record.job)
        found[place] = replace(found[place], conn_id=record.conn_id or found[place].conn_id, names=names)
    return found


def given_to(session: Session, place: Place) -> Mapping[str, Any]:
    """Return the rendered parameters of a task instance, which only its own run can write; empty: not known."""
    columns, fields = rendered()
    same = (column == value for column, value in zip(columns, place, strict=True))
    found = session.scalar(select(fields).where(*same))
    return found if isinstance(found, Mapping) else {}


def rendered() -> tuple[tuple[Any, Any, Any, Any], Any]:
    """Return columns for any version of Airflow: those that identify a task instance, and its rendered parameters."""
    table: Any = RenderedTaskInstanceFields
    fields = type_coerce(table.rendered_fields, JSON)
    if hasattr(table, "dag_id"):
        return place_of(table), fields
    # Airflow 3.4 keeps them by attempt.
    names = ("dag_id", "task_id", "run_id", "map_index")
    place = (column.label(name) for name, column in zip(names, place_of(TaskInstance), strict=True))
    both = select(*place, fields.label("fields")).join(
        TaskInstance, TaskInstance.id == table.task_instance_id
    )
    found = both.subquery().c
    return place_of(found), found.fields


def place_of(table: Any) -> tuple[Any, Any, Any, Any]:
    """Return the columns of a table that identify a task instance."""
    index = table.map_index if hasattr(table, "map_index") else table.region_index  # its name in Airflow 3.4
    return table.dag_id, table.task_id, table.run_id, index


def _rendered(session: Session, places: Collection[Place]) -> list[tuple[Place, str | None, str | None]]:
    columns, fields = rendered()
    given = (fields[name].as_string() for name in ("conn_id", "model"))
    query = select(*columns, *given).where(tuple_(*columns).in_(places))
    return [(_place(row), row[4], row[5]) for row in session.execute(query)]


def _triggers(session: Session, places: Collection[Place]) -> list[tuple[Place, Trigger]]:
    columns = place_of(TaskInstance)
    query = (
        select(*columns, Trigger)
        .join(Trigger, Trigger.id == TaskInstance.trigger_id)
        .where(tuple_(*columns).in_(places), Trigger.classpath.startswith(_OURS))
    )
    return [(_place(row), row[4]) for row in session.execute(query)]


def _recorded(session: Session, places: Collection[Place]) -> list[tuple[Place, Record]]:
    try:
        from airflow.models.task_state_store import TaskStateStoreModel
    except ImportError:  # before Airflow 3.3
        return []
    columns = place_of(TaskStateStoreModel)
    query = select(*columns, TaskStateStoreModel.key, TaskStateStoreModel.value).where(
        tuple_(*columns).in_(places), TaskStateStoreModel.key.startswith(JOB_KEY, autoescape=True)
    )
    found = []
    for row in session.execute(query):
        record = Record.from_dict(_json(row[5]))
        if record.job:
            found.append((_place(row), record))
    return found


def _of_trigger(left: Left, trigger: Trigger) -> Left:
    """Add the arguments of a trigger; they contain no secret."""
    try:
        kwargs = trigger.kwargs
    except Exception as error:  # noqa: BLE001 - another key of Airflow's, or a class that is not there any more
        log.warning("The arguments of trigger %s cannot be read: %s", trigger.id, type(error).__name__)
        return left
    names = tuple(name for name in kwargs.get("job_names") or () if isinstance(name, str))
    memo = kwargs.get("memo")
    state = Checkpoint.from_event({"memo": memo, "job_names": names}).state
    plan = WaitPlan.from_dict(kwargs.get("plan"))
    ready = state.ready or plan.ready_by
    return replace(
        left,
        conn_id=kwargs.get("conn_id") or left.conn_id,
        names=tuple(dict.fromkeys([*state.mine, *names])),
        usual=plan.usual,
        deadline=_moment(plan.deadline),
        ready_by=None if ready is None else _moment(ready.at),
        plan=read_plan(state.plan),
    )


def _place(row: Any) -> Place:
    return row[0], row[1], row[2], row[3]


def _json(text: Any) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return None


def _moment(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, timezone.utc) if math.isfinite(seconds) else None
    except (OverflowError, ValueError, OSError):
        return None
