"""Runs one task of this package in a DAG, as `dag.test()` does it: in this process, triggers in line."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_genai_batch.exceptions import GenAIBatchError
from tests.serialised import serialise


@dataclass(frozen=True)
class Ran:
    """What became of the run."""

    dag_id: str
    run_id: str
    """Of the last run; empty where there was none."""
    state: str
    states: dict[str, str]
    """By task id."""
    xcom: dict[str, Any]
    """Return values by task id; of a mapped task a list."""
    tries: dict[str, int]
    errors: list[BaseException]
    """What failed tasks raised, in order."""


def run_dag(fill: Callable[[], Any], *, runs: int = 1, **settings: Any) -> Ran:
    """Run a DAG whose tasks `fill` makes, so many times; what is returned is of the last run.

    One that cannot be parsed, for a task in it that is refused when it is built, has failed too.
    """
    errors: list[BaseException] = []

    def note(context: Any) -> None:
        errors.append(context["exception"])

    notes = {"on_failure_callback": note, "on_retry_callback": note, "on_skipped_callback": note}
    with DAG(f"dag_{uuid4().hex[:12]}", schedule=None, default_args=notes, **settings) as dag:
        try:
            fill()
        except GenAIBatchError as error:
            return Ran(dag.dag_id, "", "failed", {}, {}, {}, [error])
    migrate()
    serialise(dag)
    for _ in range(runs):
        run = dag.test()
    found = run.get_task_instances()
    tis = {ti.task_id: ti for ti in found}
    return Ran(
        dag_id=dag.dag_id,
        run_id=str(run.run_id),
        state=str(run.state),
        states={name: str(ti.state) for name, ti in tis.items()},
        xcom={name: _pulled([ti for ti in found if ti.task_id == name]) for name in tis},
        tries={name: ti.try_number for name, ti in tis.items()},
        errors=errors,
    )


def _pulled(instances: list[Any]) -> Any:
    """Return what a task returned, instance by instance: Airflow 3.1 cannot pull that of all at once."""
    in_order = sorted(instances, key=lambda ti: ti.map_index)
    values = [ti.xcom_pull(task_ids=ti.task_id, map_indexes=ti.map_index) for ti in in_order]
    return values[0] if in_order[0].map_index < 0 else values


@functools.cache
def migrate() -> None:
    """Make the database, and let Airflow build what checks a template field once: a tenth of a run for each anew."""
    from airflow.utils.db import initdb

    initdb()
    try:
        from airflow.sdk.execution_time import task_runner
        from airflow.sdk.execution_time.task_runner import TypeAdapter
    except ImportError:  # not in each version
        return
    task_runner.TypeAdapter = functools.cache(TypeAdapter)  # type: ignore[assignment, misc]
