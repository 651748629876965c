"""Whether a task still waits for its trigger."""

from __future__ import annotations

from typing import Any

_DEFERRED = "deferred"


async def left_deferral(ti: Any) -> bool:
    """Tell whether a task instance is deferred no more: somebody killed, cleared or marked it, or deleted its run.

    A trigger is also stopped when it moves to another triggerer, with its task still deferred, so this is asked
    before a job that is paid for is cancelled.

    Args:
        ti: the trigger's ``task_instance``.
    """
    from asgiref.sync import sync_to_async

    return await sync_to_async(_state)(ti) != _DEFERRED


def _state(ti: Any) -> str | None:
    """Ask Airflow for the state; None: there is no such task instance (any more)."""
    try:
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
    except ImportError:
        return _state_in_database(ti)
    states = RuntimeTaskInstance.get_task_states(
        dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=ti.map_index
    )
    # By run and task; a mapped task is named with its index there, but there is one at most.
    return next(iter(states.get(ti.run_id, {}).values()), None)


def _state_in_database(ti: Any) -> str | None:
    """Ask as triggerers before Airflow 3 do."""
    from airflow.models import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    which = {name: getattr(ti, name) for name in ("dag_id", "task_id", "run_id", "map_index")}
    with create_session() as session:
        state: str | None = session.scalar(select(TaskInstance.state).filter_by(**which))
        return state
