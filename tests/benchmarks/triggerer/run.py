"""Lets Airflow's own triggerer carry deferred tasks to their end."""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2

from airflow_provider_genai_batch.emulator.processes.child import free_port
from tests.airflow_stack import PostgreSQL
from tests.airflow_stack.process import Component
from tests.airflow_stack.settings import environment
from tests.benchmarks.looks.server import Service, serving
from tests.waiting import wait_until

_ROOT = Path(__file__).resolve().parents[3]
WARNING = "async thread was blocked for"
"""What the triggerer says when its event loop was busy for 0.2 seconds or more."""
_BLOCKED = re.compile(rf"{WARNING} ([0-9.]+) seconds")
_PATIENCE = 600.0
_FILES = 4096
"""A triggerer holds a log file open for each trigger."""


@dataclass(frozen=True)
class Outcome:
    """What became of the tasks."""

    tasks: int
    succeeded: int
    """Go on with the event that says that their own job succeeded, or that their moment has come."""
    states: dict[str, int]
    blocked: list[float]
    """Seconds, by the triggerer's warnings of a blocked event loop."""
    loading: float
    """Seconds from the triggerer's start until all triggers had started."""
    ending: float
    """Seconds from the last job's end until the last task had left the deferred state."""
    requests: int
    connections: int
    log: str


def carry_jobs(folder: Path, tasks: int, interval: float, spread: float) -> Outcome:
    """Defer tasks, start a triggerer, let their jobs end at random moments, and see the tasks go on.

    Args:
        folder: For Airflow's files; made.
        tasks: How many.
        interval: Seconds between two looks.
        spread: Seconds within which the jobs end, once all triggers have started.
    """
    with serving() as service, _airflow(folder, tasks, service) as airflow:
        service.tell("jobs", tasks, 0)
        airflow.python("tests.benchmarks.triggerer.tasks", "jobs", tasks, interval)
        with airflow.triggerer():
            loading = airflow.wait_for_start()
            service.tell("end", spread)
            ending = airflow.wait_for_end() - spread
        counts = service.tell("counts")
        return airflow.outcome(loading, ending, int(counts["requests"]), int(counts["most_open"]))


def carry_moments(folder: Path, tasks: int, first: float) -> Outcome:
    """The same with Airflow's own trigger that waits for a moment: what Airflow itself costs.

    Args:
        folder: For Airflow's files; made.
        tasks: How many.
        first: Seconds from now to the first moment; a minute later all have come.
    """
    with serving() as service, _airflow(folder, tasks, service) as airflow:
        airflow.python("tests.benchmarks.triggerer.tasks", "moments", tasks, first)
        with airflow.triggerer():
            loading = airflow.wait_for_start()
            airflow.wait_for_end()
        return airflow.outcome(loading, 0, 0, 0)


class _Airflow:
    """A metadata database, and a triggerer when it is wanted; nothing else is needed to carry deferred tasks."""

    def __init__(self, folder: Path, tasks: int, service: Service, database: str) -> None:
        self._folder, self._tasks, self._database = folder, tasks, database
        self._log = folder / "triggerer.log"
        connection = {"conn_type": "genai_batch", "password": "benchmark", "host": service.address}
        more = {
            "AIRFLOW__TRIGGERER__CAPACITY": str(tasks + 1),
            "AIRFLOW_CONN_GENAI_BATCH_DEFAULT": json.dumps(connection),
        }
        self._variables = environment(folder, folder / "dags", free_port(), more, database)

    @contextmanager
    def triggerer(self) -> Iterator[None]:
        """Run a triggerer."""
        own = {**self._variables, "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port())}
        component = Component(["triggerer"], own, self._log)
        try:
            yield
        finally:
            component.ask_to_stop()
            component.wait(15)

    def wait_for_start(self) -> float:
        """Wait until all triggers have begun their logs; return for how many seconds."""
        logs, begun = self._folder / "logs", time.monotonic()

        def started() -> bool:
            return sum(1 for _ in logs.rglob("*.trigger.*.log")) == self._tasks

        wait_until(started, "every trigger has started", _PATIENCE, 0.5)
        return time.monotonic() - begun

    def wait_for_end(self) -> float:
        """Wait until no task is deferred; return for how many seconds."""
        begun = time.monotonic()
        wait_until(lambda: not self._deferred(), "no task is deferred", _PATIENCE, 0.5)
        return time.monotonic() - begun

    def outcome(self, loading: float, ending: float, requests: int, connections: int) -> Outcome:
        """Tell what became of the tasks."""
        found = json.loads(self.python("tests.benchmarks.triggerer.tasks", "read").splitlines()[-1])
        log = self._log.read_text()
        blocked = [float(seconds) for seconds in _BLOCKED.findall(log)]
        return Outcome(
            **found,
            blocked=blocked,
            loading=loading,
            ending=ending,
            requests=requests,
            connections=connections,
            log=log,
        )

    def python(self, *arguments: object) -> str:
        """Run a module and return what it prints."""
        command = [sys.executable, "-m", *map(str, arguments)]
        done = subprocess.run(
            command, cwd=_ROOT, env=self._variables, capture_output=True, text=True, check=False
        )
        if done.returncode:
            message = f"{arguments} failed:\n{(done.stdout + done.stderr)[-3000:]}"
            raise RuntimeError(message)
        return done.stdout

    def _deferred(self) -> int:
        with closing(psycopg2.connect(self._database.replace("+psycopg2", ""))) as connection:
            cursor = connection.cursor()
            cursor.execute("select count(*) from task_instance where state = 'deferred'")
            return cursor.fetchone()[0]


@contextmanager
def _airflow(folder: Path, tasks: int, service: Service) -> Iterator[_Airflow]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, tasks + _FILES)), hard))
    (folder / "dags").mkdir(parents=True)
    with PostgreSQL() as database:
        airflow = _Airflow(folder, tasks, service, database.url)
        airflow.python("airflow", "db", "migrate")
        yield airflow
