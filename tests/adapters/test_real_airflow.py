"""``@task.llm_batch`` on a real Airflow, where the triggerer has nothing but the batch id to tell the connection by."""

from __future__ import annotations

import pytest

from airflow_provider_genai_batch.emulator import JobScript, Lifecycle
from tests.shared_airflow.unscheduled import SharedAirflow
from tests.waiting import wait_until

pytestmark = pytest.mark.stack

SERVICES = ("gemini", "vertex")
TRIES = 3


def test_deferred_tasks_on_both_services_land_their_rows(shared_airflow: SharedAirflow) -> None:
    client = shared_airflow.airflow.client
    for service in SERVICES:
        shared_airflow.emulator.script(JobScript(lifecycle=Lifecycle.at_once()), backend=service)
    runs = [client.trigger(f"llm_batch_{service}") for service in SERVICES]
    for run in runs:
        assert client.wait_for(run) == "success", client.logs(run)
        assert client.xcom(run, "ask")["counts"]["succeeded"] == 2


@pytest.mark.parametrize("service", SERVICES)
def test_a_deferred_task_that_a_user_fails_has_its_job_cancelled(
    shared_airflow: SharedAirflow, service: str
) -> None:
    assert any(is_cancelled_with_its_task(shared_airflow, service) for _ in range(TRIES))


def is_cancelled_with_its_task(shared_airflow: SharedAirflow, service: str) -> bool:
    """Fail a task while it waits, and tell whether its job was cancelled when Airflow was done with its trigger.

    The triggerer cancels a trigger that it stops again each second, and common.ai does not shield its `on_kill` from
    that: on a machine so busy that a connection is not read within a second it comes to nothing. Then
    another try counts.
    """
    before = len(shared_airflow.emulator.jobs)
    shared_airflow.emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    client = shared_airflow.airflow.client
    run = client.trigger(f"llm_batch_{service}")
    shared_airflow.airflow.wait_for_deferral(run, "ask")
    wait_until(lambda: shared_airflow.emulator.jobs[before]["looks"], "the triggerer has looked at the job")
    client.mark(run, "ask", "failed")

    def is_over() -> bool:
        _, _, after = client.log(run, "ask").partition("invoking on_kill")
        return "trigger completed" in after

    wait_until(is_over, "the trigger has been stopped", every=0.5)
    return bool(shared_airflow.emulator.jobs[before]["cancel_requested"])
