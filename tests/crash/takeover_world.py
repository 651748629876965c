"""A real Airflow on PostgreSQL with two triggerers, the emulator, and what became of a run on both sides."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from airflow_provider_genai_batch.emulator import Emulator, Lifecycle
from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage
from airflow_provider_genai_batch.models.jobs.identity import task_key
from tests.airflow_stack import AirflowStack, DagRun, PostgreSQL, Process
from tests.airflow_stack.preload import preload
from tests.waiting import wait_until

DAGS = Path(__file__).with_name("takeover_dags")
KEYS = {f"k{number}" for number in range(5)}
CREATES = ("batches.create", "batchPredictionJobs.create")
TRIGGERERS = ("triggerer0", "triggerer1")
PATIENCE = 360.0
"""Seconds after which something is not going to happen; on a busy machine recoveries take long.

An attempt whose process dies as it starts is given up by Airflow after more than two minutes; the next one counts.
"""


@dataclass(frozen=True)
class World:
    """What the tests kill, and where they look afterwards."""

    airflow: AirflowStack
    emulator: Emulator
    results: Path

    def start(self, dag_id: str, **states: str) -> DagRun:
        """Start a run and wait until each task is in its state and its job was looked at."""
        run = self.airflow.client.trigger(dag_id)
        for task_id, state in states.items():
            self.airflow.client.wait_for_task(run, task_id, state, PATIENCE)
        self.wait_for_looks(run, *states)
        return run

    def jobs(self, run: DagRun, task_id: str) -> list[dict[str, Any]]:
        """Return the jobs of a task of a run at the service, whatever they ask, oldest first."""
        key = task_key(run.dag_id, task_id, run.run_id, -1)[:16]
        return [job for job in self.emulator.jobs if f" {key}-" in job["display_name"]]

    def wait_for_looks(self, run: DagRun, *task_ids: str) -> None:
        """Wait until somebody has looked at each task's newest job, from now on."""
        before = {task_id: self._looks(run, task_id) for task_id in task_ids}
        for task_id, seen in before.items():
            what = f"the job of {task_id} is looked at"
            self.wait(run, lambda t=task_id, s=seen: self._looks(run, t) > s, what)

    def creates(self, run: DagRun, task_id: str) -> int:
        """Return how many create calls were sent for a task of a run."""
        key = task_key(run.dag_id, task_id, run.run_id, -1)[:16]
        sent = [request for request in self.emulator.requests if request["method"] in CREATES]
        return sum(f" {key}-" in json.dumps(request["body"]) for request in sent)

    def end_jobs(self, run: DagRun) -> None:
        """Let the service end all jobs of a run that go on and are not being cancelled."""
        for task_id in self.airflow.client.task_states(run):
            for job in self.jobs(run, task_id):
                if job["live"] and not job["cancel_requested"]:
                    self.emulator.force(job["name"], "SUCCEEDED")

    def end_all_jobs(self) -> None:
        """Let the service end all jobs, so that a test that failed leaves no task that waits."""
        for job in self.emulator.jobs:
            if job["live"]:
                self.emulator.force(job["name"], "SUCCEEDED")

    def answers(self) -> Counter[str]:
        """Return how often each text was answered at once."""
        return Counter(
            request["body"]["contents"][0]["parts"][0]["text"]
            for request in self.emulator.requests
            if request["path"].endswith(":generateContent") and request["status"] == HTTPStatus.OK
        )

    def cancelled(self, run: DagRun, task_id: str) -> list[bool]:
        """Return for each job of a task whether somebody asked for its cancellation, oldest first."""
        return [job["cancel_requested"] for job in self.jobs(run, task_id)]

    def finish(self, run: DagRun) -> None:
        """Let the jobs end, and see the run succeed with every row in place."""
        client = self.airflow.client
        assert client.wait_for(run, progress=lambda _: self.end_jobs(run)) == "success", self.explain(run)
        for task_id in self.airflow.client.task_states(run):
            assert self.rows(run, task_id) == dict.fromkeys(KEYS, "ok"), task_id

    def assert_paid_once(self, run: DagRun) -> None:
        """See that each task created one job, with one call, and that nobody cancelled it."""
        for task_id in self.airflow.client.task_states(run):
            assert self.cancelled(run, task_id) == [False], self.explain(run)
            assert self.creates(run, task_id) == 1, self.explain(run)

    def rows(self, run: DagRun, task_id: str) -> dict[str, str]:
        """Return the status of each row that a task of a run landed, by key."""
        return {key: line["status"] for key, line in self.lines(run, task_id).items()}

    def lines(self, run: DagRun, task_id: str) -> dict[str, dict[str, Any]]:
        """Return the rows that a task of a run landed, by key."""
        path = self.results / f"{run.dag_id}-{task_id}-{run.run_id}.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        assert len({line["key"] for line in lines}) == len(lines)
        return {line["key"]: line for line in lines}

    def triggerer_of(self, run: DagRun, task_id: str) -> str:
        """Return the triggerer that a deferred task is with, as soon as it is with one."""
        found: list[str] = []

        def is_with_one() -> bool:
            name = self.airflow.client.triggerer_of(run, task_id)
            found.extend([name] if name else [])
            return bool(found)

        self.wait(run, is_with_one, f"{task_id} is with a triggerer")
        return found[0]

    def wait_for_both_triggerers(self) -> None:
        """Wait until Airflow holds both triggerers for alive."""
        wait_until(
            lambda: set(self.airflow.client.triggerers()) == set(TRIGGERERS),
            "both triggerers are alive",
            PATIENCE,
        )

    def wait(self, run: DagRun, condition: Callable[[], bool], what: str) -> None:
        """Wait until a condition holds; should it not, tell all that is known of the run."""
        try:
            wait_until(condition, what, PATIENCE, every=0.2)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.explain(run)}") from None

    def waits_again(self, run: DagRun, task_id: str) -> bool:
        """Whether a later attempt of a task is deferred, with a job that goes on and that nobody cancelled."""
        task, jobs = self.airflow.client.task(run, task_id), self.jobs(run, task_id)
        again = task["try_number"] > 1 and task["state"] == "deferred"
        return again and jobs[-1]["live"] and not jobs[-1]["cancel_requested"]

    def wait_for_stopped_trigger(self, run: DagRun, task_id: str) -> None:
        """Wait until Airflow has told a trigger to stop, as it does when a user acts or the trigger moves."""

        def stopped() -> bool:
            told, _, after = self.airflow.client.log(run, task_id).partition("invoking on_kill")
            return bool(told) and "trigger completed" in after

        self.wait(run, stopped, f"a trigger of {task_id} was stopped")

    def child_of_triggerer(self, name: str) -> Process:
        """Return the process of a triggerer that runs the triggers."""
        processes = self.airflow.processes(name)
        parents = {process.pid: process.parent for process in processes}
        # Under its watch is the triggerer, under that its child and a server of logs.
        found = [
            p for p in processes if parents.get(p.parent) in parents and not p.title.endswith("serve-logs")
        ]
        assert len(found) == 1, processes
        return found[0]

    def supervisor_of(self, run: DagRun, task_id: str) -> Process:
        """Return the process that minds a running task."""
        return self._worker(f"LocalExecutor: {self._id(run, task_id)}")

    def process_of(self, run: DagRun, task_id: str) -> Process:
        """Return the process that runs a task's code."""
        return self._worker(self._id(run, task_id))

    def lives(self, process: Process) -> bool:
        """Whether a process of the scheduler's session goes on."""
        return process.pid in {other.pid for other in self.airflow.processes("scheduler")}

    def orphan(self, run: DagRun, task_id: str) -> Process:
        """Kill the supervisor of a running task; the task's own process goes on, and is returned."""
        process = self.process_of(run, task_id)
        os.kill(self.supervisor_of(run, task_id).pid, signal.SIGKILL)
        return process

    def wait_for_attempt(self, run: DagRun, task_id: str, number: int) -> None:
        """Wait until an attempt of a task runs, or a later one."""

        def runs() -> bool:
            task = self.airflow.client.task(run, task_id)
            return task["try_number"] >= number and task["state"] == "running"

        self.wait(run, runs, f"attempt {number} of {task_id} runs")

    def explain(self, run: DagRun) -> str:
        """Return what Airflow and the service say of a run."""
        client, parts = self.airflow.client, []
        for task_id, state in client.task_states(run).items():
            jobs = [
                {name: job[name] for name in ("name", "state", "looks", "cancel_requested")}
                for job in self.jobs(run, task_id)
            ]
            tries = client.task(run, task_id)["try_number"]
            logs = [client.log_or_why_not(run, task_id, attempt)[-4000:] for attempt in range(1, tries + 1)]
            parts.append("\n".join([f"--- {task_id}: {state}, attempt {tries}, {jobs}", *logs]))
        return "\n".join(parts)

    def _looks(self, run: DagRun, task_id: str) -> int:
        jobs = self.jobs(run, task_id)
        return jobs[-1]["looks"] if jobs else 0

    def _id(self, run: DagRun, task_id: str) -> str:
        return str(self.airflow.client.task(run, task_id)["id"])

    def _worker(self, title: str) -> Process:
        found = [p for p in self.airflow.processes("scheduler") if p.title == f"airflow worker -- {title}"]
        assert len(found) == 1, [p.title for p in self.airflow.processes("scheduler")]
        return found[0]


