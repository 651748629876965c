"""Rows of a query: taken once in a run, kept, and asked about whatever becomes of the database meanwhile."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from airflow_provider_genai_batch.client import ClientConfig, GenAIBatchClient
from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle
from airflow_provider_genai_batch.exceptions import ConfigurationError, InputError, UnsupportedError
from airflow_provider_genai_batch.flows.submission.attempt import Attempt
from airflow_provider_genai_batch.models import SqlSource
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.jobs.identity import task_key
from airflow_provider_genai_batch.task.attempt import TaskAttempt
from airflow_provider_genai_batch.task.port import Owner
from airflow_provider_genai_batch.task.settings.settings import RunSettings
from tests.emulator.test_bigquery import client_of as client_of_tables
from tests.operators.scenes import client as client_of_connection
from tests.task.plain_task import MODEL, Deferred, PlainTask
from tests.task.test_reuse import ended

USUAL: dict[str, Any] = {"prompt": "Good? {body}", "key": "id", "poll_interval": 0.05}
QUERY = SqlSource("warehouse", "SELECT id, body, score FROM reviews WHERE score >= :least", {"least": 2})


class Database:
    """A throw-away database that the connection ``warehouse`` leads to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run("CREATE TABLE reviews (id INTEGER, body TEXT, score REAL, picture BLOB)")
        self.fill(range(1, 7))

    def run(self, sql: str, *values: Any) -> None:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(sql, values)

    def fill(self, ids: Any, words: str = "Text") -> None:
        self.run("DELETE FROM reviews")
        for number in ids:
            self.run(
                "INSERT INTO reviews VALUES (?, ?, ?, x'00ff')", number, f"{words} {number} {{x}}", number
            )


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    path = tmp_path / "warehouse.db"
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sqlite", "host": str(path)}))
    return Database(path)


@pytest.fixture
def client(emulator: Emulator) -> Iterator[GenAIBatchClient]:
    """Give a client that no Airflow connection was read for."""
    with GenAIBatchClient(ClientConfig(Backend.GEMINI, api_key="not-a-secret", host=emulator.url)) as running:
        yield running


class Died(Exception):
    """The worker is gone."""


def task(run: int = 1, *, first_try: int = 1, again: bool = False, dies: bool = False) -> PlainTask:
    """Return a task instance of a run, with the try that it began with when it was last cleared."""
    owner = Owner(task_key("etl", "ask", str(run), -1, None), "etl.ask", {}, None, first_try=first_try)
    one = PlainTask(owner=owner, is_first_try=not again)

    def die(*_: Any) -> None:
        raise Died

    if dies:
        one.show_links = die  # type: ignore[method-assign]
    return one


def ask(client: GenAIBatchClient, who: PlainTask, query: SqlSource = QUERY, **how: Any) -> dict[str, Any]:
    """Run an attempt; all but the first look for jobs."""
    how = {**USUAL, **how}
    settings = RunSettings(conn_id="any", model=MODEL, source=lambda: query, **how)
    return TaskAttempt(settings, who, client).run(Attempt(look_first=not who.is_first_try))


def rows(path: Path) -> dict[str, dict[str, Any]]:
    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert len({row["key"] for row in found}) == len(found)
    return {row["key"]: row for row in found}


def asked(emulator: Emulator) -> list[int]:
    """Give the number of requests of each job."""
    return [int(job["rows"]["total"]) for job in emulator.jobs]


def kept(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if ".rows-" in path.name)


def test_rows_land_under_their_own_keys_with_the_columns_that_were_chosen(
    emulator: Emulator, client: GenAIBatchClient, database: Database, tmp_path: Path
) -> None:
    out = tmp_path / "rows.jsonl"
    manifest = ask(client, task(), results_uri=str(out), columns=["score", "id"], ordered=True)
    assert manifest["counts"] == {**manifest["counts"], "ok": 5, "total": 5}
    found = rows(out)
    assert [*found] == ["2", "3", "4", "5", "6"]
    assert found["3"]["text"] == "Answer to: Good? Text 3 {x}"
    assert found["3"]["input"] == {"score": 3.0, "id": 3}
    assert asked(emulator) == [5]


@pytest.mark.parametrize("change", ["other rows", "another order", "no database"])
def test_a_retry_asks_the_rows_of_the_first_try_whatever_the_database_has_by_then(
    emulator: Emulator, client: GenAIBatchClient, database: Database, tmp_path: Path, change: str
) -> None:
    out = tmp_path / "rows.jsonl"
    with pytest.raises(Died):
        ask(client, task(dies=True), results_uri=str(out))
    if change == "other rows":
        database.fill(range(4, 20), "New")
    elif change == "another order":
        database.fill(range(6, 0, -1))
    else:
        database.path.unlink()
    manifest = ask(client, task(again=True), results_uri=str(out))
    assert asked(emulator) == [5]
    assert manifest["counts"]["ok"] == 5
    assert {row["input"]["body"] for row in rows(out).values()} == {f"Text {n} {{x}}" for n in range(2, 7)}


