"""``@task.llm_batch`` on a real Airflow, where the triggerer has nothing but the batch id to tell the connection by."""

from __future__ import annotations

import pytest

from airflow_provider_genai_batch.emulator import JobScript, Lifecycle
from tests.shared_airflow.unscheduled import SharedAirflow
from tests.waiting import wait_until

pytestmark = pytest.mark.stack

SERVICES = ("gemini", "vertex")


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
    before = len(shared_airflow.emulator.jobs)
    shared_airflow.emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    client = shared_airflow.airflow.client
    run = client.trigger(f"llm_batch_{service}")
    client.wait_for_task(run, "ask", "deferred")
    wait_until(lambda: shared_airflow.emulator.jobs[before]["looks"], "the triggerer has looked at the job")
    client.mark(run, "ask", "failed")
    wait_until(lambda: shared_airflow.emulator.jobs[before]["cancel_requested"], "the job is cancelled")
