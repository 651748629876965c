"""An attempt of a task beside a task instance that is not Airflow's: the port is all that it sees."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_genai_batch.client import ClientConfig, GenAIBatchClient
from airflow_provider_genai_batch.emulator import Emulator, Fault, JobScript, Lifecycle
from airflow_provider_genai_batch.exceptions import (
    JobCancelled,
    JobTimedOut,
    ServerError,
    TooManyFailedRows,
)
from airflow_provider_genai_batch.flows.submission.attempt import Attempt
from airflow_provider_genai_batch.flows.watch import Ending, Why
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.task.settings.order import Order
from tests.task.plain_task import Deferred, PlainTask, attempt


@pytest.fixture
def client(emulator: Emulator) -> Iterator[GenAIBatchClient]:
    """Give a client that no Airflow connection was read for."""
    with GenAIBatchClient(ClientConfig(Backend.GEMINI, api_key="not-a-secret", host=emulator.url)) as running:
        yield running


def test_an_attempt_needs_no_airflow(emulator: Emulator, client: GenAIBatchClient) -> None:
    manifest = attempt(PlainTask(), client, ["a", "b"]).run(Attempt())
    assert manifest["counts"]["ok"] == 2
    assert len(emulator.jobs) == 1


def test_an_attempt_that_is_deferred_goes_on_from_what_it_handed_on(
    emulator: Emulator, client: GenAIBatchClient
) -> None:
    emulator.script(JobScript(row_errors={0: 13}))
    task, how = PlainTask(), {"deferrable": True, "retry_failed_rows": 1}
    with pytest.raises(Deferred) as first:
        attempt(task, client, ["a", "b"], **how).run(Attempt())
    assert first.value.names == task.waiting_for == [emulator.jobs[0]["name"]]
    with pytest.raises(Deferred) as second:  # the row that failed is asked again
        attempt(PlainTask(), client, ["a", "b"], **how).complete(ended(client, first.value))
    manifest = attempt(PlainTask(), client, ["a", "b"], **how).complete(ended(client, second.value))
    assert (manifest["counts"]["ok"], len(emulator.jobs)) == (2, 2)


def test_the_next_attempt_takes_up_the_job_and_asks_only_what_failed(
    emulator: Emulator, client: GenAIBatchClient
) -> None:
    emulator.script(JobScript(row_errors={0: 13}))
    with pytest.raises(TooManyFailedRows):
        attempt(PlainTask(), client, ["a", "b"]).run(Attempt())
    manifest = attempt(PlainTask(), client, ["a", "b"], retry_failed_rows=1).run(Attempt(look_first=True))
    assert (manifest["counts"]["ok"], [job["rows"]["total"] for job in emulator.jobs]) == (2, [2, 1])


def test_a_killed_attempt_creates_nothing(emulator: Emulator, client: GenAIBatchClient) -> None:
    with pytest.raises(JobCancelled):
        attempt(PlainTask(killed=True), client, ["a"]).run(Attempt())
    assert emulator.jobs == []


def test_a_lack_of_capacity_is_waited_out_without_a_worker(
    emulator: Emulator, client: GenAIBatchClient
) -> None:
    emulator.faults.add("batches.create", Fault.error(429, message="too many", grpc="RESOURCE_EXHAUSTED"))
    with pytest.raises(Deferred) as left:
        attempt(PlainTask(), client, ["a"], deferrable=True).run(Attempt())
    assert left.value.names == []
    emulator.faults.clear()
    task = attempt(PlainTask(), client, ["a"])
    manifest = task.resume(left.value.memo)
    assert (manifest["counts"]["ok"], len(emulator.jobs)) == (1, 1)


def test_an_input_that_cannot_be_read_again_for_now_is_waited_for(
    emulator: Emulator, client: GenAIBatchClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator.script(JobScript(row_errors={0: 13}))
    task, how = PlainTask(), {"deferrable": True, "retry_failed_rows": 1}
    with pytest.raises(Deferred) as first:
        attempt(task, client, ["a", "b"], **how).run(Attempt())
    event = ended(client, first.value)

    def fail(*_: Any, **__: Any) -> Any:
        raise ServerError("away", code=503, method="objects.get")

    with monkeypatch.context() as patch:
        patch.setattr(Order, "read", fail)
        with pytest.raises(Deferred) as pause:
            attempt(task, client, ["a", "b"], **how).complete(event)
    memo = dict(pause.value.memo)
    assert (memo["looked"], memo["look_first"]) == (False, True)
    with pytest.raises(Deferred) as second:
        attempt(task, client, ["a", "b"], **how).resume(memo)
    manifest = attempt(task, client, ["a", "b"], **how).complete(ended(client, second.value))
    assert (manifest["counts"]["ok"], [job["rows"]["total"] for job in emulator.jobs]) == (2, [2, 1])


def test_trouble_that_outlasts_the_deadline_hides_no_job_that_is_paid_for(
    emulator: Emulator, client: GenAIBatchClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator.script(JobScript(row_errors={0: 13}))
    how = {"deferrable": True, "retry_failed_rows": 1, "timeout": 0.001}
    with pytest.raises(Deferred) as first:
        attempt(PlainTask(), client, ["a", "b"], **how).run(Attempt())
    event = ended(client, first.value)

    def fail(*_: Any, **__: Any) -> Any:
        raise ServerError("away", code=503, method="objects.get")

    monkeypatch.setattr(Order, "read", fail)
    with pytest.raises(JobTimedOut) as failure:
        attempt(PlainTask(), client, ["a", "b"], **how).complete(event)
    name = emulator.jobs[0]["name"]
    assert failure.value.job_names == (name,)
    assert (failure.value.manifest or {})["counts"]["ok"] == 1
    assert f"The answers of {name} are paid for" in str(failure.value)
    assert "nothing is billed" not in str(failure.value)


def test_a_further_round_without_capacity_hides_no_job_that_is_paid_for(
    emulator: Emulator, client: GenAIBatchClient
) -> None:
    emulator.script(JobScript(row_errors={0: 13}))
    how = {"deferrable": True, "retry_failed_rows": 1, "timeout": 0.001}
    with pytest.raises(Deferred) as first:
        attempt(PlainTask(), client, ["a", "b"], **how).run(Attempt())
    event = ended(client, first.value)
    emulator.faults.add("batches.create", Fault.error(429, message="too many", grpc="RESOURCE_EXHAUSTED"))
    with pytest.raises(JobTimedOut) as failure:
        attempt(PlainTask(), client, ["a", "b"], **how).complete(event)
    name = emulator.jobs[0]["name"]
    assert failure.value.job_names == (name,)
    assert (failure.value.manifest or {})["counts"]["ok"] == 1
    assert f"The answers of {name} are paid for" in str(failure.value)


def test_a_job_that_is_stuck_is_what_a_kill_would_cancel(
    emulator: Emulator, client: GenAIBatchClient
) -> None:
    emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    task = PlainTask()
    with pytest.raises(Deferred):
        attempt(task, client, ["a"], deferrable=True).run(Attempt())
    task.cancel_unwanted()
    assert task.cancelled == [emulator.jobs[0]["name"]]


def ended(client: GenAIBatchClient, left: Deferred) -> dict[str, Any]:
    """Return the event of a trigger that saw the jobs end."""
    states = {}
    for name in left.names:
        job = client.get(name)
        while not job.done:
            job = client.get(name)
        states[name] = job.state.value
    return {**Ending(Why.ENDED, states).as_dict(), "job_names": left.names, "memo": left.memo}
