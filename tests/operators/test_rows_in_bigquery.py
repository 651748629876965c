"""Rows that Vertex AI writes to BigQuery: counted by their table, and asked again by going on with it."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest

from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle
from airflow_provider_genai_batch.exceptions import OutputNotReadable, TooManyFailedRows
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.sensors.genai_batch import GenAIBatchSensor
from airflow_provider_genai_batch.task.jobs import patience
from airflow_provider_genai_batch.testing import SharedClock
from tests.dags import Ran, run_dag
from tests.operators.doors import DOORS, die_before_wait, wait_by
from tests.operators.scenes import MODEL, client
from tests.waiting import wait_until

EVERY_WAY = pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])
KEYS = "abcdefgh"


@pytest.fixture
def table(vertex: Emulator) -> str:
    """Give a table of eight requests, ``project.dataset.table``."""
    name = f"{vertex.bigquery.project}.tests.t{uuid4().hex}"
    rows = [
        {
            "id": key,
            "request": json.dumps({"contents": [{"role": "user", "parts": [{"text": f"Say {key}"}]}]}),
        }
        for key in KEYS
    ]
    vertex.bigquery.create_and_insert(name, [("id", "STRING"), ("request", "STRING")], rows)
    return name


def ask(table: str, **settings: Any) -> Ran:
    settings = {
        "model": MODEL,
        "poll_interval": 0.05,
        "retry_delay": 0,
        "dest": f"bq://{table}_out",
        **settings,
    }
    settings = {"src": f"bq://{table}", **settings}
    return run_dag(lambda: GenAIBatchOperator(task_id="ask", **settings))


def texts(emulator: Emulator, place: str) -> dict[str, str | None]:
    """Give the answers of a table by key; None where there is none."""
    found = {}
    for row in emulator.bigquery.rows(place.removeprefix("bq://")):
        assert row["id"] not in found
        answer = (row["response"] or {}).get("candidates")
        found[row["id"]] = answer[0]["content"]["parts"][0]["text"] if answer else None
    return found


def inputs(emulator: Emulator) -> list[Any]:
    return [job["input"] for job in emulator.jobs]


@pytest.mark.parametrize("door", DOORS)
def test_the_table_decides_and_counters_that_lag_do_not(vertex: Emulator, table: str, door: str) -> None:
    vertex.script(JobScript(row_errors={"a": 13, "c": 8, "d": 8}, lagging_counters=1.0))
    ran = wait_by(door, f"bq://{table}", max_failed_rows=3)
    assert ran.state == "success", ran.errors
    manifest = ran.xcom["wait"]
    assert (manifest["counts"]["total"], manifest["counts"]["ok"], manifest["counts"]["error"]) == (8, 5, 3)
    (often, once) = sorted(manifest["causes"].items(), key=lambda cause: -cause[1])
    assert (often[1], once[1]) == (2, 1)
    assert often[0].startswith("429 RESOURCE_EXHAUSTED: ")


def test_too_many_failed_rows_are_told_with_their_causes(vertex: Emulator, table: str) -> None:
    vertex.script(JobScript(row_errors={"a": {"code": 13, "message": "no luck"}, "c": 8, "d": 8}))
    (error,) = ask(table).errors
    assert isinstance(error, TooManyFailedRows)
    assert "3 of 8 rows failed (3 error)" in str(error)
    assert "2 x 429 RESOURCE_EXHAUSTED" in str(error)
    assert "1 x 500 INTERNAL: no luck" in str(error)
    assert f"All rows are at bq://{table}_out" in str(error)
    assert error.manifest is not None
    assert sorted(error.manifest["causes"].values()) == [1, 2]


def test_without_the_extra_the_counters_decide_and_the_log_says_so(
    vertex: Emulator, table: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "google.cloud.bigquery", None)
    vertex.script(JobScript(row_errors={"a": 13}))
    with caplog.at_level(logging.WARNING):
        (error,) = ask(table, retry_failed_rows=1).errors
    assert isinstance(error, TooManyFailedRows)
    assert "1 of 8 rows failed" in str(error)
    assert 'The extra "bigquery" is not installed' in caplog.text
    assert len(vertex.jobs) == 1


@EVERY_WAY
def test_a_table_that_is_not_there_yet_is_waited_for(vertex: Emulator, table: str, deferrable: bool) -> None:
    vertex.script(JobScript(late_output=3))
    ran = ask(table, deferrable=deferrable)
    assert ran.state == "success", ran.errors
    assert ran.xcom["ask"]["counts"]["ok"] == 8


def test_a_table_that_never_comes_is_waited_for_a_bounded_time(
    vertex: Emulator, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "READ_PATIENCE", 1.5)
    vertex.script(JobScript(late_output=10_000))
    (error,) = ask(table).errors
    assert isinstance(error, OutputNotReadable)


def test_rows_that_a_job_did_not_come_to_are_missing_though_they_have_no_status(
    vertex: Emulator, table: str
) -> None:
    vertex.script(JobScript(end="EXPIRED", served=0.5))
    (error,) = ask(table).errors
    assert isinstance(error, TooManyFailedRows)
    assert "4 of 8 rows failed (4 missing)" in str(error)


@pytest.fixture
def refusing(vertex: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Give the tokens that come to a BigQuery which refuses all of them."""
    tokens: list[str] = []

    class Refusing(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            tokens.append(self.headers["authorization"])
            self.rfile.read(int(self.headers["content-length"]))
            reason = {
                "reason": "accessDenied",
                "message": "User does not have bigquery.jobs.create permission.",
            }
            body = json.dumps(
                {"error": {"code": 403, "message": reason["message"], "errors": [reason]}}
            ).encode()
            self.send_response(403)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Be quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        connection = vertex.connection("vertex")
        connection["extra"]["bigquery_endpoint"] = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("AIRFLOW_CONN_GENAI_BATCH_DEFAULT", json.dumps(connection))
        yield tokens
        server.shutdown()
        thread.join()


def test_an_account_that_may_not_query_is_asked_with_its_own_token_and_leaves_it_to_the_counters(
    vertex: Emulator, table: str, refusing: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    vertex.script(JobScript(row_errors={"a": 13}))
    with caplog.at_level(logging.WARNING):
        ran = ask(table, max_failed_rows=1)
    assert ran.state == "success", ran.errors
    assert (ran.xcom["ask"]["counts"]["ok"], ran.xcom["ask"]["counts"]["error"]) == (7, 1)
    (token,) = refusing
    assert token.startswith("Bearer ")
    assert "bigquery.jobs.create" in caplog.text
    assert token.removeprefix("Bearer ") not in caplog.text


@EVERY_WAY
@pytest.mark.parametrize("dest", ["table", "dataset", None])
def test_a_further_round_goes_on_with_the_table_and_asks_failed_rows_alone(
    vertex: Emulator, table: str, deferrable: bool, dest: str | None
) -> None:
    place = {"table": f"bq://{table}_out", "dataset": f"bq://{table.rpartition('.')[0]}", None: None}[dest]
    vertex.script(JobScript(row_errors={"b": 13, "f": 8}))
    vertex.script(JobScript(answers=dict.fromkeys(KEYS, "again")))
    ran = ask(table, dest=place, retry_failed_rows=1, deferrable=deferrable)
    assert ran.state == "success", ran.errors
    manifest = ran.xcom["ask"]
    assert (manifest["rounds"], len(manifest["job_names"]), manifest["counts"]["total"]) == (2, 2, 8)
    assert manifest["counts"]["ok"] == 8
    (last,) = manifest["output"]
    first, second = inputs(vertex)
    assert first == {"bigquery": f"bq://{table}"}
    assert second["bigquery"] not in (f"bq://{table}", last)
    found = texts(vertex, last)
    assert sorted(found) == list(KEYS)
    assert [key for key, text in sorted(found.items()) if text == "again"] == ["b", "f"]


@EVERY_WAY
def test_rounds_come_to_an_end_and_each_request_is_counted_once(
    vertex: Emulator, table: str, deferrable: bool
) -> None:
    for failing in ("bfg", "bf", "b"):
        vertex.script(JobScript(row_errors=dict.fromkeys(failing, 13)))
    (error,) = ask(table, retry_failed_rows=2, deferrable=deferrable).errors
    assert isinstance(error, TooManyFailedRows)
    assert error.manifest is not None
    assert (error.manifest["rounds"], error.manifest["counts"]["total"]) == (3, 8)
    assert (error.manifest["counts"]["ok"], error.manifest["counts"]["error"]) == (7, 1)


def test_the_attempt_after_one_that_failed_goes_on_with_its_table(vertex: Emulator, table: str) -> None:
    vertex.script(JobScript(row_errors={"b": 13}))
    ran = ask(table, retries=1, deferrable=True)
    assert [type(error) for error in ran.errors] == [TooManyFailedRows]
    assert (ran.state, len(vertex.jobs)) == ("success", 2)
    assert ran.xcom["ask"]["counts"]["ok"] == 8


def test_an_attempt_takes_up_the_round_of_the_one_before(vertex: Emulator, table: str) -> None:
    vertex.script(JobScript(row_errors={"b": 13, "c": 13}))
    vertex.script(JobScript(row_errors={"b": 13}))
    ran = ask(table, retries=1, retry_failed_rows=1, deferrable=False)
    assert (ran.state, len(vertex.jobs)) == ("success", 3)
    assert (ran.xcom["ask"]["rounds"], ran.xcom["ask"]["counts"]["ok"]) == (3, 8)


def test_what_a_job_did_not_come_to_before_its_deadline_is_asked_by_the_next_attempt(
    virtual_clock: SharedClock, vertex: Emulator, table: str
) -> None:
    vertex.script(JobScript(lifecycle=Lifecycle.timed(running=3600), served=0.5))
    vertex.script(JobScript(answers=dict.fromkeys(KEYS, "again")))
    ran = ask(table, retries=1, timeout=480, poll_interval=60, deferrable=True)
    assert ran.state == "success", ran.errors
    assert len(vertex.jobs) == 2
    (last,) = ran.xcom["ask"]["output"]
    assert [*texts(vertex, last).values()].count("again") == 4


def test_a_further_round_that_ended_early_with_fewer_good_rows_takes_the_place_of_none(
    vertex: Emulator, table: str
) -> None:
    vertex.script(JobScript(row_errors={"b": 13, "c": 13}))
    vertex.script(JobScript(end="CANCELLED", served=0))
    (error,) = ask(table, retry_failed_rows=1).errors
    assert isinstance(error, TooManyFailedRows)
    assert error.manifest is not None
    assert (error.manifest["counts"]["total"], error.manifest["counts"]["ok"]) == (8, 6)
    assert error.manifest["output"] == [f"bq://{table}_out"]


def test_a_sensor_counts_each_request_of_a_job_that_was_gone_on_with_once(
    vertex: Emulator, table: str
) -> None:
    vertex.script(JobScript(row_errors={"b": 13}))
    ran = ask(table, retry_failed_rows=1)
    names = ran.xcom["ask"]["job_names"]
    assert len(names) == 2
    seen = run_dag(lambda: GenAIBatchSensor(task_id="sense", job_names=names))
    assert seen.xcom["sense"]["counts"] == ran.xcom["ask"]["counts"]
    assert seen.xcom["sense"]["output"] == ran.xcom["ask"]["output"]


@pytest.fixture
def lines(vertex: Emulator, tmp_path: Path) -> Callable[[], str]:
    def put() -> str:
        uri = f"gs://emulator-staging/{uuid4().hex}/in.jsonl"
        rows = [
            {"id": key, "key": key, "request": {"contents": [{"role": "user", "parts": [{"text": key}]}]}}
            for key in KEYS
        ]
        vertex.storage.write(uri, [json.dumps(row).encode() + b"\n" for row in rows])
        return uri

    return put


def test_of_several_jobs_only_the_table_with_failed_rows_is_gone_on_with(
    vertex: Emulator, table: str, lines: Callable[[], str]
) -> None:
    vertex.script(JobScript())
    vertex.script(JobScript(row_errors={1: 13}))
    ran = ask(
        table, src=lines(), max_requests_per_job=4, max_active_jobs=1, retry_failed_rows=1, deferrable=False
    )
    assert ran.state == "success", ran.errors
    manifest = ran.xcom["ask"]
    assert (len(manifest["job_names"]), manifest["counts"]["total"], manifest["counts"]["ok"]) == (3, 8, 8)
    assert len(manifest["output"]) == 2
    assert sorted(key for place in manifest["output"] for key in texts(vertex, place)) == list(KEYS)


def test_of_several_jobs_one_that_was_cancelled_without_rows_alone_is_replaced(
    vertex: Emulator, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    vertex.script(JobScript())
    vertex.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING"), served=0, cancel_looks=3))

    def cancel_the_second(_job: object) -> None:
        first, second = (one["name"] for one in vertex.jobs)
        with client() as service:
            wait_until(lambda: service.get(first).done, "the first job has ended")
            service.cancel(second)

    die_before_wait(monkeypatch, cancel_the_second)
    settings = {
        "model": MODEL,
        "poll_interval": 0.05,
        "retries": 1,
        "retry_delay": 0,
        "max_requests_per_job": 4,
    }
    texts = [f"text {number}" for number in range(8)]
    ran = run_dag(
        lambda: GenAIBatchOperator(task_id="ask", src=texts, dest=f"bq://{table}_pieces", **settings)
    )
    assert ran.state == "success", ran.errors
    assert [job["state"] for job in vertex.jobs] == ["SUCCEEDED", "CANCELLED", "SUCCEEDED"]
    assert ran.xcom["ask"]["counts"]["ok"] == 8


@pytest.mark.parametrize(("allowed", "state"), [(0.5, "success"), (3, "failed")])
def test_of_several_jobs_one_without_a_table_has_its_own_requests_missing(
    vertex: Emulator, table: str, allowed: float, state: str
) -> None:
    vertex.script(JobScript())
    vertex.script(JobScript(end="EXPIRED", states=("PENDING",)))
    texts = [f"text {number}" for number in range(8)]
    settings = {"max_requests_per_job": 4, "max_failed_rows": allowed, "dest": f"bq://{table}_pieces"}
    ran = ask(table, src=texts, **settings)
    assert ran.state == state, ran.errors
    counts = ran.xcom["ask"]["counts"] if ran.xcom["ask"] else ran.errors[0].manifest["counts"]
    assert (counts["total"], counts["ok"], counts["missing"]) == (8, 4, 4)
