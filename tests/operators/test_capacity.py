"""A service without capacity: the task waits without a slot and asks again, until the deadline."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator, Fault, JobScript
from airflow_provider_genai_batch.exceptions import JobTimedOut
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.triggers import pause
from tests.dags import run_dag
from tests.operators.scenes import MODEL

FULL = {"message": "too many", "grpc": "RESOURCE_EXHAUSTED", "retry_after": 0}


@pytest.fixture
def deferrals(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Note what is deferred with."""
    memos: list[dict[str, Any]] = []
    wait = pause.GenAIBatchPauseTrigger.run

    def note(self: Any) -> Any:
        memos.append(self.memo)
        return wait(self)

    monkeypatch.setattr(pause.GenAIBatchPauseTrigger, "run", note)
    return memos


def test_it_is_waited_for_without_a_slot(gemini: Emulator, deferrals: list[dict[str, Any]]) -> None:
    gemini.faults.add("batches.create", Fault.error(429, times=2, **FULL))
    ran = run_dag(
        lambda: GenAIBatchOperator(task_id="ask", model=MODEL, src=["a"], poll_interval=0.05, deferrable=True)
    )
    assert ran.state == "success", ran.errors
    assert [memo["refusals"] for memo in deferrals] == [1, 2]
    assert len({memo["state"]["deadline"] for memo in deferrals}) == 1
    assert len(gemini.jobs) == 1


def test_the_deadline_holds_over_all_refusals(gemini: Emulator, deferrals: list[dict[str, Any]]) -> None:
    gemini.faults.add("batches.create", Fault.error(429, times=3, **FULL))
    gemini.faults.add("batches.create", Fault.error(429, **{**FULL, "retry_after": 3600}))
    ran = run_dag(
        lambda: GenAIBatchOperator(task_id="ask", model=MODEL, src=["a"], deferrable=True, timeout=60)
    )
    (error,) = ran.errors
    assert isinstance(error, JobTimedOut)
    assert "Nothing was created" in str(error)
    assert len(deferrals) == 3
    assert gemini.jobs == []


def test_a_reply_that_is_lost_after_a_refusal_is_not_taken_for_an_older_job(
    gemini: Emulator, deferrals: list[dict[str, Any]]
) -> None:
    class TroubleAtTheSecondTry(GenAIBatchOperator):
        def execute(self, context: Any) -> Any:
            if context["ti"].try_number == 2:
                gemini.faults.add("batches.create", Fault.error(429, **FULL))
                gemini.faults.add("batches.create", Fault.lost_reply())
            return super().execute(context)

    gemini.script(JobScript(all_rows_fail=13))
    ran = run_dag(
        lambda: TroubleAtTheSecondTry(
            task_id="ask",
            model=MODEL,
            src=["a"],
            poll_interval=0.05,
            deferrable=True,
            reattach=False,
            retries=1,
            retry_delay=0,
        )
    )
    assert ran.state == "success", ran.errors
    assert deferrals[0]["state"]["before"] == [gemini.jobs[0]["name"]]
    assert ran.xcom["ask"]["job_names"] == [gemini.jobs[1]["name"]]
    assert len(gemini.jobs) == 2
