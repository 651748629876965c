"""One job per task instance: retries, lost replies and refusals never make a second one."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowTaskTimeout

from airflow_provider_genai_batch.emulator import Emulator, Fault, JobScript, Lifecycle
from airflow_provider_genai_batch.exceptions import JobCancelled, JobTimedOut
from airflow_provider_genai_batch.flows.submission import search
from airflow_provider_genai_batch.hooks import task_state as states
from airflow_provider_genai_batch.hooks.state_store.records import JobRecords
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.testing import SharedClock
from tests.dags import Ran, run_dag
from tests.operators.doors import after_submit, die_after_submit, die_before_wait
from tests.operators.scenes import MODEL, Scene
from tests.pauses import at_pauses


def ask(src: Any, **settings: Any) -> Ran:
    return run_dag(
        lambda: GenAIBatchOperator(
            task_id="ask", **{"model": MODEL, "src": src, "poll_interval": 0.05, "retry_delay": 0, **settings}
        )
    )


def note_operators(patch: pytest.MonkeyPatch) -> list[GenAIBatchOperator]:
    """Note operators as they run."""
    running: list[GenAIBatchOperator] = []
    execute = GenAIBatchOperator.execute

    def note(self: GenAIBatchOperator, context: Any) -> Any:
        running.append(self)
        return execute(self, context)

    patch.setattr(GenAIBatchOperator, "execute", note)
    return running


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_job_that_ends_as_its_deadline_passes_is_judged_by_its_rows(
    virtual_clock: SharedClock, gemini: Emulator, deferrable: bool
) -> None:
    # The service tells its time in whole seconds: from the middle of one, its clock is read right.
    virtual_clock.advance(1.5 - virtual_clock.time() % 1)
    # Looks at once, after two seconds and at the deadline see it run; the one before its cancellation sees its end.
    gemini.script(JobScript(lifecycle=Lifecycle(looks=3)))
    ran = ask(["a", "b"], timeout=3.5, poll_interval=60, deferrable=deferrable)
    assert ran.state == "success", ran.errors
    (job,) = gemini.jobs
    assert job["ended"] - job["created"] >= 3.4
    assert not job["cancel_requested"]


def test_a_retry_takes_up_the_job_of_the_attempt_before(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    die_before_wait(monkeypatch)
    ran = run_dag(
        lambda: GenAIBatchOperator(
            task_id="ask",
            model=MODEL,
            poll_interval=0.05,
            retries=1,
            retry_delay=0,
            deferrable=False,
            **scene.arguments,
        )
    )
    assert ran.state == "success", ran.errors
    assert ran.tries["ask"] == 2
    assert len(scene.jobs) == 1


@pytest.mark.parametrize(
    "fault", [Fault.lost_reply(), Fault.unreadable(), Fault.truncated()], ids=lambda f: f.kind
)
def test_a_create_whose_reply_was_lost_is_found_again_not_repeated(gemini: Emulator, fault: Fault) -> None:
    gemini.faults.add("batches.create", fault)
    ran = ask(["a", "b"])
    assert ran.state == "success", ran.errors
    assert len(gemini.jobs) == 1
    assert len([r for r in gemini.requests if r["method"] == "batches.create"]) == 1


def test_a_lost_reply_is_found_on_vertex_by_label(vertex: Emulator) -> None:
    vertex.faults.add("batchPredictionJobs.create", Fault.lost_reply())
    ran = ask(["a"], dest="gs://emulator-staging/lost/")
    assert ran.state == "success", ran.errors
    assert len(vertex.jobs) == 1


def test_a_create_that_never_arrived_is_sent_again_after_looking(gemini: Emulator) -> None:
    gemini.faults.add("batches.create", Fault.drop())
    ran = ask(["a"])
    assert ran.state == "success", ran.errors
    assert len(gemini.jobs) == 1
    methods = [r["method"] for r in gemini.requests]
    first, second = (at for at, method in enumerate(methods) if method == "batches.create")
    assert methods[first + 1 : second].count("batches.list") >= len(search.LOOKS_AFTER_LOSS)


def test_a_create_refused_for_capacity_is_asked_again(gemini: Emulator) -> None:
    gemini.faults.add("batches.create", Fault.error(429, "too many", grpc="RESOURCE_EXHAUSTED", times=2))
    ran = ask(["a"])
    assert ran.state == "success", ran.errors
    assert len(gemini.jobs) == 1


def test_no_capacity_until_the_deadline_is_a_timeout_that_cost_nothing(gemini: Emulator) -> None:
    fault = Fault.error(429, "too many", grpc="RESOURCE_EXHAUSTED", retry_after=3600)
    gemini.faults.add("batches.create", fault)
    ran = ask(["a"], timeout=60)
    (error,) = ran.errors
    assert isinstance(error, JobTimedOut)
    assert "Nothing was created" in str(error)
    assert gemini.jobs == []


def test_a_failed_job_is_submitted_anew_by_the_retry(gemini: Emulator) -> None:
    gemini.script(JobScript(end="FAILED", error={"code": 13, "message": "internal"}))
    ran = ask(["a"], retries=1)
    assert ran.state == "success", ran.errors
    assert [job["state"] for job in gemini.jobs] == ["FAILED", "SUCCEEDED"]


def test_without_reattach_a_retry_submits_anew(gemini: Emulator) -> None:
    gemini.script(JobScript(all_rows_fail=13))
    ran = ask(["a"], retries=1, reattach=False)
    assert ran.state == "success", ran.errors
    assert len(gemini.jobs) == 2


def test_submitting_only_leaves_one_job_through_a_retry(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    die_after_submit(monkeypatch)
    ran = ask(["a"], wait=False, retries=1)
    assert ran.state == "success", ran.errors
    assert len(gemini.jobs) == 1


@pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])
@pytest.mark.parametrize(("on_timeout", "cancelled"), [("cancel", True), ("leave", False)])
def test_a_deadline_cancels_or_leaves_the_job_and_says_which(
    gemini: Emulator, deferrable: bool, on_timeout: str, cancelled: bool
) -> None:
    gemini.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    ran = ask(["a"], timeout=1, on_timeout=on_timeout, deferrable=deferrable)
    (error,) = ran.errors
    assert isinstance(error, JobTimedOut)
    assert ("Cancellation was requested" in str(error)) is cancelled
    (job,) = gemini.jobs
    assert job["cancel_requested"] is cancelled


@contextlib.contextmanager
def killed_at_the_first_pause(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Stop the task when it waits in place, as Airflow's signal handler does."""
    running = note_operators(monkeypatch)

    def kill(seconds: float) -> None:
        running[0].on_kill()
        msg = "killed"
        raise KeyboardInterrupt(msg)

    with at_pauses(kill), contextlib.suppress(KeyboardInterrupt):
        yield


