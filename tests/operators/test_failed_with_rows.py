"""Jobs that the service ends as FAILED after it has answered a part, as Vertex AI does after a day of running."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator, JobScript
from airflow_provider_genai_batch.exceptions import JobFailed
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.task.jobs import patience
from tests.dags import Ran, run_dag
from tests.operators.doors import after_submit
from tests.operators.scenes import MODEL, client
from tests.waiting import wait_until

EVERY_WAY = pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])
PROMPTS = [{"key": key, "contents": f"Say {key}"} for key in "abcdefgh"]
OUT_OF_TIME = {"code": 4, "message": "not finished in 24 hours"}
DEST = "gs://emulator-staging/failed/"


def ask(**settings: Any) -> Ran:
    settings = {
        "src": PROMPTS,
        "model": MODEL,
        "dest": DEST,
        "poll_interval": 0.05,
        "retries": 1,
        "retry_delay": 0,
        **settings,
    }
    return run_dag(lambda: GenAIBatchOperator(task_id="ask", **settings))


def asked(emulator: Emulator) -> list[int]:
    """Give the number of requests of each job."""
    return [int(job["rows"]["total"]) for job in emulator.jobs]


@EVERY_WAY
def test_the_attempt_fails_and_the_next_one_keeps_the_answers_and_asks_for_the_rest(
    vertex: Emulator, tmp_path: Path, deferrable: bool
) -> None:
    vertex.script(JobScript(end="FAILED", error=OUT_OF_TIME, served=0.75))
    out = tmp_path / "rows.jsonl"
    ran = ask(results_uri=str(out), deferrable=deferrable)
    (error,) = ran.errors
    assert isinstance(error, JobFailed)
    assert "code 4: not finished in 24 hours" in str(error)
    assert "counts 6 answered requests, which are paid for" in str(error)
    assert ran.state == "success"
    assert asked(vertex) == [8, 2]
    assert sorted(json.loads(line)["key"] for line in out.read_text().splitlines()) == list("abcdefgh")
    manifest = ran.xcom["ask"]
    assert (manifest["counts"]["ok"], manifest["rounds"]) == (8, 2)


def test_answers_that_are_enough_are_not_paid_again(vertex: Emulator) -> None:
    vertex.script(JobScript(end="FAILED", error=OUT_OF_TIME, served=0.75))
    ran = ask(max_failed_rows=0.25)
    assert [type(error) for error in ran.errors] == [JobFailed]
    assert ran.state == "success"
    assert asked(vertex) == [8]
    assert (ran.xcom["ask"]["state"], ran.xcom["ask"]["counts"]["missing"]) == ("FAILED", 2)


@EVERY_WAY
def test_a_further_job_that_fails_too_is_told_and_gone_on_from(vertex: Emulator, deferrable: bool) -> None:
    for _ in range(2):
        vertex.script(JobScript(end="FAILED", error=OUT_OF_TIME, served=0.5))
    ran = ask(retries=2, deferrable=deferrable)
    assert [type(error) for error in ran.errors] == [JobFailed, JobFailed]
    assert ran.state == "success"
    assert asked(vertex) == [8, 4, 2]
    assert ran.xcom["ask"]["counts"]["ok"] == 8


def test_answers_that_never_come_are_asked_again_after_a_bounded_time(
    vertex: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "READ_PATIENCE", 0.5)
    vertex.script(JobScript(end="FAILED", error=OUT_OF_TIME, served=0.5, late_seconds=3600))
    ran = ask()
    assert ran.state == "success", ran.errors
    assert asked(vertex) == [8, 8]
    assert ran.xcom["ask"]["counts"]["ok"] == 8


@EVERY_WAY
def test_of_several_jobs_only_what_is_unanswered_is_asked_again(vertex: Emulator, deferrable: bool) -> None:
    vertex.script(JobScript())
    vertex.script(JobScript(end="FAILED", error=OUT_OF_TIME, served=0.5))
    ran = ask(max_requests_per_job=4, deferrable=deferrable)
    assert [type(error) for error in ran.errors] == [JobFailed]
    assert ran.state == "success"
    assert asked(vertex) == [4, 4, 2]


@pytest.mark.parametrize(("wait", "jobs"), [(True, [8, 4]), (False, [8, 8])])
def test_one_that_failed_while_nobody_watched_is_gone_on_from_at_once_by_whoever_waits(
    vertex: Emulator, monkeypatch: pytest.MonkeyPatch, wait: bool, jobs: list[int]
) -> None:
    died: list[str] = []

    def die(job: Any) -> None:
        if not died:
            died.append(job.name)
            with client() as service:
                wait_until(lambda: service.get(job.name).done, "the job has failed")
            msg = "the worker dies here"
            raise RuntimeError(msg)

    vertex.script(JobScript(end="FAILED", error=OUT_OF_TIME, served=0.5))
    after_submit(monkeypatch, die)
    ran = ask(wait=wait)
    assert (ran.state, [type(error) for error in ran.errors]) == ("success", [RuntimeError])
    with client() as service:
        wait_until(lambda: service.get(vertex.jobs[-1]["name"]).done, "the last job has ended")
    assert asked(vertex) == jobs


def test_a_table_is_gone_on_with(vertex: Emulator) -> None:
    name = f"{vertex.bigquery.project}.tests.failed_with_rows"
    body = json.dumps({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]})
    rows = [{"id": key, "request": body} for key in "abcdefgh"]
    vertex.bigquery.create_and_insert(name, [("id", "STRING"), ("request", "STRING")], rows)
    vertex.script(JobScript(end="FAILED", error=OUT_OF_TIME, served=0.5))
    ran = ask(src=f"bq://{name}", dest=f"bq://{name}_out")
    assert [type(error) for error in ran.errors] == [JobFailed]
    assert ran.state == "success"
    assert [job["input"]["bigquery"] for job in vertex.jobs] == [f"bq://{name}", f"bq://{name}_out"]
    assert ran.xcom["ask"]["counts"]["ok"] == 8
