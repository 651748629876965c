"""Further rounds: jobs of the failed and missing rows alone, merged so that each request has one final row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle
from airflow_provider_genai_batch.emulator.bigquery.stand_in import BigQuery
from airflow_provider_genai_batch.exceptions import TooManyFailedRows
from airflow_provider_genai_batch.flows.submission import own_jobs
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.testing import SharedClock
from tests.dags import Ran, run_dag
from tests.operators.doors import after_submit
from tests.operators.scenes import MODEL, client

EVERY_WAY = pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])
PROMPTS = [{"key": key, "contents": f"Say {key}"} for key in "abcdefgh"]
TEXTS = list("abcdefgh")


def ask(src: Any, **settings: Any) -> Ran:
    settings = {"model": MODEL, "poll_interval": 0.05, "retry_delay": 0, **settings}
    return run_dag(lambda: GenAIBatchOperator(task_id="ask", src=src, **settings))


def rows(path: Path) -> dict[str, dict[str, Any]]:
    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert len({row["key"] for row in found}) == len(found)
    return {row["key"]: row for row in found}


def asked(emulator: Emulator) -> list[int]:
    """Give the number of requests of each job."""
    return [int(job["rows"]["total"]) for job in emulator.jobs]


@EVERY_WAY
@pytest.mark.parametrize("src", [PROMPTS, TEXTS], ids=["own keys", "stamps"])
def test_a_further_round_asks_the_failed_and_missing_rows_alone(
    gemini: Emulator, tmp_path: Path, deferrable: bool, src: Any
) -> None:
    gemini.script(JobScript(row_errors={1: 13, 5: 8}, missing=[2]))
    out = tmp_path / "rows.jsonl"
    ran = ask(src, results_uri=str(out), retry_failed_rows=1, deferrable=deferrable)
    assert ran.state == "success", ran.errors
    assert asked(gemini) == [8, 3]
    assert (ran.xcom["ask"]["rounds"], ran.xcom["ask"]["counts"]["ok"]) == (2, 8)
    assert ran.xcom["ask"]["job_names"] == [job["name"] for job in gemini.jobs]
    found = rows(out)
    assert len(found) == 8
    assert [key for key, row in sorted(found.items()) if row.get("round")] == sorted(found)[1:3] + sorted(
        found
    )[5:6]


@EVERY_WAY
def test_rounds_come_to_an_end_and_the_failure_counts_final_rows(
    gemini: Emulator, tmp_path: Path, deferrable: bool
) -> None:
    gemini.script(JobScript(row_errors={1: 13, 5: 8}))
    gemini.script(JobScript(row_errors={0: 13}))
    gemini.script(JobScript(row_errors={0: 3}))
    out = tmp_path / "rows.jsonl"
    ran = ask(PROMPTS, results_uri=str(out), retry_failed_rows=2, deferrable=deferrable)
    (error,) = ran.errors
    assert isinstance(error, TooManyFailedRows)
    assert asked(gemini) == [8, 2, 1]
    assert error.manifest is not None
    assert (error.manifest["rounds"], error.manifest["counts"]["error"]) == (3, 1)
    assert [row["status"] for row in rows(out).values()].count("ok") == 7


def test_rows_within_the_allowance_are_not_asked_again(gemini: Emulator) -> None:
    gemini.script(JobScript(row_errors={1: 13}))
    assert ask(PROMPTS, retry_failed_rows=2, max_failed_rows=1).state == "success"
    assert asked(gemini) == [8]


@EVERY_WAY
def test_the_attempt_after_one_that_failed_asks_the_failed_rows_alone(
    gemini: Emulator, deferrable: bool
) -> None:
    gemini.script(JobScript(row_errors={1: 13, 5: 8}))
    ran = ask(PROMPTS, retries=1, deferrable=deferrable)
    assert [type(error) for error in ran.errors] == [TooManyFailedRows]
    assert ran.state == "success"
    assert asked(gemini) == [8, 2]
    assert ran.xcom["ask"]["counts"]["ok"] == 8


@EVERY_WAY
def test_an_attempt_continues_the_round_of_the_one_before(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch, deferrable: bool
) -> None:
    gemini.script(JobScript(row_errors={1: 13, 5: 8}))
    died: list[str] = []

    def die_in_the_second_round(job: Any) -> None:
        if job.display_name.endswith("-r1") and not died:
            died.append(job.name)
            msg = "the worker dies here"
            raise RuntimeError(msg)

    after_submit(monkeypatch, die_in_the_second_round)
    ran = ask(PROMPTS, retries=1, retry_failed_rows=1, deferrable=deferrable)
    assert ran.state == "success", ran.errors
    assert asked(gemini) == [8, 2]


def test_a_staged_input_is_asked_again_on_vertex(vertex: Emulator, tmp_path: Path) -> None:
    vertex.script(JobScript(row_errors={1: 13, 5: 8}, shards=2))
    out = tmp_path / "rows.jsonl"
    ran = ask(PROMPTS, results_uri=str(out), retry_failed_rows=1, dest="gs://emulator-staging/rounds/")
    assert ran.state == "success", ran.errors
    assert asked(vertex) == [8, 2]
    assert len(rows(out)) == 8


def test_requests_that_cannot_be_read_are_not_asked_again(vertex: Emulator, big_query: BigQuery) -> None:
    name = f"{big_query.project}.tests.rounds"
    body = json.dumps({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]})
    big_query.create_and_insert(
        name, [("id", "STRING"), ("request", "STRING")], [{"id": "a", "request": body}] * 2
    )
    vertex.script(JobScript(all_rows_fail=13))
    ran = ask(f"bq://{name}", dest="gs://emulator-staging/unread/", retry_failed_rows=2)
    assert isinstance(ran.errors[0], TooManyFailedRows)
    assert len(vertex.jobs) == 1


def test_the_rest_of_an_expired_job_is_asked_by_the_next_attempt(gemini: Emulator) -> None:
    gemini.script(JobScript(end="EXPIRED", served=0.5))
    ran = ask(PROMPTS, retries=1)
    assert ran.state == "success", ran.errors
    assert asked(gemini) == [8, 4]


@EVERY_WAY
def test_the_rest_of_a_cancelled_job_is_asked_and_its_rows_are_kept(
    virtual_clock: SharedClock, gemini: Emulator, tmp_path: Path, deferrable: bool
) -> None:
    gemini.script(JobScript(lifecycle=Lifecycle.timed(running=3600), served=0.5))
    out = tmp_path / "rows.jsonl"
    settings = {"timeout": 480, "poll_interval": 60, "deferrable": deferrable}
    ran = ask(PROMPTS, retries=1, results_uri=str(out), **settings)
    assert ran.state == "success", ran.errors
    assert asked(gemini) == [8, 4]
    assert len(rows(out)) == 8


def test_a_further_round_after_a_job_that_is_gone_is_not_that_of_the_new_one(
    gemini: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_jobs, "APPEARS_WITHIN", 1.0)  # it is too young to be gone for good for so long
    for failing in (1, 0, 5):
        gemini.script(JobScript(row_errors={failing: 13}))
    tries: list[int] = []

    class LosesItsJob(GenAIBatchOperator):
        def execute(self, context: Any) -> Any:
            tries.append(context["ti"].try_number)
            if len(tries) == 2:
                with client() as service:
                    service.delete(gemini.jobs[0]["name"])
            return super().execute(context)

    out = tmp_path / "rows.jsonl"
    settings = {"model": MODEL, "src": PROMPTS, "poll_interval": 0.05, "retries": 1, "retry_delay": 0}
    ran = run_dag(lambda: LosesItsJob(task_id="ask", retry_failed_rows=1, results_uri=str(out), **settings))
    assert ran.state == "success", ran.errors
    assert asked(gemini) == [8, 1, 8, 1]
    assert {row["status"] for row in rows(out).values()} == {"ok"}
