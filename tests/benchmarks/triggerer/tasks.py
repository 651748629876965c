"""Puts deferred tasks into Airflow's metadata database, and reads what became of them; a process of its own.

Airflow's environment says which database. Arguments: ``jobs``, how many tasks and the poll interval of their triggers;
``moments``, how many and how many seconds from now the moments are that they wait for; or ``read``, which says it as
JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.taskinstance import TaskInstance
from airflow.models.trigger import Trigger
from airflow.providers.common.compat.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.triggers.temporal import DateTimeTrigger
from airflow.sdk.serde import deserialize
from airflow.triggers.base import BaseTrigger
from airflow.utils import timezone
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, TaskInstanceState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import select

from airflow_provider_genai_batch.flows.watch import WaitPlan
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.triggers.genai_batch import GenAIBatchTrigger
from tests.benchmarks.looks.jobs import name
from tests.serialised import serialise

_DAG = "many_deferred"


def triggers_for_jobs(count: int, interval: float) -> list[BaseTrigger]:
    """Wait for a job each."""
    end = time.time() + 86400
    plan = WaitPlan(interval, end, end).as_dict()
    return [GenAIBatchTrigger("genai_batch_default", [_job(number)], plan, {}) for number in range(count)]


def triggers_for_moments(count: int, seconds: float) -> list[BaseTrigger]:
    """Wait for one of the moments of a minute, with Airflow's own trigger."""
    first = timezone.utcnow() + timedelta(seconds=seconds)
    return [DateTimeTrigger(first + timedelta(minutes=number / count)) for number in range(count)]


def defer(triggers: list[BaseTrigger]) -> None:
    """Make a run whose tasks wait for the triggers, as if workers had just deferred them."""
    with DAG(_DAG, schedule=None) as dag:
        mapped = GenAIBatchOperator.partial(task_id="answer", model="gemini-2.5-flash", deferrable=True)
        mapped.expand(src=EmptyOperator(task_id="texts").output)
    serialise(dag)
    now = timezone.utcnow()
    with create_session() as session:
        known = SerializedDagModel.get_dag(_DAG, session=session)
        assert known is not None
        run = known.create_dagrun(
            run_id="many",
            run_after=now,
            run_type=DagRunType.MANUAL,
            triggered_by=DagRunTriggeredByType.TEST,
            state=DagRunState.RUNNING,
            start_date=now,
            session=session,
        )
        texts, unmapped = (run.get_task_instance(task, session=session) for task in ("texts", "answer"))
        texts.state = TaskInstanceState.SUCCESS
        session.delete(unmapped)
        session.flush()
        for number, trigger in enumerate(triggers):
            task = TaskInstance(
                known.get_task("answer"),
                run_id=run.run_id,
                map_index=number,
                dag_version_id=unmapped.dag_version_id,
                state=TaskInstanceState.DEFERRED,
            )
            task.trigger = Trigger.from_object(trigger)
            task.next_method, task.next_kwargs = "execute_complete", {}
            task.start_date, task.try_number = now, 1
            session.add(task)


def read() -> dict[str, Any]:
    """Return how many tasks there are, in which states, and how many go on with the event that they waited for."""
    with create_session() as session:
        tasks = session.scalars(select(TaskInstance).where(TaskInstance.task_id == "answer")).all()
        good = sum(_saw_success(task) for task in tasks)
        states = Counter(str(task.state) for task in tasks)
        return {"tasks": len(tasks), "states": states, "succeeded": good}


def _saw_success(task: TaskInstance) -> bool:
    if str(task.state) != "scheduled":
        return False
    event = deserialize(task.next_kwargs).get("event")
    if not isinstance(event, dict):
        return isinstance(event, datetime)  # the moment that has come
    return event["states"] == {_job(task.map_index): "BATCH_STATE_SUCCEEDED"}


def _job(map_index: int) -> str:
    return f"batches/{name(map_index + 1)}"


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["jobs", many, seconds]:
            defer(triggers_for_jobs(int(many), float(seconds)))
        case ["moments", many, seconds]:
            defer(triggers_for_moments(int(many), float(seconds)))
        case ["read"]:
            print(json.dumps(read()))  # noqa: T201 - it is read
