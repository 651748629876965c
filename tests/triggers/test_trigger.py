"""The trigger: what it keeps, what it shares, and that it never submits or downloads."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
from airflow.providers.common.compat.sdk import AirflowTaskTimeout

from airflow_provider_genai_batch.client.transport import http
from airflow_provider_genai_batch.emulator import Emulator, Fault, JobScript, Lifecycle
from airflow_provider_genai_batch.flows.watch import WaitPlan
from airflow_provider_genai_batch.hooks import poller_pool as shared
from airflow_provider_genai_batch.hooks import task_state as states
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.triggers import cancel_on_kill as unwanted
from airflow_provider_genai_batch.triggers.genai_batch import GenAIBatchTrigger
from airflow_provider_genai_batch.triggers.pause import GenAIBatchPauseTrigger
from tests.operators.scenes import MODEL, client
from tests.triggers.watching import fire
from tests.waiting import until

Killable = TypeVar("Killable", bound=unwanted.CancelsUnwanted)

pytestmark = pytest.mark.usefixtures("looks")


def submit(count: int = 1) -> list[str]:
    with client() as service:
        return [service.create(MODEL, ["a", "b"]).name for _ in range(count)]


def trigger(names: list[str], seconds: float = 60, **plan: Any) -> GenAIBatchTrigger:
    end = time.time() + seconds
    return GenAIBatchTrigger(
        "genai_batch_default", names, WaitPlan(0.02, end, end, **plan).as_dict(), {"n": 1}
    )


def test_what_the_database_keeps_is_names_and_numbers(gemini: Emulator) -> None:
    path, kwargs = trigger(["batches/x"]).serialize()
    assert path == "airflow_provider_genai_batch.triggers.genai_batch.GenAIBatchTrigger"
    assert set(kwargs) == {"conn_id", "job_names", "plan", "memo", "cancel_on_kill"}
    kept = json.dumps(kwargs)
    assert "emulator-key" not in kept
    assert GenAIBatchTrigger(**json.loads(kept)).serialize() == (path, kwargs)


async def test_it_fires_once_all_jobs_have_ended(gemini: Emulator) -> None:
    names = submit(3)
    payload = await fire(trigger(names))
    assert payload["why"] == "ended"
    assert payload["job_names"] == names
    assert set(payload["states"].values()) == {"BATCH_STATE_SUCCEEDED"}
    assert payload["memo"] == {"n": 1}


async def test_it_looks_and_does_nothing_else(gemini: Emulator) -> None:
    names = submit()
    gemini.clear_requests()
    await fire(trigger(names))
    assert {request["method"] for request in gemini.requests} <= {"batches.get", "batches.list"}
    assert all("metadata(" in json.dumps(request["query"]) for request in gemini.requests), "rows travelled"


async def test_many_triggers_share_one_client_and_the_last_one_closes_it(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[http.AsyncHttp] = []
    closed: list[http.AsyncHttp] = []
    init, close = http.AsyncHttp.__init__, http.AsyncHttp.close

    def counted(self: http.AsyncHttp, *how: Any) -> None:
        made.append(self)
        init(self, *how)

    async def noted(self: http.AsyncHttp) -> None:
        closed.append(self)
        await close(self)

    monkeypatch.setattr(http.AsyncHttp, "__init__", counted)
    monkeypatch.setattr(http.AsyncHttp, "close", noted)
    names = submit(20)
    events = await asyncio.gather(*(fire(trigger([name])) for name in names))
    assert {event["why"] for event in events} == {"ended"}
    assert len(made) == 1
    assert closed == made
    assert not shared.lent()


def _looked_for(emulator: Emulator, name: str) -> bool:
    return any(name in seen["path"] or seen["method"] == "batches.list" for seen in emulator.requests)


async def test_cancelling_one_trigger_leaves_the_others(gemini: Emulator) -> None:
    gemini.script(JobScript(lifecycle=Lifecycle.stuck()))
    stuck, free = submit(2)
    gemini.clear_requests()
    first = asyncio.create_task(fire(trigger([stuck])))
    await until(lambda: _looked_for(gemini, stuck))
    second = asyncio.create_task(fire(trigger([free])))
    first.cancel()
    assert (await second)["why"] == "ended"
    with pytest.raises(asyncio.CancelledError):
        await first
    assert not any(job["cancel_requested"] for job in gemini.jobs), (
        "a trigger that moves must not cancel a paid job"
    )


async def test_a_deadline_cancels_the_job(gemini: Emulator) -> None:
    gemini.script(JobScript(lifecycle=Lifecycle.stuck()))
    payload = await fire(trigger(submit(), seconds=0.1))
    assert (payload["why"], payload["cancelled"]) == ("timed_out", True)
    assert gemini.jobs[0]["cancel_requested"]


async def test_a_deadline_may_leave_the_job(gemini: Emulator) -> None:
    gemini.script(JobScript(lifecycle=Lifecycle.stuck()))
    payload = await fire(trigger(submit(), seconds=0.1, cancel_on_timeout=False))
    assert (payload["why"], payload["cancelled"]) == ("timed_out", False)
    assert not gemini.jobs[0]["cancel_requested"]


async def test_a_job_that_is_gone_is_lost(gemini: Emulator) -> None:
    (name,) = submit()
    gemini.faults.add("batches.get", Fault.error(404, "no such batch", grpc="NOT_FOUND"))
    payload = await fire(trigger([name]))
    assert payload["why"] == "lost"
    assert "no such batch" in payload["detail"]


async def test_a_connection_that_cannot_be_used_is_said_by_the_task(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_GENAI_BATCH_DEFAULT", '{"conn_type": "http"}')
    payload = await fire(trigger(["batches/x"]))
    assert payload["why"] == "lost"
    assert "genai_batch" in payload["detail"]


async def test_a_connection_that_is_gone_is_said_by_the_task(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_GENAI_BATCH_DEFAULT")
    payload = await fire(trigger(["batches/x"]))
    assert payload["why"] == "lost"
    assert "genai_batch_default" in payload["detail"]


@pytest.mark.parametrize("state", ["failed", "success", None])
async def test_a_task_that_was_ended_has_its_jobs_cancelled(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch, state: str | None
) -> None:
    gemini.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    monkeypatch.setattr(states, "state_of", lambda _: state)
    await killable(submit()).on_kill()
    assert gemini.jobs[0]["cancel_requested"]


async def test_a_trigger_that_only_moves_cancels_nothing(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    gemini.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    monkeypatch.setattr(states, "state_of", lambda _: "deferred")
    await killable(submit()).on_kill()
    assert not gemini.jobs[0]["cancel_requested"]


@pytest.mark.parametrize("state", ["scheduled", "queued", "running"])
async def test_a_copy_that_is_left_behind_by_a_task_that_goes_on_cancels_none_of_its_other_jobs(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    names = _one_that_ends_and_one_that_goes_on(gemini)
    monkeypatch.setattr(states, "state_of", lambda _: state)
    assert (await fire(trigger(names, until_first=True)))["why"] == "ended"  # with another triggerer
    await killable(names, until_first=True).on_kill()
    assert not any(job["cancel_requested"] for job in gemini.jobs)


@pytest.mark.parametrize(
    "state", ["failed", "success", "skipped", "removed", "up_for_retry", "restarting", None]
)
async def test_a_task_that_was_ended_while_it_waited_for_the_first_of_several_has_all_cancelled(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch, state: str | None
) -> None:
    names = _one_that_ends_and_one_that_goes_on(gemini)
    monkeypatch.setattr(states, "state_of", lambda _: state)
    await killable(names, until_first=True).on_kill()
    assert gemini.jobs[1]["cancel_requested"]


@pytest.mark.parametrize("plan", [{}, {"until_first": True}], ids=str)
@pytest.mark.parametrize("state", ["scheduled", "queued", "running"])
async def test_a_task_that_runs_again_after_it_was_cleared_has_its_only_job_cancelled(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch, state: str, plan: dict[str, bool]
) -> None:
    gemini.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    monkeypatch.setattr(states, "state_of", lambda _: state)
    await killable(submit(), **plan).on_kill()
    assert gemini.jobs[0]["cancel_requested"]


def _one_that_ends_and_one_that_goes_on(emulator: Emulator) -> list[str]:
    emulator.script(JobScript())
    emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    return submit(2)


async def test_a_cancellation_goes_on_though_airflow_cancels_it_again_and_again(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    gemini.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    asked, answer = threading.Event(), threading.Event()

    def slow(_: Any) -> str:
        asked.set()
        answer.wait(120)
        return "failed"

    monkeypatch.setattr(states, "state_of", slow)
    killing = asyncio.ensure_future(killable(submit()).on_kill())
    await asyncio.to_thread(asked.wait, 30)
    for _ in range(3):
        killing.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await killing
    answer.set()
    await asyncio.gather(*unwanted.cancelling)
    assert gemini.jobs[0]["cancel_requested"]


async def test_a_job_that_cannot_be_cancelled_is_named_in_the_log(
    gemini: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    gemini.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    names = submit()
    gemini.faults.add("batches.cancel", Fault.error(403))
    monkeypatch.setattr(states, "state_of", lambda _: "failed")
    await killable(names).on_kill()
    said = capsys.readouterr().out + caplog.text  # Airflow 3, and 2
    assert f"Job {names[0]} could not be cancelled" in said


async def test_a_job_that_cannot_be_cancelled_keeps_no_other_from_it(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        gemini.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    names = submit(3)
    gemini.faults.add("batches.cancel", Fault.error(403, path=names[0]))
    monkeypatch.setattr(states, "state_of", lambda _: "failed")
    await killable(names).on_kill()
    asked = {job["name"]: bool(job["cancel_requested"]) for job in gemini.jobs}
    assert [asked[name] for name in names] == [False, True, True]


@pytest.mark.parametrize(("state", "cancelled"), [("failed", True), (None, True), ("deferred", False)])
async def test_jobs_that_go_on_while_another_finds_no_capacity_are_cancelled_with_their_task(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch, state: str | None, cancelled: bool
) -> None:
    gemini.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    monkeypatch.setattr(states, "state_of", lambda _: state)
    waiting = GenAIBatchPauseTrigger(time.time() + 3600, {}, "genai_batch_default", submit(), True)
    await as_prepared(waiting).on_kill()
    assert bool(gemini.jobs[0]["cancel_requested"]) is cancelled


@pytest.mark.parametrize("left", [-1.0, 0.0, 0.05])
async def test_a_pause_that_ends_with_the_attempt_says_so_to_a_task_whose_clock_is_behind(
    left: float,
) -> None:
    attempt = GenAIBatchOperator(task_id="ask", model=MODEL, src=["a"], execution_timeout=timedelta(hours=1))
    attempt.begin()
    pause = GenAIBatchPauseTrigger(time.time() + 3600, {"carried": attempt.carried()})
    pause.end_at(time.time() + left, left)
    async for event in pause.run():
        attempt.resumes(event.payload)
    with pytest.raises(AirflowTaskTimeout):
        attempt.stop_if_over()


async def test_a_pause_that_ends_before_the_attempt_lets_it_go_on() -> None:
    attempt = GenAIBatchOperator(task_id="ask", model=MODEL, src=["a"], execution_timeout=timedelta(hours=1))
    attempt.begin()
    pause = GenAIBatchPauseTrigger(time.time(), {"carried": attempt.carried()})
    pause.end_at(time.time() + 3600, 3600)
    async for event in pause.run():
        attempt.resumes(event.payload)
    attempt.stop_if_over()
    assert attempt.seconds_left > 3000


def killable(names: list[str], **plan: Any) -> GenAIBatchTrigger:
    """Return a trigger that cancels when it is killed, as a triggerer prepares it."""
    waiting = trigger(names, **plan)
    waiting.cancel_on_kill = True
    return as_prepared(waiting)


def as_prepared(waiting: Killable) -> Killable:
    """Give a trigger what a triggerer gives it."""
    waiting.task_instance = SimpleNamespace(dag_id="d", task_id="t", run_id="r", map_index=-1)  # type: ignore[assignment]  # as much of it as is used
    return waiting
