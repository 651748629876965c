"""Rows of a query, from a database to the requests that are uploaded: what they cost the worker, and what it holds.

``python -m tests.benchmarks.queries [ROWS]`` measures PostgreSQL, by both drivers, and SQLite, each in a process of its
own, with keys stamped and taken from a column.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_genai_batch.client import ClientConfig, GenAIBatchClient
from airflow_provider_genai_batch.models import BatchSource, SqlSource
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.requests.tables.prompt_template import Prompt
from airflow_provider_genai_batch.requests.tables.row_settings import RowSettings
from airflow_provider_genai_batch.task.inputs.queries.rows import KeptRows, fetch_rows
from airflow_provider_genai_batch.task.inputs.queries.snapshot import Snapshot
from airflow_provider_genai_batch.task.inputs.read import read_input
from tests.benchmarks.meter import machine, measured

BODY = "The handle broke on the second day, and nobody answered my letters. " * 3
FORMS = ("sqlite", "psycopg2", "psycopg", "psycopg2 with keys")


def step(form: str, rows: int, folder: Path) -> dict[str, float]:
    """Read, keep and check the rows of one database, as an attempt does."""
    driver, _, keyed = form.partition(" ")
    if driver != "sqlite":
        from airflow.providers.postgres.hooks import postgres

        postgres.USE_PSYCOPG3 = driver == "psycopg"
    from airflow_provider_genai_batch.hooks.queries import open_query

    query = SqlSource("warehouse", "SELECT id, body, score FROM reviews")
    settings, prompt = RowSettings.of("id" if keyed else None, None), Prompt("Good? {body}")

    def read() -> None:
        with (
            GenAIBatchClient(ClientConfig(Backend.GEMINI, api_key="benchmark")) as client,
            ExitStack() as stack,
        ):
            snapshot = Snapshot(client, str(folder / f"{driver}.jsonl"), query, "0" * 64, 1)
            fetched = fetch_rows(open_query, query, settings.named(prompt.columns), stack)
            asks = {"model": "gemini-2.5-flash", "prompt": prompt, "rows": settings, "several_jobs": True}
            kept = KeptRows("rows", fetched.chunks)
            prepared = stack.enter_context(read_input(client, BatchSource(sql=query), kept=kept, **asks))
            snapshot.keep(fetched)
            assert prepared.requests == rows

    figures = measured(read, rows)
    for path in folder.glob("*.rows-*"):
        path.unlink()
    return figures


def main(rows: int, forms: tuple[str, ...] = FORMS) -> dict[str, Any]:
    """Measure and print."""
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name, databases(Path(name), rows) as connections:
        for form in forms:
            variables = {**os.environ, "AIRFLOW_CONN_WAREHOUSE": connections[form.partition(" ")[0]]}
            command = [sys.executable, "-m", "tests.benchmarks.queries", form, str(rows), name]
            done = subprocess.run(command, check=True, capture_output=True, env=variables)
            figures[form] = json.loads(done.stdout.splitlines()[-1])
    lines = [f"{rows:,} rows; {machine()}"]
    for form, found in figures.items():
        cost = f"{found['us_per_row']:6.1f} µs of CPU a row, {found['seconds']:6.1f} s"
        lines.append(f"{form:20} {cost}, memory grew by {found['growth_mb']:6.1f} MB")
    print("\n".join(lines))  # noqa: T201 - it is a command
    return figures


@contextmanager
def databases(folder: Path, rows: int) -> Iterator[dict[str, str]]:
    """Fill a database of each kind; give their connections by driver."""
    from tests.airflow_stack.postgres import PostgreSQL

    path = folder / "reviews.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE reviews (id INTEGER, body TEXT, score REAL)")
        connection.executemany(
            "INSERT INTO reviews VALUES (?, ?, ?)", ((n, f"{n}: {BODY}", n / 2) for n in range(rows))
        )
    with PostgreSQL() as server:
        import psycopg2

        place = urlsplit(server.url)
        with closing(psycopg2.connect(host=place.hostname, port=place.port, user="postgres")) as connection:
            connection.cursor().execute(
                "CREATE TABLE reviews AS SELECT n AS id, n::text || ': ' || %s AS body, n / 2.0 AS score "
                "FROM generate_series(1, %s) AS n",
                (BODY, rows),
            )
            connection.commit()
        given = {"host": place.hostname, "port": place.port, "login": "postgres", "schema": "postgres"}
        postgres = json.dumps({"conn_type": "postgres", **given})
        yield {
            "sqlite": json.dumps({"conn_type": "sqlite", "host": str(path)}),
            **dict.fromkeys(("psycopg2", "psycopg"), postgres),
        }


if __name__ == "__main__":
    match sys.argv[1:]:
        case [one, number, where]:
            print(json.dumps(step(one, int(number), Path(where))))  # noqa: T201 - it is read
        case [number]:
            main(int(number))
        case _:
            main(1_000_000)
