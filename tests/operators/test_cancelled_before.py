"""An attempt after one whose job was cancelled: what is paid is used if it is enough, and else submitted anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle
from airflow_provider_genai_batch.exceptions import JobTimedOut
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.testing import SharedClock
from tests.dags import Ran, run_dag
from tests.operators.doors import die_before_wait
from tests.operators.scenes import MODEL, client

EVERY_WAY = pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])
HALF_DONE = JobScript(lifecycle=Lifecycle.stuck("RUNNING"), served=0.5, cancel_looks=3)
SOURCES = {"gemini": {}, "vertex": {"dest": "gs://emulator-staging/cancelled/"}}


@pytest.fixture(params=["gemini", "vertex"])
def service(request: pytest.FixtureRequest) -> tuple[Emulator, dict[str, Any]]:
    """Return the emulator and the operator's arguments for it."""
    return request.getfixturevalue(request.param), {"src": list("abcdefgh"), **SOURCES[request.param]}


def run_twice(
    patch: pytest.MonkeyPatch, arguments: dict[str, Any], between: Callable[[str], None], **settings: Any
) -> Ran:
    """Run a task that dies when it has its job, and again after `between` was told the job's name."""
    die_before_wait(patch, lambda job: between(job.name))
    settings = {"model": MODEL, "poll_interval": 0.05, "retries": 1, "retry_delay": 0, **settings}
    return run_dag(lambda: GenAIBatchOperator(task_id="ask", **settings, **arguments))


def cancel(name: str) -> None:
    """Cancel a job as `cancel_on_kill` does."""
    with client() as service:
        service.cancel(name)


@EVERY_WAY
def test_a_job_that_is_still_being_cancelled_is_waited_for_and_its_rest_asked(
    service: tuple[Emulator, dict[str, Any]], deferrable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator, arguments = service
    emulator.script(HALF_DONE)
    ran = run_twice(monkeypatch, arguments, cancel, deferrable=deferrable)
    assert ran.state == "success", ran.errors
    assert [job["cancel_requested"] for job in emulator.jobs] == [True, False]
    assert [job["rows"]["total"] for job in emulator.jobs] == [8, 4]
    assert ran.xcom["ask"]["job_names"] == [job["name"] for job in emulator.jobs]
    assert ran.xcom["ask"]["counts"]["ok"] == 8


@EVERY_WAY
def test_rows_of_a_cancelled_job_that_are_enough_are_not_paid_again(
    service: tuple[Emulator, dict[str, Any]], deferrable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator, arguments = service
    emulator.script(HALF_DONE)
    ran = run_twice(monkeypatch, arguments, cancel, deferrable=deferrable, max_failed_rows=0.5)
    assert ran.state == "success", ran.errors
    assert len(emulator.jobs) == 1
    assert ran.xcom["ask"]["counts"]["ok"] == 4


@EVERY_WAY
def test_a_job_out_of_time_is_replaced_by_the_next_attempt(
    virtual_clock: SharedClock, service: tuple[Emulator, dict[str, Any]], deferrable: bool
) -> None:
    emulator, arguments = service
    emulator.script(JobScript(lifecycle=Lifecycle.timed(running=3600)))
    settings = {"model": MODEL, "poll_interval": 60, "retries": 1, "retry_delay": 0, "timeout": 480}
    ran = run_dag(lambda: GenAIBatchOperator(task_id="ask", deferrable=deferrable, **settings, **arguments))
    assert [type(error) for error in ran.errors] == [JobTimedOut]
    assert ran.state == "success"
    assert [job["cancel_requested"] for job in emulator.jobs] == [True, False]


def test_a_job_that_somebody_cancels_while_it_is_waited_for_fails_the_attempt_that_made_it(
    gemini: Emulator,
) -> None:
    gemini.script(JobScript(end="CANCELLED", served=0.0))
    arguments: dict[str, Any] = {"src": ["a"], "model": MODEL, "poll_interval": 0.05}
    ran = run_dag(lambda: GenAIBatchOperator(task_id="ask", retries=1, retry_delay=0, **arguments))
    assert ["next attempt submits a new job" in str(error) for error in ran.errors] == [True]
    assert ran.state == "success"
    assert [job["state"] for job in gemini.jobs] == ["CANCELLED", "SUCCEEDED"]
