"""Airflow's components, started, killed, restarted and stopped together."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from signal import Signals
from types import TracebackType
from typing import TYPE_CHECKING, Any

import httpx

from airflow_provider_genai_batch.emulator.processes.child import free_port
from tests.airflow_stack import database as sqlite
from tests.airflow_stack.client import AirflowClient, DagRun
from tests.airflow_stack.process import Component, Process
from tests.airflow_stack.settings import environment
from tests.waiting import wait_until

if TYPE_CHECKING:
    from typing_extensions import Self

_PARTS = ("metadatabase", "scheduler", "triggerer", "dag_processor")
_INTERVAL = 0.2
_LOG_TAIL = 3000
_SECONDS_TO_START = 600
_SECONDS_TO_STOP = 15
_SECONDS_TO_DEFER = 240


class AirflowStack:
    """An API server, a scheduler with its local executor or Celery's workers, a DAG processor and triggerers."""

    client: AirflowClient

    def __init__(
        self,
        home: Path,
        dags: Path,
        more: Mapping[str, str] | None = None,
        *,
        triggerers: int = 1,
        database: str | None = None,
        workers: int = 0,
    ) -> None:
        """Choose a port; nothing runs yet.

        Args:
            home: A folder for the database and all logs.
            dags: The DAGs folder.
            more: Connections, variables and other settings as environment variables.
            triggerers: How many; they are called ``triggerer0`` and so on.
            database: For metadata, as SQLAlchemy addresses it (`PostgreSQL.url`); by default SQLite in `home`.
            workers: How many of Celery's, ``worker0`` and so on; `more` then chooses the executor and its broker.
        """
        self.home = home
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.environment = environment(home, dags, port, more or {}, database)
        self._in_sqlite = database is None
        self._components: dict[str, Component] = {}
        self._names = ["api-server", "scheduler", "dag-processor"]
        self._names += [f"triggerer{number}" for number in range(triggerers)]
        self._names += [f"worker{number}" for number in range(workers)]

    def __enter__(self) -> Self:
        """Make the database, start all components and wait until they are healthy.

        Raises:
            RuntimeError: They are not; the message ends with their logs.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        self._migrate()
        try:
            for name in self._names:
                self.start(name)
            self._wait_until_healthy(_SECONDS_TO_START)
            self.client = AirflowClient(self.url)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop everything."""
        self.client.close()
        self._stop()

    def start(self, name: str) -> None:
        """Start a component, also one that was killed.

        Args:
            name: ``api-server``, ``scheduler``, ``dag-processor``, ``triggerer0``, ``worker0`` ...
        """
        variables = dict(self.environment)
        # Each of them serves logs, on a port that is the same by default.
        for role in ("TRIGGER", "WORKER"):
            variables[f"AIRFLOW__LOGGING__{role}_LOG_SERVER_PORT"] = str(free_port())
        # Airflow's records of who runs a job or a trigger hold it.
        variables["LOGNAME"] = name
        kind = name.rstrip("0123456789")
        # Workers of one machine are told apart by Celery by these names.
        command = ["celery", "worker", "--celery-hostname", name] if kind == "worker" else [kind]
        self._components[name] = Component(command, variables, self.home / f"{name}.log")

    def kill(self, name: str) -> None:
        """Kill a component and all it has started, as the loss of its machine would."""
        self._components.pop(name).kill()

    def runs(self, name: str) -> bool:
        """Whether a component was started and not killed."""
        return name in self._components

    def wait_for_end(self, name: str, timeout: float = 30) -> int:
        """Wait until a component's main process has ended by itself; what it leaves behind is killed.

        Returns:
            Its exit status.

        Raises:
            TimeoutError: It goes on.
        """
        end = time.monotonic() + timeout
        while (status := self._components[name].status) is None:
            if time.monotonic() > end:
                message = f"{name} did not end within {timeout:g} s"
                raise TimeoutError(message)
            time.sleep(_INTERVAL)
        self.kill(name)
        return status

    def wait_for_deferral(self, run: DagRun, task_id: str, instances: int = 1) -> None:
        """Wait until a task is deferred, and until the scheduler knows that the process that deferred has ended.

        Does its trigger fire before that, then the scheduler may take the news for the end of the next process, and
        fail the attempt (`late_executor`). So whoever wants to see one deferral lets its job end after this.

        Args:
            run: The run.
            task_id: A task whose job does not end meanwhile.
            instances: How many of a mapped task.

        Raises:
            TimeoutError: It has not come to that.
        """
        who = re.escape(f"dag_id='{run.dag_id}', task_id='{task_id}', run_id='{run.run_id}'")
        ended = re.compile(
            rf"executor event with state success for task instance TaskInstanceKey\({who}, (.*?)\)"
        )
        log, end = self.home / "scheduler.log", time.monotonic() + _SECONDS_TO_DEFER
        while len({*ended.findall(log.read_text())}) < instances:
            if time.monotonic() > end:
                message = f"{task_id} was not deferred after {_SECONDS_TO_DEFER} s:\n{self.client.logs(run)}"
                raise TimeoutError(message)
            time.sleep(_INTERVAL)

    def wait_for_question(self, run: DagRun, task_id: str) -> None:
        """Wait until a task asks a person, and until the scheduler knows that the process that asked has ended.

        Airflow 3.3 takes a task for failed that is answered before: its scheduler then finds it queued again.
        """
        self.client.wait_for_task(run, task_id, "awaiting_input")
        log, ended = self.home / "scheduler.log", f"workload_id={self.client.task(run, task_id)['id']}"

        def known() -> bool:
            _, found, after = log.read_text().rpartition(ended)
            return bool(found) and f"run_id='{run.run_id}'" in after.partition("Received executor event")[2]

        wait_until(known, "the scheduler knows that the process which asked has ended")

    def signal(self, name: str, number: Signals) -> None:
        """Send a signal to all processes of a component, such as those that stop and continue them."""
        self._components[name].signal(number)

    def processes(self, name: str) -> list[Process]:
        """Return the live processes of a component."""
        return self._components[name].processes()

    def pids(self) -> list[int]:
        """Return all live processes."""
        return [pid for component in self._components.values() for pid in component.pids()]

    def health(self) -> dict[str, Any]:
        """Return what the API server says of the components; empty while it does not answer."""
        try:
            reply = httpx.get(f"{self.url}/api/v2/monitor/health", trust_env=False, timeout=5)
        except httpx.TransportError:
            return {}
        found: dict[str, Any] = reply.json() if reply.is_success else {}
        return found

    def logs(self) -> str:
        """Return the ends of the components' logs."""
        parts = [f"--- {log.name}\n{log.read_text()[-_LOG_TAIL:]}" for log in sorted(self.home.glob("*.log"))]
        return "\n".join(parts)

    def _migrate(self) -> None:
        if self._in_sqlite:
            sqlite.place(self.home)
            if sqlite.copied(self.home):
                return
        done = subprocess.run(
            [sys.executable, "-m", "airflow", "db", "migrate"],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            message = f"airflow db migrate failed:\n{(done.stdout + done.stderr)[-_LOG_TAIL:]}"
            raise RuntimeError(message)
        if self._in_sqlite:
            sqlite.keep(self.home)

    def _wait_until_healthy(self, timeout: float) -> None:
        end = time.monotonic() + timeout
        while True:
            health = self.health()
            if health and all(health[part]["status"] == "healthy" for part in _PARTS):
                return
            ended = [name for name, component in self._components.items() if component.status is not None]
            if ended or time.monotonic() > end:
                what = f"{', '.join(ended)} ended" if ended else f"not healthy after {timeout:g} s"
                message = f"Airflow did not come up: {what}: {health}\n{self.logs()}"
                raise RuntimeError(message)
            time.sleep(_INTERVAL)

    def _stop(self) -> None:
        components = list(self._components.values())
        for component in components:
            component.ask_to_stop()
        for component in components:
            component.wait(_SECONDS_TO_STOP)
        self._components.clear()