@contextmanager
def world(folder: Path, storage: CloudStorage) -> Iterator[World]:
    """Start everything. No job ends by itself."""
    requests = folder / "requests.jsonl"
    lines = [
        json.dumps({"key": key, "request": {"contents": [{"role": "user", "parts": [{"text": key}]}]}})
        for key in sorted(KEYS)
    ]
    requests.write_text("\n".join(lines) + "\n")
    with (
        PostgreSQL() as database,
        Emulator(storage=storage, lifecycle=Lifecycle.stuck("RUNNING")) as emulator,
    ):
        variables = {
            "AIRFLOW_CONN_GENAI_BATCH_DEFAULT": json.dumps(emulator.connection("gemini")),
            "AIRFLOW_CONN_GENAI_BATCH_VERTEX": json.dumps(emulator.connection("vertex")),
            "AIRFLOW_VAR_TAKEOVER_RESULTS": str(folder / "results"),
            "AIRFLOW_VAR_TAKEOVER_REQUESTS": str(requests),
            "STORAGE_EMULATOR_HOST": storage.url,
            # A supervisor asks a dead API server five times for a heartbeat, with seconds in between.
            "AIRFLOW__WORKERS__EXECUTION_API_RETRY_WAIT_MIN": "0.1",
            "AIRFLOW__WORKERS__EXECUTION_API_RETRY_WAIT_MAX": "0.3",
        }
        preload(folder / "home")
        with AirflowStack(
            folder / "home", DAGS, variables, triggerers=len(TRIGGERERS), database=database.url
        ) as airflow:
            yield World(airflow, emulator, folder / "results")