@pytest.mark.parametrize("state", ["failed", "success", None])
def test_killing_the_task_in_place_cancels_its_job(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch, state: str | None
) -> None:
    gemini.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    monkeypatch.setattr(states, "state_of", lambda _: state)
    with killed_at_the_first_pause(monkeypatch):
        ask(["a"], deferrable=False)
    assert [job["cancel_requested"] for job in gemini.jobs] == [True]


def test_a_task_that_is_stopped_while_it_runs_for_airflow_leaves_its_job_to_the_next_attempt(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    gemini.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    with killed_at_the_first_pause(monkeypatch):
        ask(["a"], deferrable=False)
    assert [job["cancel_requested"] for job in gemini.jobs] == [False]


def test_a_task_whose_process_airflow_has_given_up_leaves_its_job_to_the_next_attempt(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is up for retry then; a user who ends a task does not put it there."""
    gemini.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    monkeypatch.setattr(states, "state_of", lambda _: "up_for_retry")
    with killed_at_the_first_pause(monkeypatch):
        ask(["a"], deferrable=False)
    assert [job["cancel_requested"] for job in gemini.jobs] == [False]


def test_a_task_that_ran_out_of_airflows_time_cancels_its_job(gemini: Emulator) -> None:
    gemini.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    with contextlib.suppress(AirflowTaskTimeout):  # that of Airflow 2 ends `dag.test()` too
        assert ask(["a"], deferrable=False, execution_timeout=timedelta(seconds=10)).state == "failed"
    assert [job["cancel_requested"] for job in gemini.jobs] == [True]


class _TimeIsUp(logging.Filter):
    """Ends the task's time as soon as its job is created, before anything else is known of the job."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.getMessage().startswith("Created job"):
            msg = "the time is up"
            raise AirflowTaskTimeout(msg)
        return True


def test_a_task_that_runs_out_of_airflows_time_right_after_its_create_cancels_the_job(
    gemini: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    gemini.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    log, time_is_up = logging.getLogger("airflow_provider_genai_batch.flows.submission.create"), _TimeIsUp()
    log.addFilter(time_is_up)
    try:
        with caplog.at_level(logging.INFO, log.name), contextlib.suppress(AirflowTaskTimeout):
            ran = ask(["a"], deferrable=False, execution_timeout=timedelta(hours=1))
            assert ran.state == "failed"
    finally:
        log.removeFilter(time_is_up)
    assert [job["cancel_requested"] for job in gemini.jobs] == [True]


def test_when_airflow_does_not_tell_the_state_the_job_is_left_alone(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(ti: Any) -> str:
        msg = "the API server is away"
        raise ConnectionError(msg)

    gemini.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    monkeypatch.setattr(states, "state_of", away)
    with killed_at_the_first_pause(monkeypatch):
        ask(["a"], deferrable=False)
    assert [job["cancel_requested"] for job in gemini.jobs] == [False]


@pytest.mark.parametrize(
    "how", [{}, {"deferrable": True}, {"wait": False}], ids=["in place", "deferred", "submit"]
)
def test_killing_the_task_while_its_create_is_under_way_cancels_the_job(
    gemini: Emulator, how: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    gemini.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    running = note_operators(monkeypatch)
    monkeypatch.setattr(states, "state_of", lambda _: "failed")
    after_submit(monkeypatch, lambda _: running[0].on_kill())  # Airflow lets the task go on after it
    ran = ask(["a"], **how)
    assert isinstance(ran.errors[0], JobCancelled)
    assert [job["cancel_requested"] for job in gemini.jobs] == [True]


def test_killing_the_task_before_its_create_creates_nothing(gemini: Emulator) -> None:
    class KilledAtOnce(GenAIBatchOperator):
        def source(self) -> Any:
            self.on_kill()
            return super().source()

    ran = run_dag(lambda: KilledAtOnce(task_id="ask", model=MODEL, src=["a"]))
    assert isinstance(ran.errors[0], JobCancelled)
    assert gemini.jobs == []


def test_a_retry_looks_more_than_once_for_a_list_lags(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    die_after_submit(monkeypatch)
    monkeypatch.setattr(JobRecords, "read", lambda _: None)
    gemini.script(JobScript(list_lag=2))
    assert ask(["a"], retries=1).state == "success"
    assert len(gemini.jobs) == 1


def test_a_retry_with_other_input_cancels_the_job_of_the_attempt_before(
    gemini: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "in.jsonl"
    line = '{"key": "a", "request": {"contents": [{"parts": [{"text": "%s"}]}]}}\n'
    path.write_text(line % "yesterday")
    gemini.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    die_before_wait(monkeypatch, lambda _: path.write_text(line % "today"))
    ran = run_dag(
        lambda: GenAIBatchOperator(
            task_id="ask",
            model=MODEL,
            src=str(path),
            poll_interval=0.05,
            retries=1,
            retry_delay=0,
            deferrable=False,
        )
    )
    assert ran.state == "success", ran.errors
    assert [job["cancel_requested"] for job in gemini.jobs] == [True, False]
