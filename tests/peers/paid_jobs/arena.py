"""Where both contenders run: one emulator, one real Airflow, and the ways to hurt a run."""

from __future__ import annotations

import io
import json
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_provider_genai_batch.client import ClientConfig, GenAIBatchClient
from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle
from airflow_provider_genai_batch.models.base import Backend
from tests.airflow_stack import AirflowStack, DagRun
from tests.waiting import wait_until, wait_until_gone

TASK = "answer"
ROWS = 3
HOUR = 3600
_SECONDS = 120
_DAGS = Path(__file__).with_name("dags")


@dataclass
class Arena:
    """One emulator and one Airflow; runs come one after the other, so that every fault meets its run."""

    emulator: Emulator
    airflow: AirflowStack

    def begin(self, side: str, door: str, source: str) -> DagRun:
        """Start a run over a freshly uploaded file."""
        config = ClientConfig(Backend.GEMINI, api_key="emulator-key", host=self.emulator.url)
        with GenAIBatchClient(config) as client:
            name = client.upload(io.BytesIO(_lines()))
        return self.airflow.client.trigger(f"{side}_{door}_{source}", {"file": name})

    def the_next_job_takes_an_hour(self) -> None:
        """Keep the next job running until the hour passes."""
        self.emulator.script(JobScript(lifecycle=Lifecycle.timed(pending=0, running=HOUR)))

    def the_hour_passes(self) -> None:
        """Let every job end."""
        self.emulator.clock.advance(HOUR)

    def wait_for_a_look(self, since: int = 0) -> None:
        """Wait until somebody has asked how a job is, in a request after the first `since`."""
        wait_until(
            lambda: any(one["method"] == "batches.get" for one in self.emulator.requests[since:]),
            "somebody looks at a job",
            _SECONDS,
        )

    def kill_task(self, run: DagRun) -> None:
        """Kill the process that runs the task's code; its supervisor sees that it is gone."""
        instance = self.airflow.client.task(run, TASK)["id"]
        # The supervisor's title ends in the same; it says that it is of the LocalExecutor.
        (pid,) = [
            process.pid
            for process in self.airflow.processes("scheduler")
            if process.title.endswith(instance) and "LocalExecutor" not in process.title
        ]
        os.kill(pid, signal.SIGKILL)
        wait_until_gone(pid)

    def kill_triggerer(self) -> None:
        """Kill the triggerer and start another."""
        self.airflow.kill("triggerer0")
        self.airflow.start("triggerer0")

    @property
    def asked(self) -> int:
        """How many requests the emulator has seen."""
        return len(self.emulator.requests)


@contextmanager
def arena(folder: Path) -> Iterator[Arena]:
    """Start both, and stop them at the end.

    Args:
        folder: For the database, logs and results.
    """
    results = folder / "results"
    results.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        # Two seconds of running let every waiter find its job unfinished at least once.
        emulator = stack.enter_context(Emulator(lifecycle=Lifecycle.timed(pending=0, running=2)))
        variables = {
            "AIRFLOW_CONN_GENAI_BATCH_DEFAULT": json.dumps(emulator.connection("gemini")),
            "AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT": _google(),
            # Google's SDK, which their operator calls, reads it.
            "GOOGLE_GEMINI_BASE_URL": emulator.url,
            "PEERS_RESULTS": str(results),
        }
        yield Arena(emulator, stack.enter_context(AirflowStack(folder / "home", _DAGS, variables)))


def _google() -> str:
    extra: dict[str, Any] = {"is_anonymous": True, "project": "emulator-project"}
    return json.dumps({"conn_type": "google_cloud_platform", "extra": extra})


def _lines() -> bytes:
    request = {"contents": [{"role": "user", "parts": [{"text": "Name a river."}]}]}
    return b"".join(json.dumps({"key": f"k{n}", "request": request}).encode() + b"\n" for n in range(ROWS))