def test_a_cleared_task_asks_the_database_anew_and_pays_for_other_rows_only(
    emulator: Emulator, client: GenAIBatchClient, database: Database, tmp_path: Path
) -> None:
    out = tmp_path / "rows.jsonl"
    ask(client, task(), results_uri=str(out))
    database.fill(range(6, 0, -1))  # the same in another order: its job is found
    ask(client, task(first_try=2, again=True), results_uri=str(out))
    assert asked(emulator) == [5]
    assert len({path.read_bytes() for path in kept(tmp_path)}) == 1
    database.fill(range(2, 5), "New")  # somebody has mended the table, and cleared both tasks
    manifest = ask(client, task(first_try=3, again=True), results_uri=str(out))
    assert asked(emulator) == [5, 3]
    assert manifest["counts"]["total"] == 3
    assert {row["text"] for row in rows(out).values()} == {
        f"Answer to: Good? New {n} {{x}}" for n in range(2, 5)
    }


def test_rows_that_were_refused_are_not_kept_so_the_next_try_asks_for_better_ones(
    emulator: Emulator, client: GenAIBatchClient, database: Database, tmp_path: Path
) -> None:
    out = tmp_path / "rows.jsonl"
    database.run("UPDATE reviews SET body = NULL WHERE id = 4")
    with pytest.raises(
        InputError, match="row 3 of the query of connection 'warehouse': column 'body' is null"
    ):
        ask(client, task(), results_uri=str(out))
    assert not kept(tmp_path)
    database.fill(range(1, 7))
    assert ask(client, task(again=True), results_uri=str(out))["counts"]["ok"] == 5
    assert asked(emulator) == [5]


def test_a_query_goes_with_several_jobs_further_rounds_a_pilot_and_answers_of_earlier_nights(
    emulator: Emulator, client: GenAIBatchClient, database: Database, tmp_path: Path
) -> None:
    emulator.script(JobScript(row_errors={1: 13}))
    out = tmp_path / "rows.jsonl"
    how: dict[str, Any] = {
        "results_uri": str(out),
        "max_requests_per_job": 2,
        "retry_failed_rows": 1,
        "reuse": True,
    }
    manifest = ask(client, task(), **how)
    assert (asked(emulator), manifest["rounds"]) == ([2, 2, 1, 1], 2)
    assert manifest["counts"]["ok"] == 5
    database.fill(range(2, 9))  # the next night has two more
    plan = ask(client, task(2), **how, plan_only=True)["plan"]
    assert (plan["requests"], plan["reused"]) == (2, 5)
    assert len(kept(tmp_path)) == 1  # a plan keeps nothing
    night = ask(client, task(2), **how, pilot=1)
    assert (night["counts"]["ok"], night["counts"]["reused"]) == (7, 5)
    assert {row["input"]["id"] for row in rows(out).values()} == {*range(2, 9)}
    assert asked(emulator)[4:] == [1]  # beside the pilot, which was asked at once


