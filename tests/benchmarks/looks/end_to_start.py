"""The time from a job's end to the start of the next task, in a real Airflow."""

from __future__ import annotations

import json
import random
import tempfile
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from statistics import median

from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle
from tests.airflow_stack import AirflowStack, DagRun
from tests.benchmarks.page import table
from tests.waiting import wait_until

HEADING = "From a job's end to the next task"
_RUNS = 7
_INTERVAL = 2.0
_DAGS = Path(__file__).with_name("dags")
# The tests' scheduler rests for a shorter time than the one that users have.
_AS_INSTALLED = {"AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "1"}


def section(runs: int = _RUNS) -> str:
    """Measure it and write the section."""
    with tempfile.TemporaryDirectory(prefix="end-to-start-") as home, Emulator() as emulator:
        variables = {
            "AIRFLOW_CONN_GENAI_BATCH_DEFAULT": json.dumps(emulator.connection("gemini")),
            **_AS_INSTALLED,
        }
        with AirflowStack(Path(home) / "home", _DAGS, variables) as airflow:
            _after_a_job(airflow, emulator)  # the first run finds nothing in memory
            jobs = [_after_a_job(airflow, emulator) for _ in range(runs)]
            moments = [_after_a_moment(airflow) for _ in range(runs)]
    columns = ("Waited for", "Runs", "Median, s", "Quickest, s", "Slowest, s")
    told = {
        "a job, with `GenAIBatchOperator`": jobs,
        "a moment, with Airflow's `DateTimeSensorAsync`": moments,
    }
    rows = [
        (what, len(times), f"{median(times):.1f}", f"{min(times):.1f}", f"{max(times):.1f}")
        for what, times in told.items()
    ]
    return _TEXT + table(columns, rows)


def _after_a_job(airflow: AirflowStack, emulator: Emulator) -> float:
    before = len(emulator.jobs)
    emulator.script(JobScript(lifecycle=Lifecycle.timed(pending=0, running=3600)))
    run = airflow.client.trigger("after_a_job")
    airflow.client.wait_for_task(run, "wait", "deferred")
    wait_until(lambda: emulator.jobs[before]["looks"] > 0, "the triggerer has looked at the job", 60)
    time.sleep(random.uniform(0, _INTERVAL))  # an end may fall anywhere between two looks
    ended = datetime.now(timezone.utc)
    emulator.clock.advance(3600)
    return _until_next(airflow, run, ended)


def _after_a_moment(airflow: AirflowStack) -> float:
    moment = datetime.now(timezone.utc) + timedelta(seconds=12)
    run = airflow.client.trigger("after_a_moment", {"moment": moment.isoformat()})
    airflow.client.wait_for_task(run, "wait", "deferred")
    assert datetime.now(timezone.utc) < moment, "the task deferred too late"
    return _until_next(airflow, run, moment)


def _until_next(airflow: AirflowStack, run: DagRun, since: datetime) -> float:
    assert airflow.client.wait_for(run) == "success", airflow.logs()
    return (datetime.fromisoformat(airflow.client.task(run, "next")["start_date"]) - since).total_seconds()


_TEXT = f"""\
How long it takes from the end of a deferred task's job to the start of the next task: the trigger looks (here every
{_INTERVAL:.0f} seconds), the scheduler sends the task back to a worker, the task lands the rows, and the scheduler
starts the next one. Measured with a real Airflow with SQLite and the LocalExecutor, its scheduler at its default pace,
against the [emulator](emulator.md). For comparison: Airflow's own deferred wait for a point in time, which has nothing
to look at or to land.

"""
