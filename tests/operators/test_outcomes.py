"""The outcome table for jobs that ended: the same outcome through every door."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator, Fault, JobScript
from airflow_provider_genai_batch.exceptions import (
    JobCancelled,
    JobError,
    JobExpired,
    JobFailed,
    JobLost,
    JobPaused,
    ResultsNotWritten,
    TooManyFailedRows,
)
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from tests.dags import Ran, run_dag
from tests.operators.doors import DOORS, after_submit, wait_by
from tests.operators.scenes import MODEL

PROMPTS = [f"prompt {number}" for number in range(8)]

by_every_door = pytest.mark.parametrize("door", DOORS)


def failure(ran: Ran) -> JobError:
    assert ran.state == "failed"
    (error,) = ran.errors
    assert isinstance(error, JobError), error
    return error


@by_every_door
def test_a_succeeded_job_whose_every_row_failed_is_a_failure(gemini: Emulator, door: str) -> None:
    gemini.script(JobScript(all_rows_fail={"code": 3, "message": "no such field"}))
    error = failure(wait_by(door, PROMPTS))
    assert isinstance(error, TooManyFailedRows)
    assert "8 of 8 rows failed (8 error)" in str(error)
    assert "8 x 3 INVALID_ARGUMENT: no such field" in str(error)
    assert error.manifest is not None
    assert error.manifest["counts"]["error"] == 8


@by_every_door
@pytest.mark.parametrize(
    ("allowed", "state"), [(2, "success"), (1, "failed"), (0.25, "success"), (0.24, "failed")]
)
def test_rows_may_fail_up_to_the_count_or_fraction_that_is_allowed(
    gemini: Emulator, door: str, allowed: float, state: str
) -> None:
    gemini.script(JobScript(row_errors={1: 13, 5: 8}))
    ran = wait_by(door, PROMPTS, max_failed_rows=allowed)
    assert ran.state == state
    if state == "success":
        assert ran.xcom["wait"]["counts"] == {
            "total": 8,
            "ok": 6,
            "invalid": 0,
            "error": 2,
            "cancelled": 0,
            "missing": 0,
        }


@by_every_door
def test_a_failed_job_fails_with_the_reason_of_the_service(gemini: Emulator, door: str) -> None:
    gemini.script(JobScript(end="FAILED", error={"code": 8, "message": "out of enqueued tokens"}))
    error = failure(wait_by(door, PROMPTS))
    assert isinstance(error, JobFailed)
    assert "code 8: out of enqueued tokens" in str(error)
    then = "reads the same jobs again" if "sensor" in door else "submits a new job"
    assert f"next attempt {then}" in str(error)


@by_every_door
@pytest.mark.parametrize(("end", "kind"), [("EXPIRED", JobExpired), ("CANCELLED", JobCancelled)])
def test_a_job_that_ended_early_without_rows_is_named_for_its_end(
    gemini: Emulator, door: str, end: str, kind: type[JobError]
) -> None:
    gemini.script(JobScript(end=end, served=0.0))
    assert type(failure(wait_by(door, PROMPTS))) is kind


@by_every_door
def test_a_job_that_expired_with_rows_is_judged_by_them(gemini: Emulator, door: str) -> None:
    gemini.script(JobScript(end="EXPIRED", served=0.5))
    ran = wait_by(door, PROMPTS, max_failed_rows=0.5)
    assert ran.state == "success", ran.errors
    counts = ran.xcom["wait"]["counts"]
    assert (counts["total"], counts["ok"]) == (8, 4)
    assert ran.xcom["wait"]["state"] == "EXPIRED"


@by_every_door
def test_a_partially_succeeded_job_is_judged_by_its_rows(gemini: Emulator, door: str) -> None:
    gemini.script(JobScript(end="PARTIALLY_SUCCEEDED", row_errors={2: 13}))
    assert wait_by(door, PROMPTS, max_failed_rows=1).state == "success"


@by_every_door
def test_a_paused_job_fails_the_task_and_is_left_alone(gemini: Emulator, door: str) -> None:
    gemini.script(JobScript(end="PAUSED"))
    error = failure(wait_by(door, PROMPTS))
    assert isinstance(error, JobPaused)
    assert not any(job["cancel_requested"] for job in gemini.jobs)


@by_every_door
def test_a_state_nobody_has_heard_of_is_waited_for(gemini: Emulator, door: str) -> None:
    gemini.script(JobScript(states=["PENDING", "BATCH_STATE_HIBERNATING"]))
    assert wait_by(door, PROMPTS).state == "success"


@by_every_door
def test_a_job_that_cannot_be_looked_at_any_more_is_lost(gemini: Emulator, door: str) -> None:
    gemini.faults.add("batches.get", Fault.error(403, "the account lost its role", grpc="PERMISSION_DENIED"))
    error = failure(wait_by(door, PROMPTS))
    assert isinstance(error, JobLost)
    assert error.job_names[0] in str(error)
    assert "lost its role" in str(error)


@by_every_door
def test_trouble_at_a_look_is_waited_out(gemini: Emulator, door: str) -> None:
    gemini.faults.add("batches.get", Fault.error(503, "unavailable", grpc="UNAVAILABLE"))
    gemini.faults.add("batches.get", Fault.drop())
    gemini.faults.add("batches.get", Fault.html(502))
    assert wait_by(door, PROMPTS).state == "success"
    assert len(gemini.jobs) == 1


@by_every_door
def test_rows_that_are_not_readable_yet_are_asked_for_again(gemini: Emulator, door: str) -> None:
    gemini.script(JobScript(late_output=1))
    ran = wait_by(door, PROMPTS)
    assert ran.state == "success", ran.errors
    assert ran.xcom["wait"]["counts"]["ok"] == 8


def test_every_request_has_one_row_whatever_the_service_sends(gemini: Emulator, tmp_path: Path) -> None:
    path, out = tmp_path / "in.jsonl", tmp_path / "out" / "rows.jsonl"
    keys = [f"key-{number}" for number in range(20)]
    lines = [{"key": key, "request": {"contents": [{"parts": [{"text": key}]}]}} for key in keys]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    gemini.script(
        JobScript(
            missing=["key-3"],
            duplicated=["key-5"],
            unknown_keys=["nobody"],
            blocked=["key-7"],
            row_errors={"key-9": 1},
        )
    )
    ran = run_dag(
        lambda: GenAIBatchOperator(
            task_id="ask",
            model=MODEL,
            src=str(path),
            results_uri=str(out),
            poll_interval=0.05,
            max_failed_rows=3,
        )
    )
    assert ran.state == "success", ran.errors
    rows: list[dict[str, Any]] = [json.loads(line) for line in out.read_text().splitlines()]
    assert sorted(row["key"] for row in rows) == sorted(keys)
    status = {row["key"]: row["status"] for row in rows}
    assert status.pop("key-3") == "missing"
    assert status.pop("key-7") == "invalid"
    assert status.pop("key-9") == "cancelled"
    assert set(status.values()) == {"ok"}
    assert ran.xcom["ask"]["counts"] == {
        "total": 20,
        "ok": 17,
        "invalid": 1,
        "error": 0,
        "cancelled": 1,
        "missing": 1,
    }


def test_inline_answers_without_keys_are_never_joined_by_position(gemini: Emulator, tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    gemini.script(JobScript(drop_metadata=[1, 2]))
    ran = run_dag(
        lambda: GenAIBatchOperator(
            task_id="ask",
            model=MODEL,
            src=PROMPTS,
            results_uri=str(out),
            poll_interval=0.05,
            max_failed_rows=2,
        )
    )
    assert ran.state == "success", ran.errors
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["index"] for row in rows if row["status"] == "missing"] == [1, 2]
    assert len(rows) == 8


def test_a_failed_landing_leaves_no_half_published_file_and_the_next_attempt_pays_nothing(
    gemini: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "no" / "rows.jsonl"
    after_submit(monkeypatch, lambda _: mended or (tmp_path / "no").write_text("no folder any more"))
    mended: list[bool] = []
    errors: list[BaseException] = []

    def mend(context: Any) -> None:
        errors.append(context["exception"])
        (tmp_path / "no").unlink()
        mended.append(True)

    ran = run_dag(
        lambda: GenAIBatchOperator(
            task_id="ask",
            model=MODEL,
            src=PROMPTS,
            results_uri=str(out),
            poll_interval=0.05,
            retries=1,
            retry_delay=0,
            on_retry_callback=mend,
        )
    )
    assert ran.state == "success", ran.errors
    assert ran.tries["ask"] == 2
    assert len(gemini.jobs) == 1
    (error,) = errors
    assert isinstance(error, ResultsNotWritten)
    assert "pays nothing" in str(error)
    assert len(out.read_text().splitlines()) == 8
