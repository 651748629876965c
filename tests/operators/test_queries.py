"""A query as `src` of the operator: rendered, read, asked, and landed with its columns, through every door."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pydantic import BaseModel

from airflow_provider_genai_batch.decorators.genai_batch import genai_batch_task
from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.exceptions import GenAIBatchError
from airflow_provider_genai_batch.models import SqlSource
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.task.files.files import read_chunks
from tests.dags import run_dag
from tests.operators.scenes import MODEL, client

SQL = "SELECT id, body FROM {{ params.table }} WHERE day = :day ORDER BY id"
QUERY = SqlSource("{{ params.database }}", SQL, {"day": "{{ params.day }}"}, chunk=2)
PARAMS = {"table": "reviews", "database": "warehouse", "day": "2026-01-02' OR '1'='1"}


class Verdict(BaseModel):
    """What an answer is to be."""

    good: bool


ASK: dict[str, Any] = {
    "task_id": "ask",
    "model": MODEL,
    "prompt": "Good? {body}",
    "poll_interval": 0.05,
    "output_type": Verdict,
}


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the connection ``warehouse`` lead to five reviews, three of them of a day with a sly name."""
    path = tmp_path / "warehouse.db"
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sqlite", "host": str(path)}))
    days = [PARAMS["day"] if number < 3 else "2026-01-02" for number in range(5)]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE reviews (id INTEGER, body TEXT, day TEXT)")
        connection.executemany("INSERT INTO reviews VALUES (?, 'Text {{ ds }}', ?)", enumerate(days))
    return path


@pytest.mark.parametrize("backend", ["gemini", "vertex"])
def test_a_query_is_rendered_and_its_rows_land_with_the_answers(
    request: pytest.FixtureRequest, tmp_path: Path, backend: str
) -> None:
    service: Emulator = request.getfixturevalue(backend)
    folder = f"gs://emulator-staging/{uuid4().hex}" if backend == "vertex" else str(tmp_path)
    out, place = f"{folder}/rows.jsonl", {"dest": f"{folder}/"} if backend == "vertex" else {}
    ran = run_dag(
        lambda: GenAIBatchOperator(src=QUERY, results_uri=out, deferrable=bool(place), **place, **ASK),
        params=PARAMS,
    )
    assert ran.state == "success", ran.errors
    with client() as reader:
        lines = b"".join(read_chunks(out, reader)).splitlines()
    rows = sorted(map(json.loads, lines), key=lambda row: row["index"])
    # A deferred task reads the rows again where they are kept, which tells their columns.
    assert [row["input"] for row in rows] == [{"id": n, "body": "Text {{ ds }}"} for n in range(3)]
    assert {type(row["output"]["good"]) for row in rows} == {bool}
    assert len(service.jobs) == 1


def test_a_function_may_return_a_query(gemini: Emulator, tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"

    def fill() -> None:
        @genai_batch_task(results_uri=str(out), deferrable=True, key="id", **ASK)
        def reviews() -> SqlSource:
            return SqlSource("warehouse", "SELECT id, body FROM reviews")

        reviews()

    ran = run_dag(fill)
    assert ran.state == "success", ran.errors
    assert sorted(json.loads(line)["key"] for line in out.read_text().splitlines()) == list("01234")


@pytest.mark.parametrize(
    ("src", "how", "said"),
    [
        (SqlSource("warehouse", "reviews.sql"), {}, "the name of a file, reviews.sql: give the text"),
        (SqlSource("warehouse", " "), {}, "the sql of src is empty"),
        (SqlSource("", "SELECT 1"), {}, "empty conn_id"),
        (SqlSource("warehouse", "SELECT 1", chunk=0), {}, "the chunk of src is 0"),
        (
            SqlSource("warehouse", "SELECT 1"),
            {"prompt": None},
            "a query gives rows, not requests: give prompt",
        ),
        (
            SqlSource("warehouse", "SELECT 1"),
            {"where": "id > 1"},
            "where is for the rows of a table in BigQuery",
        ),
        (SqlSource("warehouse", "SELECT 1"), {"key": []}, "give the name of a column, or a list of names"),
    ],
)
def test_a_query_that_cannot_be_meant_is_refused_when_the_dag_is_parsed(
    src: SqlSource, how: dict[str, Any], said: str
) -> None:
    with pytest.raises(GenAIBatchError, match=said):
        GenAIBatchOperator(src=src, results_uri="/tmp/rows.jsonl", **{**ASK, **how})
