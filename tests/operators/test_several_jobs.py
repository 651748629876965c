"""An input over the limits of one job: several jobs, one manifest, one landing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator, Fault, JobScript, Lifecycle
from airflow_provider_genai_batch.exceptions import (
    BadRequest,
    ConfigurationError,
    JobFailed,
    JobTimedOut,
    TooManyFailedRows,
)
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from tests.dags import Ran, run_dag
from tests.operators.doors import after_submit, before_wait
from tests.operators.scenes import MODEL

EVERY_WAY = pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])
TEXTS = [f"text {number}" for number in range(10)]


def ask(src: Any = TEXTS, **settings: Any) -> Ran:
    settings = {
        "model": MODEL,
        "poll_interval": 0.05,
        "retry_delay": 0,
        "max_requests_per_job": 3,
        **settings,
    }
    return run_dag(lambda: GenAIBatchOperator(task_id="ask", src=src, **settings))


def asked(emulator: Emulator) -> list[int]:
    return [int(job["rows"]["total"]) for job in emulator.jobs]


@EVERY_WAY
def test_pieces_are_answered_by_jobs_of_their_own_and_land_together(
    gemini: Emulator, tmp_path: Path, deferrable: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    out = tmp_path / "rows.jsonl"
    ran = ask(results_uri=str(out), deferrable=deferrable)
    assert ran.state == "success", ran.errors
    assert asked(gemini) == [3, 3, 3, 1]
    manifest = ran.xcom["ask"]
    assert (len(manifest["job_names"]), manifest["counts"]["total"], manifest["rounds"]) == (4, 10, 1)
    indices = sorted(json.loads(line)["index"] for line in out.read_text().splitlines())
    assert indices == list(range(10))
    # What triggers logged is gone where Airflow opens their log anew: the task says what became of each job.
    ended = [f"Job {name} ended as SUCCEEDED while the task was deferred." for name in manifest["job_names"]]
    assert {line for line in caplog.messages if "while the task" in line} == (
        {*ended} if deferrable else set()
    )


@EVERY_WAY
def test_no_more_jobs_go_on_at_a_time_than_allowed(
    gemini: Emulator, deferrable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        gemini.script(JobScript(lifecycle=Lifecycle(looks=3)))
    going: list[int] = []

    before_wait(monkeypatch, lambda _: going.append(sum(not one["ended"] for one in gemini.jobs)))

    settings: dict[str, Any] = {"max_requests_per_job": 3, "max_active_jobs": 2, "poll_interval": 0.05}
    ran = run_dag(
        lambda: GenAIBatchOperator(task_id="ask", model=MODEL, src=TEXTS, deferrable=deferrable, **settings)
    )
    assert ran.state == "success", ran.errors
    assert len(gemini.jobs) == 4
    assert max(going) == 2


@EVERY_WAY
def test_a_retry_takes_up_all_jobs_and_submits_those_that_are_not_there(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch, deferrable: bool
) -> None:
    submitted: list[str] = []

    def die_after_two(job: Any) -> None:
        submitted.append(job.name)
        if len(submitted) == 2:
            msg = "the worker dies here"
            raise RuntimeError(msg)

    after_submit(monkeypatch, die_after_two)
    ran = ask(retries=1, deferrable=deferrable)
    assert ran.state == "success", ran.errors
    assert asked(gemini) == [3, 3, 3, 1]
    assert not any(job["cancel_requested"] for job in gemini.jobs)


def test_one_failed_job_is_submitted_anew_and_the_others_are_reattached(gemini: Emulator) -> None:
    gemini.script(JobScript())
    gemini.script(JobScript(end="FAILED", error={"code": 13, "message": "internal"}))
    ran = ask(retries=1)
    assert [type(error) for error in ran.errors] == [JobFailed]
    assert ran.state == "success"
    assert asked(gemini) == [3, 3, 3, 1, 3]


def test_failed_rows_of_all_pieces_make_one_further_round(gemini: Emulator) -> None:
    for _ in range(3):
        gemini.script(JobScript(row_errors={0: 13}))
    ran = ask(retry_failed_rows=1)
    assert ran.state == "success", ran.errors
    assert asked(gemini) == [3, 3, 3, 1, 3]
    assert ran.xcom["ask"]["counts"]["ok"] == 10


def test_a_lack_of_capacity_in_the_middle_repeats_no_piece(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    full: list[str] = []

    def fill_up(job: Any) -> None:
        if len(gemini.jobs) == 2 and not full:
            full.append(job.name)
            gemini.faults.add("batches.create", Fault.error(429, retry_after=0))

    after_submit(monkeypatch, fill_up)
    ran = ask(deferrable=True)
    assert ran.state == "success", ran.errors
    assert asked(gemini) == [3, 3, 3, 1]


def test_pieces_are_staged_on_vertex(vertex: Emulator) -> None:
    ran = ask(dest="gs://emulator-staging/several/")
    assert ran.state == "success", ran.errors
    assert asked(vertex) == [3, 3, 3, 1]
    assert ran.xcom["ask"]["counts"]["ok"] == 10


def test_bytes_limit_a_piece_too(gemini: Emulator, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    line = {"key": "k", "request": {"contents": [{"parts": [{"text": "x" * 100}]}]}}
    path.write_text("".join(json.dumps({**line, "key": f"k{n}"}) + "\n" for n in range(10)))
    ran = ask(str(path), max_requests_per_job=None, max_bytes_per_job=500)
    assert ran.state == "success", ran.errors
    assert len(gemini.jobs) > 2
    assert sum(asked(gemini)) == 10


def test_without_waiting_more_jobs_than_may_go_on_are_refused_before_anything_is_paid(
    gemini: Emulator,
) -> None:
    ran = ask(wait=False, max_active_jobs=3)
    (error,) = ran.errors
    assert isinstance(error, ConfigurationError)
    assert "4 jobs" in str(error)
    assert gemini.jobs == []


def test_without_waiting_all_jobs_are_named(gemini: Emulator) -> None:
    ran = ask(wait=False)
    assert ran.xcom["ask"]["job_names"] == [job["name"] for job in gemini.jobs]
    assert len(gemini.jobs) == 4


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("retry_failed_rows", -1),
        ("max_requests_per_job", 0),
        ("max_active_jobs", 0),
        ("max_bytes_per_job", 1.5),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused(gemini: Emulator, setting: str, value: Any) -> None:
    (error,) = ask(**{setting: value}).errors
    assert isinstance(error, ConfigurationError)
    assert setting in str(error)


@EVERY_WAY
@pytest.mark.parametrize(
    ("script", "failure"),
    [
        (JobScript(end="FAILED", error={"code": 3, "message": "bad"}), JobFailed),
        (JobScript(end="FAILED", error={"code": 4, "message": "late"}, served=0.5), JobFailed),
        (JobScript(end="CANCELLED", served=0), TooManyFailedRows),
        (JobScript(end="EXPIRED", served=0), TooManyFailedRows),
    ],
)
def test_a_piece_that_ended_badly_is_not_replaced_within_the_attempt_that_submitted_it(
    gemini: Emulator, deferrable: bool, script: JobScript, failure: type[Exception]
) -> None:
    gemini.script(script)
    ran = ask(max_active_jobs=1, deferrable=deferrable)
    assert [type(error) for error in ran.errors] == [failure]
    assert len(gemini.jobs) == 4


def test_a_piece_that_ended_badly_is_not_replaced_after_a_lack_of_capacity(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    gemini.script(JobScript(end="FAILED", error={"code": 3, "message": "bad"}))
    _refuse_the_second(gemini, monkeypatch, Fault.error(429, retry_after=0))
    ran = ask(deferrable=True)
    assert [type(error) for error in ran.errors] == [JobFailed]
    assert asked(gemini) == [3, 3, 3, 1]


@EVERY_WAY
@pytest.mark.parametrize(("on_timeout", "cancelled"), [("cancel", True), ("leave", False)])
def test_pieces_before_one_that_found_no_capacity_until_the_deadline_are_told_of(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch, deferrable: bool, on_timeout: str, cancelled: bool
) -> None:
    gemini.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    _refuse_the_second(gemini, monkeypatch, Fault.error(429, "full", retry_after=3600))
    ran = ask(deferrable=deferrable, timeout=60, on_timeout=on_timeout)
    (error,) = ran.errors
    (job,) = gemini.jobs
    assert isinstance(error, JobTimedOut)
    assert error.job_names == (job["name"],)
    assert ("Cancellation of those still running was requested" in str(error)) is cancelled
    assert job["cancel_requested"] is cancelled


def test_pieces_before_one_that_was_refused_are_told_of(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gemini.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    _refuse_the_second(gemini, monkeypatch, Fault.error(400, "bad"))
    ran = ask(deferrable=False)
    assert [type(error) for error in ran.errors] == [BadRequest]
    (job,) = gemini.jobs
    assert f"Before it, {job['name']} had been submitted. Those still running are left running" in caplog.text


def _refuse_the_second(emulator: Emulator, patch: pytest.MonkeyPatch, fault: Fault) -> None:
    met: list[str] = []

    def refuse(job: Any) -> None:
        if not met:
            met.append(job.name)
            emulator.faults.add("batches.create", fault)

    after_submit(patch, refuse)
