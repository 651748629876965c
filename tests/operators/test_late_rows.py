"""Rows that are not readable yet when their job has ended: a deferrable task waits for them without a slot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator, Fault, JobScript, Lifecycle
from airflow_provider_genai_batch.exceptions import JobFailed, OutputNotReadable
from airflow_provider_genai_batch.hooks.state_store.state_store import StateStore
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.sensors.genai_batch import GenAIBatchSensor
from airflow_provider_genai_batch.task.jobs import patience
from airflow_provider_genai_batch.triggers import pause
from tests.dags import Ran, run_dag
from tests.operators.doors import after_submit, wait_by
from tests.operators.scenes import MODEL, client

PROMPTS = ["one", "two", "three"]
DEFERRED = pytest.mark.parametrize("door", ["deferred", "deferred sensor"])


@pytest.fixture
def deferrals(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Note with what tasks are deferred for late rows; none are waited for in the slot."""
    memos: list[dict[str, Any]] = []
    wait = pause.GenAIBatchPauseTrigger.run

    def note(self: Any) -> Any:
        memos.append(json.loads(json.dumps(self.memo)))  # what a database keeps
        return wait(self)

    monkeypatch.setattr(pause.GenAIBatchPauseTrigger, "run", note)
    monkeypatch.setattr(pause, "IN_SLOT", 0.0)
    return memos


def ask(**settings: Any) -> Ran:
    settings = {"src": PROMPTS, "model": MODEL, "poll_interval": 0.05, "deferrable": True, **settings}
    return run_dag(lambda: GenAIBatchOperator(task_id="ask", **settings))


@DEFERRED
def test_they_are_waited_for_without_a_slot(
    gemini: Emulator, deferrals: list[dict[str, Any]], door: str
) -> None:
    gemini.script(JobScript(late_output=10))
    ran = wait_by(door, PROMPTS)
    assert ran.state == "success", ran.errors
    assert ran.xcom["wait"]["counts"]["ok"] == 3
    assert len(deferrals) >= 1
    assert len({memo["late_since"] for memo in deferrals}) == 1
    assert len(gemini.jobs) == 1


@DEFERRED
def test_the_time_for_them_runs_over_all_deferrals(
    gemini: Emulator, deferrals: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, door: str
) -> None:
    monkeypatch.setattr(patience, "READ_PATIENCE", 1.5)
    gemini.script(JobScript(late_output=10_000))
    ran = wait_by(door, PROMPTS)
    (error,) = ran.errors
    assert isinstance(error, OutputNotReadable)
    assert len({memo["late_since"] for memo in deferrals}) == 1
    assert len(gemini.jobs) == 1


def test_a_short_while_is_waited_in_place(gemini: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise AssertionError

    monkeypatch.setattr(pause.GenAIBatchPauseTrigger, "run", refuse)
    gemini.script(JobScript(late_output=1))
    assert ask().state == "success"


def test_a_later_round_goes_on_where_it_was(
    gemini: Emulator, deferrals: list[dict[str, Any]], tmp_path: Path
) -> None:
    out = tmp_path / "rows.jsonl"
    gemini.script(JobScript(row_errors={1: 13}))
    gemini.script(JobScript(late_output=10))
    ran = ask(retry_failed_rows=1, results_uri=str(out), output_type=None)
    assert ran.state == "success", ran.errors
    assert [memo["memo"]["state"]["round"] for memo in deferrals] == [1] * len(deferrals)
    assert deferrals
    assert len(gemini.jobs) == 2
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["status"] for row in rows] == ["ok"] * 3


def test_a_job_that_is_reattached_is_waited_for_like_ones_own(
    gemini: Emulator, deferrals: list[dict[str, Any]]
) -> None:
    """The attempt finds an ended job, and has had no trigger's event to go on with."""
    gemini.script(JobScript(late_output=10))

    class FailsAfterItsFirstDeferral(GenAIBatchOperator):
        def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
            if context["ti"].try_number == 1:
                msg = "the worker died"
                raise RuntimeError(msg)
            return super().execute_complete(context, event)

    ran = run_dag(
        lambda: FailsAfterItsFirstDeferral(
            task_id="ask",
            src=PROMPTS,
            model=MODEL,
            poll_interval=0.05,
            deferrable=True,
            retries=1,
            retry_delay=0,
        )
    )
    assert ran.state == "success", ran.errors
    assert ran.xcom["ask"]["counts"]["ok"] == 3
    assert deferrals
    assert len(gemini.jobs) == 1


class Disturbed(GenAIBatchOperator):
    """Cannot read rows for a while once a further round has begun."""

    emulator: Emulator
    disturbed: bool

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        if event["memo"]["more"] and event["memo"]["state"]["round"] == 1 and not type(self).disturbed:
            type(self).disturbed = True
            self.emulator.faults.add("files.download", Fault.error(503, grpc="UNAVAILABLE", times=5))
        return super().execute_complete(context, event)


