"""What the stand-in for BigQuery keeps of tables and jobs where the server beneath it forgets or lets pass."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from google.api_core.exceptions import (
    BadRequest,
    Conflict,
    Forbidden,
    GoogleAPICallError,
    NotFound,
    ServiceUnavailable,
)
from google.cloud import bigquery as google_bigquery

from airflow_provider_genai_batch.emulator.bigquery.stand_in import BigQuery
from tests.emulator.test_bigquery import PROJECT, client_of, kinds


@pytest.fixture(scope="module")
def server() -> Iterator[BigQuery]:
    with BigQuery() as running:
        running.create_dataset("ds")
        running.create_dataset("berlin", "europe-west10")
        yield running


@pytest.fixture(scope="module")
def google(server: BigQuery) -> Iterator[google_bigquery.Client]:
    with closing(client_of(server)) as client:
        yield client


def run(client: google_bigquery.Client, sql: str, **config: Any) -> google_bigquery.QueryJob:
    job = client.query(sql, job_config=google_bigquery.QueryJobConfig(**config), job_retry=None)
    if not config.get("dry_run"):
        job.result()
    return job


def memory_of(server: BigQuery) -> int:
    """Return the resident bytes of the server's process, which is the only child of its watch."""
    assert server._child is not None
    watch = server._child.pid
    (child,) = Path(f"/proc/{watch}/task/{watch}/children").read_text().split()
    (line,) = re.findall(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{child}/status").read_text())
    return int(line) * 1024


@pytest.mark.parametrize("text", ["CONCAT('a', b)", "'a' || b", "FORMAT('a%s', b)"])
def test_a_statement_that_joins_text_keeps_structs_behind_a_star_and_the_case_of_names(
    google: google_bigquery.Client, text: str
) -> None:
    run(google, "CREATE OR REPLACE TABLE ds.who AS SELECT STRUCT('x' AS firstName) AS whoIs, 'b' AS b")
    run(google, f"CREATE OR REPLACE TABLE ds.joined AS SELECT *, {text} AS someName FROM ds.who")
    assert kinds(google, "ds.joined") == {"whoIs": "RECORD", "b": "STRING", "someName": "STRING"}
    (row,) = google.list_rows(f"{PROJECT}.ds.joined")
    assert dict(row) == {"whoIs": {"firstName": "x"}, "b": "b", "someName": "ab"}


def test_labels_expiry_and_clustering_of_a_table_are_kept(google: google_bigquery.Client) -> None:
    run(
        google,
        "CREATE TABLE ds.kept (a STRING, b STRING) CLUSTER BY b OPTIONS (labels=[('dag', 'd1'), ('tag', 't1')], "
        "expiration_timestamp=TIMESTAMP '2031-01-02 03:04:05+00')",
    )
    table = google.get_table(f"{PROJECT}.ds.kept")
    assert table.labels == {"dag": "d1", "tag": "t1"}
    assert table.clustering_fields == ["b"]
    assert table.expires is not None
    assert table.expires.isoformat() == "2031-01-02T03:04:05+00:00"
    table.expires = table.expires.replace(year=2032)
    assert google.update_table(table, ["expires"]).expires == table.expires
    table.description = "words"
    assert google.update_table(table, ["description"]).expires == table.expires


def test_the_last_change_of_a_table_moves_with_its_rows_only(
    server: BigQuery, google: google_bigquery.Client
) -> None:
    def last_change() -> Any:
        return google.get_table(f"{PROJECT}.ds.changing").modified

    run(google, "CREATE TABLE ds.changing AS SELECT 1 AS n")
    first = last_change()
    run(google, "CREATE TABLE IF NOT EXISTS ds.changing AS SELECT 2 AS n")
    run(google, "SELECT * FROM ds.changing")
    assert last_change() == first
    run(google, "INSERT INTO ds.changing VALUES (3)")
    second = last_change()
    google.insert_rows_json(f"{PROJECT}.ds.changing", [{"n": 4}])
    assert first < second < last_change()
    assert sorted(row["n"] for row in server.rows("ds.changing")) == [1, 3, 4]


def test_a_table_takes_its_own_size_however_many_calls_fill_it(
    server: BigQuery, google: google_bigquery.Client
) -> None:
    size, calls = 400_000, 40
    run(google, "CREATE TABLE ds.filled (text STRING)")
    before = memory_of(server)
    for _ in range(calls):
        google.insert_rows_json(f"{PROJECT}.ds.filled", [{"text": "x" * size}])
    assert memory_of(server) - before < 10 * calls * size
    with pytest.raises(GoogleAPICallError, match="before the retention window"):
        run(google, "SELECT * FROM ds.filled FOR SYSTEM_TIME AS OF CURRENT_TIMESTAMP()")


def test_calls_at_once_get_their_own_rows(server: BigQuery, google: google_bigquery.Client) -> None:
    rows = {}
    for name in ("left", "right", "middle"):
        rows[name] = [{name: f"{number} of {name}" * 20} for number in range(2000)]
        server.create_and_insert(f"ds.{name}", [(name, "STRING")], rows[name])

    def read(name: str) -> bool:
        return [dict(row) for row in google.list_rows(f"{PROJECT}.ds.{name}", page_size=500)] == rows[name]

    with ThreadPoolExecutor(3) as pool:
        assert all(pool.map(read, [*rows] * 2))


def test_a_dry_run_tells_bytes_of_the_columns_that_are_read_and_makes_no_job(
    google: google_bigquery.Client,
) -> None:
    run(google, "CREATE TABLE ds.sized AS SELECT 1 AS id, 'four' AS text UNION ALL SELECT 2, NULL")
    run(google, "CREATE VIEW ds.seen AS SELECT id FROM ds.sized")

    def size(sql: str) -> int | None:
        return run(google, sql, dry_run=True).total_bytes_processed

    assert size("SELECT id FROM ds.sized") == 16
    assert size("SELECT CONCAT('x', text) AS t FROM ds.sized") == 6
    assert size("SELECT * FROM ds.sized") == size("SELECT TO_JSON_STRING(t) AS j FROM ds.sized AS t") == 22
    assert size("SELECT COUNT(*) AS n FROM ds.sized") == 0
    assert size("SELECT * FROM ds.seen") == 16
    assert size("CREATE TABLE ds.copied AS SELECT id FROM ds.sized") == 16
    with pytest.raises(BadRequest, match="nothing_like_it"):
        size("CREATE TABLE ds.copied AS SELECT nothing_like_it FROM ds.sized")
    with pytest.raises(NotFound):
        google.get_table(f"{PROJECT}.ds.copied")
    dry = google_bigquery.QueryJobConfig(dry_run=True)
    google.query("SELECT id FROM ds.sized", job_id="once", job_config=dry, job_retry=None)
    google.query("SELECT id FROM ds.sized", job_id="once", job_retry=None).result()


def test_a_query_that_reads_more_than_its_job_allows_does_nothing(google: google_bigquery.Client) -> None:
    run(google, "CREATE TABLE ds.dear AS SELECT 1 AS id")
    with pytest.raises(Exception, match="Query exceeded limit for bytes billed: 1000"):
        run(google, "CREATE TABLE ds.too_dear AS SELECT id FROM ds.dear", maximum_bytes_billed=1000)
    with pytest.raises(NotFound):
        google.get_table(f"{PROJECT}.ds.too_dear")
    job = run(google, "CREATE TABLE ds.fair AS SELECT id FROM ds.dear", maximum_bytes_billed=10 * 1024**2)
    assert (job.total_bytes_processed, job.total_bytes_billed) == (8, 10 * 1024**2)


def test_a_job_runs_where_its_datasets_are_and_is_found_there_only(
    server: BigQuery, google: google_bigquery.Client
) -> None:
    server.create_and_insert("berlin.t", [("n", "INTEGER")], [{"n": 1}])
    server.create_and_insert("ds.t", [("n", "INTEGER")], [{"n": 1}])
    job = google.query("SELECT * FROM berlin.t", job_id="in-berlin", job_retry=None)
    assert [dict(row) for row in job.result()] == [{"n": 1}]
    assert job.location == "europe-west10"
    assert google.get_job("in-berlin", location="europe-west10").state == "DONE"
    for elsewhere in ("US", None):
        with pytest.raises(NotFound, match="Not found: Job"):
            google.get_job("in-berlin", location=elsewhere)
    for sql, where in (("SELECT * FROM berlin.t, ds.t", None), ("SELECT * FROM berlin.t", "US")):
        with pytest.raises(NotFound, match="was not found in location"):
            google.query(sql, location=where, job_retry=None)
    assert google.get_dataset("berlin").location == "europe-west10"


def test_a_job_id_that_is_none_is_refused(google: google_bigquery.Client) -> None:
    for bad in ("has space", "a" * 1025, "dot.ted"):
        with pytest.raises(BadRequest, match="Invalid job ID"):
            google.query("SELECT 1", job_id=bad, job_retry=None)


def test_calls_end_badly_when_a_test_wants_it(server: BigQuery, google: google_bigquery.Client) -> None:
    server.refuse("jobs.insert", 403, "accessDenied", "no jobs.create", naming="SELECT 41")
    server.refuse("jobs.insert", 503, acted=True)
    with pytest.raises(Forbidden, match=r"no jobs\.create"):
        google.query("SELECT 41", retry=None, job_retry=None)
    with pytest.raises(ServiceUnavailable):
        google.query("SELECT 42", job_id="lost", retry=None, job_retry=None)
    with pytest.raises(Conflict):
        google.query("SELECT 42", job_id="lost", retry=None, job_retry=None)
    server.refuse("datasets.get", 403, times=0)
    assert [fault["call"] for fault in server.heal()] == ["datasets.get"]
    with pytest.raises(ValueError, match="no call of BigQuery's"):
        server.refuse("jobs.inserts", 403)


@pytest.mark.parametrize("parts", ["PARTITION BY day", "CLUSTER BY id", "PARTITION BY day CLUSTER BY id"])
def test_a_table_is_replaced_by_one_with_the_same_parts_alone(
    google: google_bigquery.Client, parts: str
) -> None:
    name, rows = f"ds.parts_{len(parts)}", "AS SELECT 1 AS id, DATE '2026-01-02' AS day"
    run(google, f"CREATE TABLE {name} {parts} {rows}")
    run(google, f"CREATE OR REPLACE TABLE {name} {parts} {rows}")
    with pytest.raises(BadRequest, match="Cannot replace a table with a different partitioning spec"):
        run(google, f"CREATE OR REPLACE TABLE {name} {rows}")
    run(google, f"DROP TABLE {name}")
    run(google, f"CREATE OR REPLACE TABLE {name} {rows}")
    run(google, f"CREATE OR REPLACE TABLE {name} {rows}")
