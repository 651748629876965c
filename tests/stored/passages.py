"""Tasks that are deferred, with a hand on what goes into Airflow's database and comes back from it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_genai_batch.emulator import Emulator, Fault, JobScript
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.sensors.genai_batch import GenAIBatchSensor
from tests.dags import Ran, run_dag
from tests.operators.scenes import MODEL, client

ASK: dict[str, Any] = {"model": MODEL, "src": ["one", "two"], "poll_interval": 0.05, "deferrable": True}


@dataclass
class Passage:
    """What goes by, as JSON.

    Attributes:
        kwargs: changes the arguments of the trigger of a deferral, by its number.
        event: changes the event that comes of it.
        late: seconds for which the rows are told to have been waited for when the job's end is told.
        seen: arguments and event of each deferral so far, as they were before they were changed.
    """

    kwargs: Callable[[int, dict[str, Any]], dict[str, Any]] = lambda _, kwargs: kwargs
    event: Callable[[int, dict[str, Any]], dict[str, Any]] = lambda _, event: event
    late: float = 0.0
    seen: list[dict[str, Any]] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    """Of the job, in the task's state store (Airflow 3.3 and later), at each resumption."""

    def through(self, kind: type) -> Any:
        """Return an operator whose deferrals go by here."""
        passage = self

        class Passing(kind):  # type: ignore[misc]
            def defer(self, *, trigger: Any, **how: Any) -> None:
                path, kwargs = trigger.serialize()
                kwargs = json.loads(json.dumps(kwargs))
                passage.seen.append({"trigger": path.rpartition(".")[2], "kwargs": kwargs})
                changed = passage.kwargs(len(passage.seen) - 1, kwargs)
                if "moment" in changed:  # nobody waits for it here
                    changed = {**changed, "moment": 0.0}
                super().defer(trigger=type(trigger)(**changed), **how)

            def execute_complete(self, context: Any, event: Any) -> Any:
                return super().execute_complete(context, passage.comes_back(context, event))

            def execute_after_refusal(self, context: Any, event: Any) -> Any:
                return super().execute_after_refusal(context, passage.comes_back(context, event))

        return Passing

    def comes_back(self, context: Any, event: Any) -> dict[str, Any]:
        if store := context.get("task_state_store"):
            self.records.append(store.get("genai_batch_job"))
        plain = json.loads(json.dumps(event))
        self.seen[-1].setdefault("event", plain)
        changed = self.event(len(self.seen) - 1, plain)
        return {"late_since": time.time() - self.late, **changed} if self.late else changed


def one_job(emulator: Emulator, passage: Passage) -> Ran:
    return _ask(passage)


def several_jobs(emulator: Emulator, passage: Passage) -> Ran:
    return _ask(passage, max_requests_per_job=1, max_active_jobs=1)


def a_second_round(emulator: Emulator, passage: Passage) -> Ran:
    emulator.script(JobScript(row_errors={1: 13}))
    return _ask(passage, retry_failed_rows=1)


def no_capacity(emulator: Emulator, passage: Passage) -> Ran:
    emulator.faults.add("batches.create", Fault.error(429, grpc="RESOURCE_EXHAUSTED", retry_after=0))
    return _ask(passage)


def late_rows(emulator: Emulator, passage: Passage) -> Ran:
    emulator.script(JobScript(late_output=10))
    passage.late = 6.0  # so long they are waited for in the slot
    return _ask(passage)


def sensor(emulator: Emulator, passage: Passage) -> Ran:
    with client() as service:
        name = service.create(MODEL, ["one", "two"]).name
    waits = {"job_names": name, "poke_interval": 0.05, "deferrable": True, "timeout": 600}
    return run_dag(lambda: passage.through(GenAIBatchSensor)(task_id="task", **waits))


PASSAGES = {
    "one job": (one_job, 1),
    "several jobs": (several_jobs, 2),
    "a second round": (a_second_round, 2),
    "no capacity": (no_capacity, 1),
    "late rows": (late_rows, 1),
    "sensor": (sensor, 1),
}
"""With the number of jobs that are paid."""


def _ask(passage: Passage, **settings: Any) -> Ran:
    return run_dag(lambda: passage.through(GenAIBatchOperator)(task_id="task", **{**ASK, **settings}))
