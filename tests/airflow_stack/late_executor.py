"""An executor whose news of ended processes are late: the worst order of events of a busy machine, each time.

A task that defers ends its process; the scheduler hears of that from the executor in its next loop. Has the trigger
fired before, and has the scheduler sent the task out again, then it takes the old news for the end of the new process
and fails the attempt: "finished with state success, but the task instance's state attribute is queued"
(``process_executor_events`` of Airflow's scheduler, read in 3.3). To see what the tests make of that::

    STACK_EXECUTOR=tests.airflow_stack.late_executor.LateExecutor python -m pytest tests/airflow_stack
"""

from __future__ import annotations

import time
from typing import Any

from airflow.executors.local_executor import LocalExecutor
from airflow.models.taskinstancekey import TaskInstanceKey

_SECONDS = 4.0


class LateExecutor(LocalExecutor):
    """Tells of the end of a task's process when the task is sent out again, or after some seconds."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """As any other executor is made."""
        super().__init__(*args, **kwargs)
        self._late: dict[TaskInstanceKey, tuple[Any, float]] = {}
        self._again: set[TaskInstanceKey] = set()

    def _process_workloads(self, workload_list: Any) -> None:
        self._again.update(one.key for one in workload_list if one.key in self._late)
        super()._process_workloads(workload_list)

    def _read_results(self) -> None:
        while not self.result_queue.empty():
            key, state, _ = self.result_queue.get()
            if isinstance(key, TaskInstanceKey) and state == "success":
                self._late[key] = (state, time.monotonic() + _SECONDS)
            else:
                self.change_state(key, state)
        for key, (state, until) in list(self._late.items()):
            if key in self._again or time.monotonic() > until:
                del self._late[key]
                self._again.discard(key)
                self.change_state(key, state)
