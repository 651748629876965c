"""Rows of a real PostgreSQL, by both of its drivers: where they wait, and what their types become."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from urllib.parse import urlsplit

import psycopg2
import pytest

from airflow_provider_genai_batch.exceptions import InputError, RequestError
from airflow_provider_genai_batch.hooks.queries import open_query
from airflow_provider_genai_batch.models import SqlSource
from airflow_provider_genai_batch.task.inputs.queries.rows import fetch_rows
from tests.airflow_stack.postgres import PostgreSQL

TYPES = """
    SELECT 12345678901234567890.10::numeric AS price, 9007199254740993 AS large, 1.5::float8 AS share,
        'NaN'::float8 AS nothing, DATE '2026-01-02' AS day, TIMESTAMP '2026-01-02 03:04:05.6' AS moment,
        TIMESTAMPTZ '2026-01-02 03:04:05+00' AS instant, TIME '03:04' AS clock, INTERVAL '1 day 2 s' AS span,
        '\\x00ff'::bytea AS picture, true AS good, NULL AS missing, '{"a": [1, null]}'::jsonb AS doc,
        ARRAY['x', NULL, 'ÿ'] AS tags, ARRAY[[1, 2], [3, 4]] AS grid,
        '00000000-0000-0000-0000-000000000001'::uuid AS id, %(word)s AS word,
        (SELECT count(*) FROM pg_cursors WHERE name LIKE 'genai_batch%%') AS cursors
"""
WRITTEN = {
    "price": "12345678901234567890.10",
    "large": 9007199254740993,
    "share": 1.5,
    "nothing": None,
    "day": "2026-01-02",
    "moment": "2026-01-02T03:04:05.600000",
    "instant": "2026-01-02T03:04:05+00:00",
    "clock": "03:04:00",
    "span": 86402.0,
    "picture": "AP8=",
    "good": True,
    "missing": None,
    "doc": {"a": [1, None]},
    "tags": ["x", None, "ÿ"],
    "grid": [[1, 2], [3, 4]],
    "id": "00000000-0000-0000-0000-000000000001",
    "word": "it's '; DROP TABLE x; --",
    "cursors": 1,
}


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    with PostgreSQL() as running:
        yield running


@pytest.fixture(params=["psycopg2", "psycopg"])
def driver(request: pytest.FixtureRequest, server: PostgreSQL, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let the connection ``warehouse`` lead to the server, by one of the drivers that Airflow's hook takes."""
    from airflow.providers.postgres.hooks import postgres

    monkeypatch.setattr(postgres, "USE_PSYCOPG3", request.param == "psycopg")
    place = urlsplit(server.url)
    extra = {"options": "-c timezone=UTC"}
    given = {
        "host": place.hostname,
        "port": place.port,
        "login": "postgres",
        "schema": "postgres",
        "extra": extra,
    }
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "postgres", **given}))
    return str(request.param)


def fetched(query: SqlSource) -> list[dict[str, object]]:
    with ExitStack() as stack:
        rows = fetch_rows(open_query, query, {}, stack)
        return [json.loads(line) for line in b"".join(rows.chunks()).splitlines()]


def test_every_type_has_its_word_in_json_and_rows_wait_at_the_server(driver: str) -> None:
    assert fetched(SqlSource("warehouse", TYPES, {"word": WRITTEN["word"]})) == [WRITTEN]


def test_a_type_that_json_has_no_word_for_is_refused_with_its_row(driver: str) -> None:
    said = "row 1 of the query of connection 'warehouse': column 'odd' has a value of type .*Range.* Cast it to text"
    with pytest.raises(RequestError, match=said):
        fetched(SqlSource("warehouse", "SELECT 1 AS id, int4range(1, 2) AS odd"))


def test_rows_come_in_chunks_and_all_of_them(driver: str) -> None:
    rows = fetched(SqlSource("warehouse", "SELECT n FROM generate_series(1, 1001) AS n", chunk=100))
    assert [row["n"] for row in rows] == [*range(1, 1002)]


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT body FROM nowhere", 'relation "nowhere" does not exist'),
        ("SELECT 1 / (3 - n) FROM generate_series(1, 5) AS n", "division by zero"),
        ("CREATE TABLE stays (n int)", "syntax error at or near"),
    ],
)
def test_what_the_server_refuses_is_said_in_its_words_and_nothing_stays(
    server: PostgreSQL, driver: str, sql: str, said: str
) -> None:
    with pytest.raises(InputError, match=rf"the query of connection 'warehouse' failed .*{said}"):
        fetched(SqlSource("warehouse", sql, chunk=2))
    place = urlsplit(server.url)
    with closing(psycopg2.connect(host=place.hostname, port=place.port, user="postgres")) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT count(*) FROM pg_tables WHERE tablename = 'stays'")
        assert cursor.fetchone() == (0,)
