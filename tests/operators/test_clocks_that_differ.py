"""Machines and services whose clocks differ: a job has its time by the service's own."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.sensors.genai_batch import GenAIBatchSensor
from airflow_provider_genai_batch.testing import SharedClock
from tests.dags import Ran, run_dag
from tests.operators.doors import after_submit
from tests.operators.scenes import MODEL, client

MINUTE, DAY = 60.0, 86400.0
BOTH_WAYS = pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])
BOTH_SERVICES = pytest.mark.parametrize("backend", ["gemini", "vertex"])
WHERE = {"gemini": {}, "vertex": {"dest": "gs://emulator-staging/clocks/"}}


def ask(backend: str, **settings: Any) -> Ran:
    return run_dag(
        lambda: GenAIBatchOperator(
            task_id="ask",
            model=MODEL,
            src=["a", "b"],
            retry_delay=0,
            **{"retries": 2, **WHERE[backend], **settings},
        )
    )


@BOTH_WAYS
@BOTH_SERVICES
@pytest.mark.parametrize("ahead", [10 * MINUTE, -10 * MINUTE], ids=["ahead", "behind"])
def test_a_job_has_all_its_time_whatever_the_machines_clock(
    request: pytest.FixtureRequest, virtual_clock: SharedClock, backend: str, ahead: float, deferrable: bool
) -> None:
    emulator: Emulator = request.getfixturevalue(backend)
    virtual_clock.ahead = ahead
    emulator.script(JobScript(lifecycle=Lifecycle.timed(running=7 * MINUTE)))
    ran = ask(backend, timeout=8 * MINUTE, deferrable=deferrable)
    assert (ran.state, ran.tries["ask"]) == ("success", 1), ran.errors
    assert [job["cancel_requested"] for job in emulator.jobs] == [False]


@BOTH_WAYS
def test_a_jump_of_the_machines_clock_cancels_no_job_that_has_time(
    gemini: Emulator, virtual_clock: SharedClock, deferrable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def jump(_: Any) -> None:
        virtual_clock.ahead = 4 * DAY

    after_submit(monkeypatch, jump)
    gemini.script(JobScript(lifecycle=Lifecycle.timed(running=7 * MINUTE)))
    ran = ask("gemini", deferrable=deferrable)
    assert (ran.state, ran.tries["ask"]) == ("success", 1), ran.errors
    assert [job["cancel_requested"] for job in gemini.jobs] == [False]


@BOTH_WAYS
def test_a_job_whose_time_is_over_by_the_services_clock_is_cancelled(
    gemini: Emulator, virtual_clock: SharedClock, deferrable: bool
) -> None:
    virtual_clock.ahead = -10 * MINUTE
    gemini.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    begun = virtual_clock.service.now_ns() / 1e9
    ask("gemini", timeout=8 * MINUTE, deferrable=deferrable)
    assert gemini.jobs[0]["cancel_requested"]
    assert 8 * MINUTE <= gemini.jobs[0]["ended"] - begun <= 11 * MINUTE


def test_a_deferred_sensor_has_all_its_time_whatever_the_machines_clock(
    gemini: Emulator, virtual_clock: SharedClock
) -> None:
    virtual_clock.ahead = -10 * MINUTE
    gemini.script(JobScript(lifecycle=Lifecycle.timed(running=7 * MINUTE)))
    with client() as service:
        name = service.create(MODEL, ["a"]).name
    ran = run_dag(
        lambda: GenAIBatchSensor(task_id="wait", job_names=name, timeout=8 * MINUTE, deferrable=True)
    )
    assert ran.state == "success", ran.errors


@BOTH_WAYS
@pytest.mark.parametrize("skew", [10 * MINUTE, -10 * MINUTE], ids=["ahead", "behind"])
def test_a_job_that_was_just_created_is_of_that_moment_whatever_date_the_service_tells(
    gemini: Emulator, virtual_clock: SharedClock, skew: float, deferrable: bool
) -> None:
    """A front end dates the answers, and another machine the job."""
    gemini.date_skew = skew
    gemini.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    begun = virtual_clock.monotonic()
    ask("gemini", timeout=8 * MINUTE, deferrable=deferrable, on_timeout="leave", retries=0)
    assert 7.9 * MINUTE <= virtual_clock.monotonic() - begun <= 11 * MINUTE
