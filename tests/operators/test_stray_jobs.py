"""Jobs that ask the task's requests and that nobody told the attempt of: the list shows them."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator, Fault, JobScript, Lifecycle
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from tests.dags import Ran, run_dag
from tests.operators.doors import after_submit
from tests.operators.scenes import MODEL, client

EVERY_WAY = pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])
SRC = [{"key": key, "contents": f"say {key}"} for key in "abc"]
AT_ONCE, STUCK = Lifecycle.at_once(), Lifecycle.stuck("RUNNING")


def ask(**settings: Any) -> Ran:
    settings = {"src": SRC, "poll_interval": 0.05, "retry_delay": 0, **settings}
    return run_dag(lambda: GenAIBatchOperator(task_id="ask", model=MODEL, **settings))


def twins(emulator: Emulator, first: JobScript, second: JobScript) -> None:
    """Let the next create call make two jobs; its answer tells of the first."""
    emulator.faults.add("batches.create", Fault.twice())
    emulator.script(first)
    emulator.script(second)


def cancelled(emulator: Emulator) -> list[bool]:
    return [job["cancel_requested"] for job in emulator.jobs]


@EVERY_WAY
@pytest.mark.parametrize("allowed", [0, 1])
def test_the_rows_that_failed_in_one_job_of_a_create_call_come_from_the_other(
    gemini: Emulator, tmp_path: Path, deferrable: bool, allowed: int
) -> None:
    out = tmp_path / "rows.jsonl"
    twins(gemini, JobScript(AT_ONCE, row_errors={"a": 13}), JobScript(AT_ONCE, row_errors={"b": 13}))
    ran = ask(results_uri=str(out), deferrable=deferrable, max_failed_rows=allowed, retry_failed_rows=1)
    assert ran.state == "success", ran.errors
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert {row["key"]: row["status"] for row in rows} == dict.fromkeys("abc", "ok")
    assert len(gemini.jobs) == 2


@EVERY_WAY
@pytest.mark.parametrize("end", ["FAILED", "SUCCEEDED"])
def test_a_job_that_goes_on_beside_one_with_failed_rows_is_waited_for(
    gemini: Emulator, deferrable: bool, end: str
) -> None:
    twins(gemini, JobScript(AT_ONCE, end=end, all_rows_fail=13), JobScript(Lifecycle.after_looks(4)))
    ran = ask(deferrable=deferrable)
    assert ran.state == "success", ran.errors
    assert ran.xcom["ask"]["counts"]["ok"] == 3
    assert cancelled(gemini) == [False, False]


def test_a_job_that_goes_on_beside_enough_rows_is_cancelled_and_named(
    gemini: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    twins(gemini, JobScript(AT_ONCE, row_errors={"a": 13}), JobScript(STUCK))
    with caplog.at_level(logging.WARNING):
        ran = ask(max_failed_rows=1)
    assert ran.state == "success", ran.errors
    assert cancelled(gemini) == [False, True]
    assert any(gemini.jobs[1]["name"] in record.getMessage() for record in caplog.records)


def die_in_the_second_round(patch: pytest.MonkeyPatch, between: Any) -> None:
    died: list[str] = []

    def die(job: Any) -> None:
        if job.display_name.endswith("-r1") and not died:
            died.append(job.name)
            between()
            msg = "the worker dies here"
            raise RuntimeError(msg)

    after_submit(patch, die)


def test_a_job_of_a_later_round_is_cancelled_and_named_where_the_first_rounds_rows_are_enough_by_now(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gemini.script(JobScript(AT_ONCE, row_errors={"a": 13}))
    gemini.script(JobScript(STUCK))
    tasks: list[GenAIBatchOperator] = []

    def fill() -> None:
        settings = {"src": SRC, "poll_interval": 0.05, "retry_delay": 0, "retries": 1, "retry_failed_rows": 1}
        tasks.append(GenAIBatchOperator(task_id="ask", model=MODEL, **settings))

    die_in_the_second_round(monkeypatch, lambda: setattr(tasks[0], "max_failed_rows", 1))
    with caplog.at_level(logging.WARNING):
        ran = run_dag(fill)
    assert ran.state == "success", ran.errors
    assert cancelled(gemini) == [False, True]
    assert any(gemini.jobs[1]["name"] in record.getMessage() for record in caplog.records)


@EVERY_WAY
def test_a_further_round_that_followed_another_job_of_the_same_requests_is_not_asked_again(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch, deferrable: bool
) -> None:
    failed = JobScript(AT_ONCE, row_errors={"a": 13})
    twins(gemini, failed, failed)

    def delete_the_one_that_was_followed() -> None:
        with client() as service:
            service.delete(gemini.jobs[0]["name"])

    die_in_the_second_round(monkeypatch, delete_the_one_that_was_followed)
    ran = ask(retries=1, retry_failed_rows=1, deferrable=deferrable)
    assert ran.state == "success", ran.errors
    assert ran.xcom["ask"]["counts"]["ok"] == 3
    assert [int(job["rows"]["total"]) for job in gemini.jobs] == [3, 1]
