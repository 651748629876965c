"""Reads the state of a task instance, to see whether it still waits: Airflow stops processes for many reasons."""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

from airflow_provider_genai_batch.printable import printable

log = logging.getLogger(__name__)

_OUTSIDE = str(UUID(int=0))
"""The region of task instances outside of loops."""


def has_left(ti: Any, *states: str) -> bool:
    """Return whether a task instance has left these states: it was killed, cleared or marked, or its run was deleted.

    Airflow also stops a process when its API server does not answer, a machine is drained, or a trigger moves to
    another triggerer. Then the state has not changed, and the next attempt reattaches to the job, which is paid for. If
    Airflow does not return the state, this function assumes that it has not changed.

    In a Task Loop (Airflow 3.4), only the end of an iteration is known, such as one that a user set, and only in its
    own process: if asked for the state, Airflow returns that of the loop's latest iteration. A cleared iteration counts
    as unchanged, and its next attempt reattaches to the job.

    Args:
        ti: any object with ``dag_id``, ``task_id``, ``run_id`` and ``map_index``, and in Airflow 3.4 ``region_id`` and
            ``region_index``.
        states: the states in which the task still wants its job, such as ``running`` or ``deferred``.
    """
    try:
        if in_loop(ti):
            return _end_in_loop(ti) is not None
        return state_of(ti) not in states
    except Exception as error:  # noqa: BLE001 - Airflow can fail in any way; then the job keeps running
        log.warning(
            "Airflow did not return the state of task %s, so its job is left alone: %s",
            ti.task_id,
            printable(str(error)),
        )
        return False


def in_loop(ti: Any) -> bool:
    """Return whether a task instance is in a Task Loop, where the map index does not identify it."""
    region = getattr(ti, "region_id", None)
    return region is not None and str(region) != _OUTSIDE


def _end_in_loop(ti: Any) -> str | None:
    """Ask Airflow 3.4 how this iteration ended; None: it has not ended, or Airflow does not know it."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    here = (ti.task_id, str(ti.region_id), ti.region_index)
    for crumb in RuntimeTaskInstance.get_task_breadcrumbs(dag_id=ti.dag_id, run_id=ti.run_id):
        if (crumb.get("task_id"), str(crumb.get("region_id")), crumb.get("region_index")) == here:
            return str(crumb.get("state"))
    return None


def state_of(ti: Any) -> str | None:
    """Ask Airflow for the state; None: it was cleared, or there is no such task instance."""
    try:
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
    except ImportError:
        return _state_in_database(ti)
    states = RuntimeTaskInstance.get_task_states(
        dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=ti.map_index
    )
    # The states are by run and task. A mapped task is named with its index there, but there is at most one.
    return next(iter(states.get(ti.run_id, {}).values()), None)


def _state_in_database(ti: Any) -> str | None:
    """Read the state from the database, as processes before Airflow 3 may."""
    from airflow.models import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    which = {name: getattr(ti, name) for name in ("dag_id", "task_id", "run_id", "map_index")}
    with create_session() as session:
        state: str | None = session.scalar(select(TaskInstance.state).filter_by(**which))
        return state
