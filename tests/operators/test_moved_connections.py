"""What an attempt does about jobs of the one before, when the task asks elsewhere or something else by then."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator, Fault, JobScript, Lifecycle
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from tests.dags import Ran, run_dag
from tests.operators.doors import after_submit
from tests.operators.scenes import MODEL

UNLISTED = JobScript(lifecycle=Lifecycle.stuck("RUNNING"), list_lag_seconds=1e6)
"""No list shows it: what is known of it is its name."""
CONNECTION = "AIRFLOW_CONN_GENAI_BATCH_DEFAULT"
OLD = "AIRFLOW_CONN_OLD"
OLD_THEN_DEFAULT = "{{ 'old' if ti.try_number == 1 else 'genai_batch_default' }}"
DEST = {"dest": "gs://emulator-staging/moved/"}


def ask_twice(
    patch: pytest.MonkeyPatch, between: Callable[[], object], jobs: int = 1, **settings: Any
) -> Ran:
    """Run a task whose first attempt dies when it has come to so many jobs."""
    came_to: list[str] = []

    def die(job: Any) -> None:
        came_to.append(job.name)
        if len(came_to) == jobs:
            between()
            msg = "the worker dies here"
            raise RuntimeError(msg)

    after_submit(patch, die)
    settings = {"src": ["a", "b"], "poll_interval": 0.05, "retries": 1, "retry_delay": 0, **settings}
    return run_dag(lambda: GenAIBatchOperator(task_id="ask", model=MODEL, **settings))


def cancelled(emulator: Emulator) -> list[bool]:
    return [job["cancel_requested"] for job in emulator.jobs]


def test_a_job_at_another_location_is_cancelled_by_the_note_of_it(
    vertex: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def move() -> None:
        connection = json.loads(os.environ[CONNECTION])
        connection["extra"]["location"] = "europe-west4"
        monkeypatch.setenv(CONNECTION, json.dumps(connection))

    vertex.script(UNLISTED)
    ran = ask_twice(monkeypatch, move, **DEST)
    assert ran.state == "success", ran.errors
    assert cancelled(vertex) == [True, False]
    assert len({job["name"].split("/")[3] for job in vertex.jobs}) == 2


def test_a_job_of_another_service_is_cancelled_through_the_connection_that_asked_it(
    vertex: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(OLD, json.dumps(vertex.connection("gemini")))
    vertex.script(UNLISTED)
    ran = ask_twice(monkeypatch, lambda: None, conn_id=OLD_THEN_DEFAULT)
    assert ran.state == "success", ran.errors
    assert [job["backend"] for job in vertex.jobs] == ["gemini", "vertex"]
    assert cancelled(vertex) == [True, False]


def test_a_job_that_no_connection_reaches_any_more_is_named_as_billed(
    vertex: Emulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(OLD, json.dumps(vertex.connection("gemini")))
    vertex.script(UNLISTED)
    with caplog.at_level(logging.WARNING):
        ran = ask_twice(monkeypatch, lambda: monkeypatch.delenv(OLD), conn_id=OLD_THEN_DEFAULT)
    assert ran.state == "success", ran.errors
    assert cancelled(vertex) == [False, False]
    (said,) = (r.getMessage() for r in caplog.records if vertex.jobs[0]["name"] in r.getMessage())
    assert "could not be cancelled" in said
    assert "if it still runs, it is billed" in said


def test_all_jobs_of_an_input_that_changed_are_cancelled_by_the_notes_of_them(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "in.jsonl"

    def write(*texts: str) -> None:
        lines = ({"key": text, "request": {"contents": [{"parts": [{"text": text}]}]}} for text in texts)
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))

    write("a", "b", "c")
    for _ in range(3):
        gemini.script(UNLISTED)
    ran = ask_twice(monkeypatch, lambda: write("d"), 3, src=str(path), max_requests_per_job=1)
    assert ran.state == "success", ran.errors
    assert cancelled(gemini) == [True, True, True, False]


def test_of_two_jobs_that_ended_each_requests_good_row_counts(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    out = tmp_path / "rows.jsonl"
    gemini.faults.add("batches.create", Fault.twice())
    gemini.script(JobScript(lifecycle=Lifecycle.at_once(), row_errors={"a": 13}))
    gemini.script(JobScript(lifecycle=Lifecycle.at_once(), row_errors={"b": 13}))
    src = [{"key": key, "contents": f"say {key}"} for key in "abc"]
    # Without notes it looks at the list, which shows both.
    monkeypatch.setattr(
        "airflow_provider_genai_batch.hooks.state_store.records.JobRecords.read", lambda _: None
    )
    ran = ask_twice(monkeypatch, lambda: None, src=src, results_uri=str(out))
    assert ran.state == "success", ran.errors
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert {row["key"]: row["status"] for row in rows} == dict.fromkeys("abc", "ok")
    assert len(gemini.jobs) == 2
    assert len(ran.xcom["ask"]["job_names"]) == 2
