"""Rows that are not readable yet when their job has ended: a deferrable task waits for them without a slot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator, JobScript
from airflow_provider_genai_batch.exceptions import OutputNotReadable
from airflow_provider_genai_batch.hooks import jobs as desk
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.triggers import pause
from tests.dags import Ran, run_dag
from tests.operators.doors import wait_by
from tests.operators.scenes import MODEL

PROMPTS = ["one", "two", "three"]
DEFERRED = pytest.mark.parametrize("door", ["deferred", "deferred sensor"])


@pytest.fixture
def deferrals(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Note with what tasks are deferred for late rows; none are waited for in the slot."""
    memos: list[dict[str, Any]] = []
    wait = pause.GenAIBatchPauseTrigger.run

    def note(self: Any) -> Any:
        memos.append(json.loads(json.dumps(self.memo)))  # what a database keeps
        assert self.job_names == []  # they have ended, whatever becomes of the task
        return wait(self)

    monkeypatch.setattr(pause.GenAIBatchPauseTrigger, "run", note)
    monkeypatch.setattr(pause, "_SHORT", 0.0)
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
    monkeypatch.setattr(desk, "READ_PATIENCE", 1.5)
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
    assert [memo["memo"]["memory"]["round"] for memo in deferrals] == [1] * len(deferrals)
    assert deferrals
    assert len(gemini.jobs) == 2
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["status"] for row in rows] == ["ok"] * 3


def test_a_job_that_is_taken_up_is_waited_for_like_ones_own(
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