def disturbed(emulator: Emulator, folder: Path, rows: int, **settings: Any) -> Ran:
    path = folder / "in.jsonl"
    lines = [{"key": f"k{n}", "request": {"contents": [{"parts": [{"text": f"t{n}"}]}]}} for n in range(rows)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    kind = type("Disturbed", (Disturbed,), {"emulator": emulator, "disturbed": False})
    settings = {"max_requests_per_job": 2, "max_active_jobs": 1, "retry_failed_rows": 1, **settings}
    return run_dag(
        lambda: kind(
            task_id="ask", model=MODEL, src=str(path), poll_interval=0.05, deferrable=True, **settings
        )
    )


@pytest.mark.parametrize("store", [True, False], ids=["with a state store", "without"])
def test_a_round_that_has_jobs_already_is_not_asked_twice(
    gemini: Emulator,
    deferrals: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    store: bool,
) -> None:
    if not store:
        without_store(monkeypatch)
    for _ in range(2):
        gemini.script(JobScript(all_rows_fail=13))
    ran = disturbed(gemini, tmp_path, 4)
    assert ran.state == "success", ran.errors
    assert deferrals
    assert [job["rows"]["total"] for job in gemini.jobs] == [2, 2, 2, 2]


def test_a_job_of_that_round_that_failed_is_not_replaced(
    gemini: Emulator, deferrals: list[dict[str, Any]], tmp_path: Path
) -> None:
    for _ in range(2):
        gemini.script(JobScript(all_rows_fail=13))
    gemini.script(JobScript(end="FAILED", error={"code": 3, "message": "bad"}))
    ran = disturbed(gemini, tmp_path, 4)
    assert [type(error) for error in ran.errors] == [JobFailed]
    assert deferrals
    assert len(gemini.jobs) == 4


def test_a_job_of_that_round_that_goes_on_is_cancelled_when_the_task_is_killed(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    begin = pause.GenAIBatchPauseTrigger.__init__
    pauses: list[tuple[set[str], set[str], bool]] = []

    def note(self: Any, *args: Any, **settings: Any) -> None:
        begin(self, *args, **settings)
        going = {job["name"] for job in gemini.jobs if job["live"]}
        pauses.append((going, {*self.job_names}, self.cancel_on_kill))

    monkeypatch.setattr(pause.GenAIBatchPauseTrigger, "__init__", note)
    monkeypatch.setattr(pause, "IN_SLOT", 0.0)
    for _ in range(3):
        gemini.script(JobScript(all_rows_fail=13))
    gemini.script(JobScript())
    gemini.script(JobScript(lifecycle=Lifecycle(looks=20)))
    disturbed(gemini, tmp_path, 6, max_active_jobs=2)
    assert any(going for going, _, _ in pauses)
    assert all(going <= names and cancel for going, names, cancel in pauses)


def test_after_a_lack_of_capacity_a_rounds_jobs_are_found_again(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_store(monkeypatch)
    for _ in range(2):
        gemini.script(JobScript(all_rows_fail=13))
    gemini.script(JobScript(lifecycle=Lifecycle(looks=5)))
    full: list[bool] = []

    def fill_up(_: Any) -> None:
        if len(gemini.jobs) == 3 and not full:
            full.append(True)
            gemini.faults.add("batches.create", Fault.error(429, retry_after=0))

    after_submit(monkeypatch, fill_up)
    ran = ask(src=["a", "b", "c", "d"], max_requests_per_job=2, retry_failed_rows=1)
    assert ran.state == "success", ran.errors
    assert len(gemini.jobs) == 4


def without_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run as before Airflow 3.3."""
    monkeypatch.setattr(StateStore, "of", lambda _: None)


@pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])
def test_a_line_that_never_comes_is_missing_after_a_bounded_time(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch, deferrable: bool
) -> None:
    """It is all that a job has, and other jobs have rows: those decide."""
    monkeypatch.setattr(patience, "READ_PATIENCE", 0.5)
    gemini.script(JobScript())
    gemini.script(JobScript(missing=[0]))
    ran = ask(max_requests_per_job=2, max_failed_rows=1, deferrable=deferrable)
    assert ran.state == "success", ran.errors
    assert (ran.xcom["ask"]["counts"]["ok"], ran.xcom["ask"]["counts"]["missing"]) == (2, 1)


@pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])
def test_a_job_whose_rows_are_late_does_not_hide_behind_another(gemini: Emulator, deferrable: bool) -> None:
    gemini.script(JobScript())
    gemini.script(JobScript(late_output=10))
    ran = ask(max_requests_per_job=2, deferrable=deferrable)
    assert ran.state == "success", ran.errors
    assert ran.xcom["ask"]["counts"]["ok"] == 3


def test_nor_does_a_sensor_take_them_for_missing(gemini: Emulator) -> None:
    gemini.script(JobScript())
    gemini.script(JobScript(late_output=10))
    with client() as service:
        names = [service.create(MODEL, [text]).name for text in ("a", "b")]
    settings = {"job_names": names, "poke_interval": 0.05, "timeout": 60, "deferrable": False}
    ran = run_dag(lambda: GenAIBatchSensor(task_id="sense", **settings))
    assert ran.state == "success", ran.errors
    assert ran.xcom["sense"]["counts"]["ok"] == 2
