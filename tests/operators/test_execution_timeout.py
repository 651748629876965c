"""Airflow's ``execution_timeout`` ends an attempt, whether it waits in place or deferred; the earliest limit counts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowSensorTimeout, AirflowTaskTimeout

from airflow_provider_genai_batch.emulator import Emulator, Fault, JobScript, Lifecycle
from airflow_provider_genai_batch.exceptions import JobTimedOut
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.sensors.genai_batch import GenAIBatchSensor
from tests.dags import Ran, run_dag
from tests.operators.scenes import MODEL, client

WAYS = pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])
SOON = timedelta(seconds=10)


def ask(deferrable: bool, **settings: Any) -> Ran:
    settings = {"src": ["a"], "poll_interval": 0.05, "execution_timeout": SOON, **settings}
    return run_dag(lambda: GenAIBatchOperator(task_id="ask", model=MODEL, deferrable=deferrable, **settings))


def ended_by(ran: Ran) -> BaseException:
    (error,) = ran.errors
    return error


@WAYS
@pytest.mark.parametrize("on_timeout", ["cancel", "leave"])
def test_the_attempt_ends_and_its_job_is_cancelled(
    gemini: Emulator, deferrable: bool, on_timeout: str
) -> None:
    gemini.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    ran = ask(deferrable, on_timeout=on_timeout)
    assert isinstance(ended_by(ran), AirflowTaskTimeout)
    assert gemini.jobs[0]["cancel_requested"]


@WAYS
def test_a_job_that_is_not_to_be_cancelled_goes_on(gemini: Emulator, deferrable: bool) -> None:
    gemini.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    ran = ask(deferrable, cancel_on_kill=False)
    assert isinstance(ended_by(ran), AirflowTaskTimeout)
    assert not gemini.jobs[0]["cancel_requested"]


@WAYS
def test_a_limit_that_comes_earlier_decides(gemini: Emulator, deferrable: bool) -> None:
    gemini.script(JobScript(lifecycle=Lifecycle.stuck("PENDING")))
    ran = ask(deferrable, execution_timeout=timedelta(hours=1), pending_timeout=0.2, on_timeout="leave")
    assert isinstance(ended_by(ran), JobTimedOut)
    assert not gemini.jobs[0]["cancel_requested"]


def test_the_time_runs_on_over_all_deferrals(gemini: Emulator) -> None:
    """The service has no capacity, then only late rows."""
    full = {"grpc": "RESOURCE_EXHAUSTED", "retry_after": 0}
    gemini.faults.add("batches.create", Fault.error(429, **full))
    gemini.faults.add("batches.create", Fault.error(429, **{**full, "retry_after": 3600}))
    ran = ask(True)
    assert isinstance(ended_by(ran), AirflowTaskTimeout)
    assert "capacity" in str(ended_by(ran))
    assert gemini.jobs == []
    gemini.script(JobScript(late_output=100_000))
    ran = ask(True, execution_timeout=timedelta(seconds=20))
    assert isinstance(ended_by(ran), AirflowTaskTimeout)
    assert "pays nothing" in str(ended_by(ran))


LIMITS = {"timeout": AirflowSensorTimeout, "execution_timeout": AirflowTaskTimeout}


@pytest.mark.parametrize("which", LIMITS)
@pytest.mark.parametrize("late", [False, True], ids=["while the job runs", "while its rows are late"])
def test_a_deferred_sensor_keeps_the_earliest_of_its_limits(gemini: Emulator, late: bool, which: str) -> None:
    gemini.script(JobScript(late_output=100_000) if late else JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    with client() as service:
        name = service.create(MODEL, ["a"]).name
    hour = {"timeout": 3600.0, "execution_timeout": timedelta(hours=1)}
    limits = {**hour, which: timedelta(seconds=15)}
    ran = run_dag(
        lambda: GenAIBatchSensor(
            task_id="wait", job_names=name, poke_interval=0.05, deferrable=True, **limits
        )
    )
    assert isinstance(ended_by(ran), LIMITS[which])
    assert not gemini.jobs[0]["cancel_requested"]
