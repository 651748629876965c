"""The name, key and labels of a task instance, as its jobs carry them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_genai_batch.models.jobs.identity import as_label, task_key
from airflow_provider_genai_batch.models.settings.ready_by import RunTimes
from airflow_provider_genai_batch.task.port import Owner

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


def owner_of(context: Context) -> Owner:
    """Return the name, key, labels and times of a task instance."""
    ti: Any = context["ti"]
    begin, key = begin_of(context), key_of(context)
    labels = {
        "airflow_dag": as_label(ti.dag_id),
        "airflow_task": as_label(ti.task_id),
        "airflow_run": as_label(ti.run_id),
    }
    name, tries = f"{ti.dag_id}.{ti.task_id}", first_try_of(context)
    return Owner(key, name, labels, begin, times_of(context), tries, ti.dag_id)


def key_of(context: Context) -> str:
    """Return the key of the task instance: the same in all its tries, and different from every other one's.

    It does not contain the region that Airflow 3.4 gives to a task in a loop, because clearing the loop's gate changes
    the region.
    """
    ti: Any = context["ti"]
    return task_key(ti.dag_id, ti.task_id, ti.run_id, ti.map_index, iteration_of(context))


def iteration_of(context: Context) -> int | None:
    """Return the iteration of the Task Loop (Airflow 3.4) in which a task instance runs; None outside of loops."""
    loop: Any = context.get("loop")
    return None if loop is None else int(loop.index)


def begin_of(context: Context) -> float | None:
    """Return a moment before which no task of this run can have begun, in seconds since the epoch.

    Before Airflow 3 only the start of the data interval is known: a manual run, or a backfill, may begin within its
    interval.
    """
    run: Any = context["dag_run"]
    begin = getattr(run, "run_after", None) or getattr(run, "data_interval_start", None)
    return begin.timestamp() if begin else None


def first_try_of(context: Context) -> int:
    """Return the number of the first try of the task instance, or of the first try after it was last cleared.

    Clearing adds the tries so far to ``max_tries``. Airflow computes the first try in the same way.
    """
    ti: Any = context["ti"]
    most, retries = getattr(ti, "max_tries", None), getattr(getattr(ti, "task", None), "retries", None)
    if most is None or retries is None:
        return 1
    return max(1, int(most) - int(retries) + 1)


def times_of(context: Context) -> RunTimes:
    """Return the times of the run that no retry changes, with the DAG's timezone.

    Before Airflow 3, a manual run begins at its logical date.
    """
    run, dag = context["dag_run"], context.get("dag")
    begin = getattr(run, "run_after", None) or getattr(run, "logical_date", None)
    zone = getattr(dag, "timezone", None)
    return RunTimes(getattr(run, "data_interval_end", None), begin, *(() if zone is None else (zone,)))
