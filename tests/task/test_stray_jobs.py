"""Jobs that ask the task's requests and that nobody told the attempt of: the list shows them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from airflow_provider_genai_batch.client import ClientConfig, GenAIBatchClient
from airflow_provider_genai_batch.emulator import Emulator, Fault, JobScript, Lifecycle
from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage
from airflow_provider_genai_batch.exceptions import TooManyFailedRows
from airflow_provider_genai_batch.flows.submission.attempt import Attempt
from airflow_provider_genai_batch.hooks.genai_batch import GenAIBatchHook
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.task.attempt import TaskAttempt
from airflow_provider_genai_batch.task.settings.settings import RunSettings
from tests.task.plain_task import MODEL, Deferred, PlainTask, attempt
from tests.task.test_attempt import ended

EVERY_WAY = pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])
AT_ONCE, STUCK = Lifecycle.at_once(), Lifecycle.stuck("RUNNING")


@pytest.fixture
def client(emulator: Emulator) -> Iterator[GenAIBatchClient]:
    with GenAIBatchClient(ClientConfig(Backend.GEMINI, api_key="not-a-secret", host=emulator.url)) as running:
        yield running


def run(
    client: GenAIBatchClient,
    task: PlainTask | None = None,
    source: Sequence[str] = ("a", "b", "c"),
    **settings: Any,
) -> dict[str, Any]:
    """Run an attempt to its end, through its deferrals."""
    task = task or PlainTask()
    first = Attempt(look_first=not task.is_first_try)
    try:
        return attempt(task, client, source, **settings).run(first)
    except Deferred as deferral:
        left = deferral
    while True:
        try:
            return attempt(task, client, source, **settings).complete(ended(client, left))
        except Deferred as deferral:
            left = deferral


def twins(emulator: Emulator, told_of: JobScript, other: JobScript, method: str = "batches.create") -> None:
    """Let the next create call make two jobs; its answer tells of the second."""
    emulator.faults.add(method, Fault.twice())
    emulator.script(other)
    emulator.script(told_of)


def cancelled(emulator: Emulator) -> list[bool]:
    return [job["cancel_requested"] for job in emulator.jobs]


@EVERY_WAY
@pytest.mark.parametrize("allowed", [0, 1])
def test_the_rows_that_failed_in_one_job_of_a_create_call_come_from_the_other(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path, deferrable: bool, allowed: int
) -> None:
    out = tmp_path / "rows.jsonl"
    twins(emulator, JobScript(AT_ONCE, row_errors={0: 13}), JobScript(AT_ONCE, row_errors={1: 13}))
    run(client, results_uri=str(out), deferrable=deferrable, max_failed_rows=allowed, retry_failed_rows=1)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["status"] for row in rows] == ["ok"] * 3
    assert len(emulator.jobs) == 2


@EVERY_WAY
@pytest.mark.parametrize("end", ["FAILED", "SUCCEEDED"])
def test_a_job_that_goes_on_beside_one_with_failed_rows_is_waited_for(
    emulator: Emulator, client: GenAIBatchClient, deferrable: bool, end: str
) -> None:
    twins(emulator, JobScript(AT_ONCE, end=end, all_rows_fail=13), JobScript(Lifecycle(looks=5)))
    assert run(client, deferrable=deferrable)["counts"]["ok"] == 3
    assert cancelled(emulator) == [False, False]


def test_a_job_that_goes_on_beside_enough_rows_is_cancelled_and_named(
    emulator: Emulator, client: GenAIBatchClient, caplog: pytest.LogCaptureFixture
) -> None:
    twins(emulator, JobScript(AT_ONCE, row_errors={0: 13}), JobScript(STUCK))
    with caplog.at_level(logging.WARNING):
        run(client, max_failed_rows=1)
    assert cancelled(emulator) == [True, False]
    assert any(emulator.jobs[0]["name"] in record.getMessage() for record in caplog.records)


def test_a_job_of_a_later_round_is_cancelled_and_named_where_the_first_rounds_rows_are_enough_by_now(
    emulator: Emulator, client: GenAIBatchClient, caplog: pytest.LogCaptureFixture
) -> None:
    emulator.script(JobScript(AT_ONCE, row_errors={0: 13}))
    emulator.script(JobScript(STUCK))
    asks = attempt(PlainTask(), client, ["a", "b", "c"], deferrable=True, retry_failed_rows=1)
    with pytest.raises(Deferred) as first:
        asks.run(Attempt())
    with pytest.raises(Deferred):  # in its second round, and there it dies
        asks.complete(ended(client, first.value))
    with caplog.at_level(logging.WARNING):
        run(client, PlainTask(is_first_try=False), max_failed_rows=1)
    assert cancelled(emulator) == [False, True]
    assert any(emulator.jobs[1]["name"] in record.getMessage() for record in caplog.records)


@EVERY_WAY
def test_a_further_round_that_followed_another_job_of_the_same_requests_is_not_asked_again(
    emulator: Emulator, client: GenAIBatchClient, deferrable: bool
) -> None:
    failed = JobScript(AT_ONCE, row_errors={0: 13})
    twins(emulator, failed, failed)
    emulator.script(JobScript(AT_ONCE))
    assert run(client, deferrable=True, retry_failed_rows=1)["counts"]["ok"] == 3
    followed = emulator.jobs[1]["name"]
    client.delete(followed)
    manifest = run(client, PlainTask(is_first_try=False), deferrable=deferrable, retry_failed_rows=1)
    assert manifest["counts"]["ok"] == 3
    assert [int(job["rows"]["total"]) for job in emulator.jobs if job["name"] != followed] == [3, 1]


@EVERY_WAY
def test_a_first_attempt_with_a_twin_asks_no_further_round_of_its_own_accord(
    emulator: Emulator, client: GenAIBatchClient, deferrable: bool
) -> None:
    failed = {0: 13}
    cut_off = JobScript(AT_ONCE, end="FAILED", error={"code": 13}, row_errors=failed, served=0.7)
    twins(emulator, JobScript(AT_ONCE, row_errors=failed), cut_off)
    with pytest.raises(TooManyFailedRows):
        run(client, deferrable=deferrable, retry_failed_rows=0)
    assert len(emulator.jobs) == 2


def test_a_deferred_attempt_that_waits_for_a_twin_does_not_ask_for_its_input_again(
    emulator: Emulator, client: GenAIBatchClient
) -> None:
    twins(emulator, JobScript(AT_ONCE, row_errors={0: 13}), JobScript(Lifecycle(looks=5)))
    calls: list[int] = []

    def source() -> list[str]:
        calls.append(1)
        return ["a", "b", "c"]

    settings = RunSettings(conn_id="any", model=MODEL, source=source, poll_interval=0.05, deferrable=True)
    with pytest.raises(Deferred) as first:
        TaskAttempt(settings, PlainTask(), client).run(Attempt())
    with pytest.raises(Deferred) as second:
        TaskAttempt(settings, PlainTask(), client).complete(ended(client, first.value))
    assert len(calls) == 1
    manifest = TaskAttempt(settings, PlainTask(), client).complete(ended(client, second.value))
    assert manifest["counts"]["ok"] == 3


@EVERY_WAY
def test_a_twin_that_writes_to_bigquery_is_not_counted_beside_another_table(
    vertex: Emulator, cloud_storage: CloudStorage, deferrable: bool
) -> None:
    uri = f"gs://emulator-staging/{uuid4().hex}/in.jsonl"
    asked = [{"role": "user", "parts": [{"text": "Hi"}]}]
    rows = [{"key": key, "request": {"contents": asked}} for key in "abc"]
    cloud_storage.write(uri, [b"".join(json.dumps(row).encode() + b"\n" for row in rows)])
    both = JobScript(AT_ONCE, row_errors={0: 13}), JobScript(Lifecycle(looks=12))
    twins(vertex, *both, method="batchPredictionJobs.create")
    settings = {
        "dest": f"bq://{vertex.bigquery.project}.tests",
        "deferrable": deferrable,
        "max_failed_rows": 0,
    }
    with GenAIBatchHook().get_conn() as client, pytest.raises(TooManyFailedRows) as failure:
        run(client, source=[uri], **settings)
    counts = (failure.value.manifest or {})["counts"]
    assert (counts["total"], counts["ok"]) == (3, 2)