REFUSED: dict[str, tuple[SqlSource, dict[str, Any], str]] = {
    "an unknown connection": (SqlSource("nowhere", "SELECT 1"), {}, "'nowhere', which does not exist"),
    "a connection of no database": (SqlSource("folder", "SELECT 1"), {}, "does not speak DB-API"),
    "a statement that is wrong": (
        SqlSource("warehouse", "SELEKT 1"),
        {},
        "'warehouse' failed .OperationalError",
    ),
    "a statement without rows": (
        SqlSource("warehouse", "DELETE FROM reviews"),
        {},
        "gives no rows: sql is one statement that does",
    ),
    "a query without a row": (
        SqlSource("warehouse", "SELECT id, body FROM reviews WHERE id > 99"),
        {},
        "query of connection 'warehouse' holds no rows",
    ),
    "a column that is not there": (
        QUERY,
        {"prompt": "{text}"},
        "no column 'text', which prompt names. The columns are",
    ),
    "a key that is not there": (QUERY, {"key": "number"}, "no column 'number', which key names"),
    "a chosen column that is not there": (QUERY, {"columns": ["ID"]}, "no column 'ID', which columns names"),
    "two columns of one name": (
        SqlSource("warehouse", "SELECT id, body, body FROM reviews"),
        {},
        "several columns with the name 'body': rename them with AS",
    ),
    "a key that is there twice": (
        SqlSource("warehouse", "SELECT id / 2 AS id, body FROM reviews"),
        {},
        "row 3 of the query of connection 'warehouse': its key is the same as that of row 2",
    ),
    "a key that is null": (
        SqlSource("warehouse", "SELECT NULL AS id, body FROM reviews"),
        {},
        "row 1 of .* column 'id', which is the key, is null",
    ),
    "parameters of a type that no database knows": (
        SqlSource("warehouse", "SELECT id, body FROM reviews WHERE id = ?", [{1, 2}]),
        {},
        "parameters of src have a value of type set",
    ),
    "parameters that are not given": (
        SqlSource("warehouse", "SELECT id, body FROM reviews WHERE id = ?", []),
        {},
        "'warehouse' failed",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_asked_is_refused_before_anything_is_sent(
    emulator: Emulator,
    client: GenAIBatchClient,
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_FOLDER", "fs:///tmp")
    query, how, said = REFUSED[name]
    with pytest.raises((InputError, ConfigurationError), match=said):
        ask(client, task(), query, results_uri=str(tmp_path / "rows.jsonl"), **how)
    assert not emulator.jobs
    assert not kept(tmp_path)
    with closing(sqlite3.connect(database.path)) as connection:
        assert connection.execute("SELECT count(*) FROM reviews").fetchone() == (6,)  # nothing is committed


def test_rows_that_can_be_kept_nowhere_are_refused(
    emulator: Emulator, client: GenAIBatchClient, database: Database
) -> None:
    with pytest.raises(
        UnsupportedError, match="there is no place for it: give a file or a table as results_uri"
    ):
        ask(client, task())
    assert not emulator.jobs


def test_parameters_are_bound_and_never_text_of_the_statement(
    client: GenAIBatchClient, database: Database, tmp_path: Path
) -> None:
    sly = QUERY.model_copy(update={"parameters": {"least": "0 OR 1=1"}})
    with pytest.raises(InputError, match="holds no rows"):
        ask(client, task(), sly, results_uri=str(tmp_path / "rows.jsonl"))


def test_parameters_may_be_dates_and_bytes(
    emulator: Emulator, client: GenAIBatchClient, database: Database, tmp_path: Path
) -> None:
    sql = "SELECT id, body FROM reviews WHERE picture = :picture AND :day > '2026-01-01'"
    query = SqlSource("warehouse", sql, {"picture": b"\x00\xff", "day": date(2026, 1, 2)})
    for again in (False, True):
        ask(client, task(again=again), query, results_uri=str(tmp_path / "rows.jsonl"))
    assert asked(emulator) == [6]


def test_rows_are_kept_in_bigquery_on_the_gemini_api_where_answers_land_in_a_table(
    vertex: Emulator, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_GENAI_BATCH_DEFAULT", json.dumps(vertex.connection("gemini")))
    name = f"{vertex.bigquery.project}.queries_{uuid4().hex}.answers"
    vertex.bigquery.create_dataset(name.rpartition(".")[0])
    how = {"results_uri": f"bq://{name}", "labels": {"team": "etl"}}
    vertex.script(JobScript(Lifecycle(looks=9)), backend="gemini")
    with client_of_connection() as client:
        with pytest.raises(Died):
            ask(client, task(dies=True), **how)
        database.fill(range(4, 20), "New")
        with pytest.raises(Deferred) as left:
            ask(client, task(again=True), deferrable=True, **how)
        settings = RunSettings(conn_id="any", model=MODEL, source=lambda: QUERY, **USUAL, **how)
        manifest = TaskAttempt(settings, task(again=True), client).complete(ended(client, left.value))
        assert manifest["counts"]["ok"] == 5
        database.fill(range(6, 0, -1))  # as it was, in another order: its job is found
        ask(client, task(first_try=2, again=True), **how)
        assert asked(vertex) == [5]
    found = {row["genai_key"]: row for row in vertex.bigquery.rows(name)}
    assert {key: row["input"]["body"] for key, row in found.items()} == {
        str(number): f"Text {number} {{x}}" for number in range(2, 7)
    }
    with closing(client_of_tables(vertex.bigquery)) as google:
        tables = [google.get_table(one) for one in google.list_tables(name.rpartition(".")[0])]
    snapshots = [one for one in tables if one.table_id.startswith("genai_query_")]
    assert [one.table_id[-2:] for one in snapshots] == ["_1", "_2"]
    assert {one.labels["team"] for one in snapshots} == {"etl"}
    assert all(one.expires for one in snapshots)
