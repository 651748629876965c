"""Airflow around one task instance: it runs attempts and triggers, keeps the state store, and knows the state."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from airflow.providers.common.compat.sdk import TaskDeferred
from airflow.sdk.bases.operator import ExecutorSafeguard
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse

from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from tests.hostile.world import BEGIN, Died, World

DAG, TASK, RUN = "nightly", "ask", "run_1"


@dataclass
class Store:
    """What Airflow 3.3 keeps of a task instance between its attempts."""

    world: World
    kept: dict[str, str] = field(default_factory=dict)

    def get(self, key: str, default: Any = None) -> Any:
        """Read."""
        self._come(f"store.get {key}")
        return json.loads(self.kept[key]) if key in self.kept else default

    def set(self, key: str, value: Any) -> None:
        """Write."""
        self._come(f"store.set {key}")
        self.kept[key] = json.dumps(value)

    def _come(self, what: str) -> None:
        self.world.step(what)
        if self.world.likely(0.02):
            self.world.saw(f"Airflow fails at {what}")
            raise AirflowRuntimeError(ErrorResponse(error=ErrorType.GENERIC_ERROR))


@dataclass
class TaskInstance:
    """What the product asks of a task instance."""

    try_number: int
    dag_id: str = DAG
    task_id: str = TASK
    run_id: str = RUN
    map_index: int = -1

    def xcom_push(self, key: str, value: Any) -> None:
        """Take an XCom."""
        json.dumps({key: value})


@dataclass
class Airflow:
    """One task instance through all its attempts.

    Attributes:
        state: as Airflow has it.
        settings: the operator's arguments, as the DAG file has them now.
    """

    world: World
    settings: dict[str, Any]
    store: Store | None
    tries: int = 0
    state: str | None = None

    def attempt(self) -> Any:
        """Run one attempt to its end.

        Returns:
            The manifest.

        Raises:
            Died: its process died, or a user ended it.
            Exception: whatever the task raises.
        """
        self.tries += 1
        self.state = "running"
        context: dict[str, Any] = {
            "ti": TaskInstance(self.tries),
            "dag_run": SimpleNamespace(run_after=datetime.fromtimestamp(BEGIN, timezone.utc)),
        }
        if self.store is not None:
            context["task_state_store"] = self.store
        method, arguments = "execute", {"GenAIBatchOperator__sentinel": ExecutorSafeguard.sentinel_value}
        while True:
            operator = GenAIBatchOperator(task_id=TASK, **self.settings)
            self.world.on_kill = partial(self._kill, operator)
            try:
                return getattr(operator, method)(context, **arguments)
            except TaskDeferred as deferral:
                self.state = "deferred"
                self.world.saw("is deferred")
                event = self._triggered(deferral.trigger, context["ti"])
                method, arguments = deferral.method_name, {"event": event, **(deferral.kwargs or {})}
                self.state = "running"

    def _kill(self, waits: Any) -> None:
        """End the task as a user does. Airflow lets the process go on for some seconds."""
        self.state = self.world.chance.choice(["failed", None])
        waits.on_kill()
        if self.world.chance.random() < 0.7:
            self.world.dead = True
            raise Died("killed")

    def _triggered(self, given: Any, ti: TaskInstance) -> dict[str, Any]:
        """Run a trigger until it fires; one whose triggerer dies is run by another."""
        path, kwargs = given.serialize()
        module, _, name = path.rpartition(".")
        while True:
            trigger = getattr(import_module(module), name)(**json.loads(json.dumps(kwargs)))
            trigger.task_instance = ti
            loop = asyncio.new_event_loop()
            self.world.on_kill = self._kill_trigger
            try:
                event = loop.run_until_complete(_first(trigger))
            except Died:
                if self.state != "deferred":
                    self.world.dead = False
                    _clear(loop)
                    self._after_kill(trigger)
                    raise
                self.world.saw("the triggerer dies")
                self.world.dead = True
                _clear(loop)
                self.world.dead = False
            else:
                _clear(loop)
                return json.loads(json.dumps(event.payload))  # type: ignore[no-any-return]

    def _kill_trigger(self) -> None:
        self.state = self.world.chance.choice(["failed", None])
        self.world.dead = True
        raise Died("killed while it is deferred")

    def _after_kill(self, trigger: Any) -> None:
        """Airflow calls the trigger's `on_kill` when a user ends a deferred task."""
        loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(trigger.on_kill())
        except Died:
            pass
        finally:
            _clear(loop)


async def _first(trigger: Any) -> Any:
    async for event in trigger.run():
        return event
    return None


async def _ended(tasks: set[asyncio.Task[Any]]) -> None:
    await asyncio.gather(
        *tasks, return_exceptions=True
    )  # outside a coroutine, it makes a loop if there is no task


def _clear(loop: asyncio.AbstractEventLoop) -> None:
    """Give back what a loop holds, whatever was under way."""
    loop.set_exception_handler(lambda *_: None)
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    with suppress(BaseException):
        loop.run_until_complete(_ended(tasks))
    with suppress(BaseException):
        loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
