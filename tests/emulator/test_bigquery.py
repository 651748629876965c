"""The stand-in for BigQuery, by its own calls and by Google's client.

Each mend and each guard has a test here: without it a mistaken pipeline could pass.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from google.api_core.exceptions import BadRequest, Conflict, MethodNotImplemented, NotFound
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery as google_bigquery

from airflow_provider_genai_batch.emulator.bigquery.stand_in import BigQuery, BigQueryError, TableNotFound
from tests.waiting import wait_until_gone

PROJECT = "emulator-project"
REQUEST = {"contents": [{"role": "user", "parts": [{"text": 'say "hi"\nin ünicode'}]}]}

OWNER = """
import time
from airflow_provider_genai_batch.emulator.bigquery.stand_in import BigQuery
server = BigQuery().start()
print(server._child.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[BigQuery]:
    with BigQuery() as running:
        running.create_dataset("ds")
        yield running


@pytest.fixture(scope="module")
def google(server: BigQuery) -> Iterator[google_bigquery.Client]:
    with closing(client_of(server)) as client:
        yield client


def client_of(server: BigQuery) -> google_bigquery.Client:
    return google_bigquery.Client(
        project=PROJECT,
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
        client_options={"api_endpoint": server.url},
    )


def kinds(client: google_bigquery.Client, table: str) -> dict[str, str]:
    return {field.name: field.field_type for field in client.get_table(f"{PROJECT}.{table}").schema}


def test_rows_go_in_and_come_out_with_their_types(server: BigQuery) -> None:
    schema = [
        ("id", "INTEGER"),
        ("text", "STRING"),
        ("request", "JSON"),
        ("score", "FLOAT"),
        ("good", "BOOLEAN"),
    ]
    row = {"id": 1, "text": "héllo", "request": REQUEST, "score": 0.5, "good": True}
    empty = dict.fromkeys(row)
    server.create_and_insert(f"{PROJECT}.ds.typed", schema, [row, empty])
    assert server.columns(f"{PROJECT}.ds.typed") == schema
    assert list(server.rows("ds.typed")) == [row, empty]


def test_every_page_of_a_table_is_read(server: BigQuery) -> None:
    numbers = list(range(4500))
    server.create_and_insert("ds.many", [("n", "INTEGER")], ({"n": number} for number in numbers))
    assert sorted(row["n"] for row in server.rows("ds.many")) == numbers


def test_a_table_that_is_not_there_is_named(server: BigQuery) -> None:
    for table in ("ds.nothing", "no_such_dataset.nothing"):
        assert not server.table_exists(table)
        with pytest.raises(TableNotFound, match="Not found"):
            server.columns(table)
        with pytest.raises(TableNotFound):
            list(server.rows(table))
    assert server.dataset_exists("ds")
    assert not server.dataset_exists("no_such_dataset")


def test_a_table_is_not_created_twice_nor_in_a_dataset_that_is_not_there(server: BigQuery) -> None:
    server.create_and_insert("ds.once", [("n", "INTEGER")], [])
    with pytest.raises(BigQueryError, match="409"):
        server.create_and_insert("ds.once", [("n", "INTEGER")], [])
    with pytest.raises(TableNotFound):
        server.create_and_insert("no_such_dataset.t", [("n", "INTEGER")], [])
    with pytest.raises(BigQueryError, match="409"):
        server.create_dataset("ds")


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({"n": 1, "other": 2}, "no such field"),
        ({"n": "one"}, "Cannot convert"),
        ({"n": 1.5}, "Cannot convert"),
        ({"j": "{}"}, "Missing required field"),
        ({"n": 1, "j": "{not json"}, "Cannot convert"),
        ({"n": 1, "j": {"a": 1}}, "Cannot convert"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_and_nothing_is_inserted(
    google: google_bigquery.Client, row: dict[str, object], complaint: str
) -> None:
    schema = [
        google_bigquery.SchemaField("n", "INTEGER", "REQUIRED"),
        google_bigquery.SchemaField("j", "JSON"),
    ]
    table = google.create_table(google_bigquery.Table(f"{PROJECT}.ds.strict", schema), exists_ok=True)
    (refused,) = google.insert_rows_json(table, [{"n": 1}, row])
    assert refused["index"] == 1
    assert complaint in refused["errors"][0]["message"]
    assert list(google.list_rows(table)) == []


def test_the_number_of_rows_is_true(server: BigQuery, google: google_bigquery.Client) -> None:
    server.create_and_insert("ds.three", [("n", "INTEGER")], [{"n": 1}, {"n": 2}])
    google.query("INSERT INTO ds.three VALUES (3)").result()
    assert google.get_table(f"{PROJECT}.ds.three").num_rows == 3


def test_create_table_as_select_keeps_json(google: google_bigquery.Client) -> None:
    google.query(
        "CREATE TABLE ds.ctas AS SELECT 1 AS id, ['a'] AS tags, "
        "TO_JSON(STRUCT([STRUCT('user' AS role)] AS contents)) AS request, "
        "TO_JSON_STRING(STRUCT(1 AS a)) AS text"
    ).result()
    assert kinds(google, "ds.ctas") == {
        "id": "INTEGER",
        "tags": "STRING",
        "request": "JSON",
        "text": "STRING",
    }
    (row,) = google.list_rows(f"{PROJECT}.ds.ctas")
    assert row["request"] == {"contents": [{"role": "user"}]}
    assert row["text"] == '{"a":1}'


def test_create_table_with_a_json_column_keeps_json(google: google_bigquery.Client) -> None:
    google.query("CREATE TABLE ds.ddl (id INT64, request JSON, many ARRAY<JSON>)").result()
    assert kinds(google, "ds.ddl") == {"id": "INTEGER", "request": "JSON", "many": "JSON"}


def test_json_inside_a_struct_is_json(server: BigQuery, google: google_bigquery.Client) -> None:
    made = {
        "nested": "AS SELECT STRUCT(PARSE_JSON('{\"a\": [1]}') AS j, 1 AS n) AS s, "
        "[STRUCT(PARSE_JSON('\"t\"') AS j)] AS r",
        "nested_ddl": "(s STRUCT<j JSON, n INT64>, r ARRAY<STRUCT<j JSON>>)",
    }
    for table, sql in made.items():
        google.query(f"CREATE TABLE ds.{table} {sql}").result()
    google.query("INSERT INTO ds.nested_ddl SELECT s, r FROM ds.nested").result()
    schema = google.get_table(f"{PROJECT}.ds.nested").schema
    line = b'{"s": {"j": {"a": [1]}, "n": 1}, "r": [{"j": "t"}]}'
    config = google_bigquery.LoadJobConfig(source_format="NEWLINE_DELIMITED_JSON", schema=schema)
    google.load_table_from_file(io.BytesIO(line), f"{PROJECT}.ds.nested_load", job_config=config).result()
    for table in (*made, "nested_load"):
        both = google.get_table(f"{PROJECT}.ds.{table}").schema
        assert [[inner.field_type for inner in one.fields] for one in both] == [["JSON", "INTEGER"], ["JSON"]]
        assert list(server.rows(f"ds.{table}")) == [{"s": {"j": {"a": [1]}, "n": 1}, "r": [{"j": "t"}]}]


def test_an_unknown_table_is_an_error_however_the_query_is_sent(google: google_bigquery.Client) -> None:
    for table in ("ds.nothing", "no_such_dataset.nothing"):
        with pytest.raises(NotFound):
            google.query(f"SELECT * FROM {table}").result()
        with pytest.raises(NotFound):
            google.query_and_wait(f"SELECT * FROM {table}")


def test_an_unknown_table_is_an_error_for_every_call_about_tables(google: google_bigquery.Client) -> None:
    column = google_bigquery.SchemaField("a", "STRING")
    table = google_bigquery.Table(f"{PROJECT}.ds.nothing", [column])
    elsewhere = google_bigquery.Table(f"{PROJECT}.no_such_dataset.nothing", [column])
    for missing in (table, elsewhere):
        with pytest.raises(NotFound):
            google.get_table(missing)
        with pytest.raises(NotFound):
            list(google.list_rows(missing))
        with pytest.raises(NotFound):
            google.insert_rows_json(missing, [{"a": "x"}])
        with pytest.raises(NotFound):
            google.delete_table(missing)
    with pytest.raises(NotFound):
        google.create_table(elsewhere)
    with pytest.raises(NotFound):
        google.copy_table(table, f"{PROJECT}.ds.copy").result()
    with pytest.raises((BadRequest, NotFound)):
        google.query("CREATE TABLE no_such_dataset.t AS SELECT 1 AS x").result()


def test_a_job_id_is_used_once(google: google_bigquery.Client) -> None:
    google.query("CREATE TABLE ds.counted (n INT64)").result()
    sql = "INSERT INTO ds.counted VALUES (1)"
    google.query(sql, job_id="same-id", job_retry=None).result()
    with pytest.raises(Conflict, match="Already Exists: Job"):
        google.query(sql, job_id="same-id", job_retry=None)
    assert google.get_table(f"{PROJECT}.ds.counted").num_rows == 1
    assert len(list(google.query("SELECT * FROM ds.counted").result())) == 1


def test_a_job_id_of_a_load_from_a_file_is_kept_and_used_once(google: google_bigquery.Client) -> None:
    config = google_bigquery.LoadJobConfig(
        source_format="NEWLINE_DELIMITED_JSON",
        schema=[google_bigquery.SchemaField("request", "JSON")],
    )

    def load() -> google_bigquery.LoadJob:
        lines = io.BytesIO(json.dumps({"request": REQUEST}).encode())
        target = f"{PROJECT}.ds.loaded"
        return google.load_table_from_file(lines, target, job_id="load-id", job_config=config, rewind=True)

    job = load()
    job.result()
    assert job.job_id == "load-id"
    with pytest.raises(Conflict):
        load()
    assert [row["request"] for row in google.list_rows(f"{PROJECT}.ds.loaded")] == [REQUEST]


def test_a_load_from_a_file_with_an_unknown_column_is_refused(google: google_bigquery.Client) -> None:
    config = google_bigquery.LoadJobConfig(schema=[google_bigquery.SchemaField("n", "INTEGER")])
    with pytest.raises(BadRequest, match="No such field: other"):
        google.load_table_from_json(
            [{"n": 1, "other": 2}], f"{PROJECT}.ds.dropped", job_config=config
        ).result()
    with pytest.raises(NotFound):
        google.get_table(f"{PROJECT}.ds.dropped")


def test_a_query_job_writes_its_destination_table(google: google_bigquery.Client) -> None:
    target = f"{PROJECT}.ds.destination"
    config = google_bigquery.QueryJobConfig(destination=target)
    rows = google.query("SELECT 1 AS n, PARSE_JSON('{\"a\":1}') AS j", job_config=config).result()
    assert [dict(row) for row in rows] == [{"n": 1, "j": {"a": 1}}]
    assert kinds(google, "ds.destination") == {"n": "INTEGER", "j": "JSON"}
    assert [dict(row) for row in google.list_rows(target)] == [{"n": 1, "j": {"a": 1}}]


def test_write_dispositions_of_a_destination_table_are_kept(google: google_bigquery.Client) -> None:
    def write(number: int, disposition: str | None) -> list[int]:
        config = google_bigquery.QueryJobConfig(destination=f"{PROJECT}.ds.disposed")
        if disposition:
            config.write_disposition = disposition
        google.query(f"SELECT {number} AS n", job_config=config).result()
        return sorted(row["n"] for row in google.query("SELECT * FROM ds.disposed").result())

    assert write(1, None) == [1]
    with pytest.raises(Conflict):
        write(2, None)
    assert write(3, "WRITE_APPEND") == [1, 3]
    assert write(4, "WRITE_TRUNCATE") == [4]


def test_a_destination_table_is_for_select_and_in_a_dataset_that_exists(
    google: google_bigquery.Client,
) -> None:
    config = google_bigquery.QueryJobConfig(destination=f"{PROJECT}.no_such_dataset.t")
    with pytest.raises(NotFound):
        google.query("SELECT 1 AS n", job_config=config).result()
    config = google_bigquery.QueryJobConfig(destination=f"{PROJECT}.ds.never")
    with pytest.raises(BadRequest):
        google.query("CREATE TABLE ds.x (n INT64)", job_config=config).result()


def test_a_breakdown_is_told_at_once_and_not_repeated_for_minutes(google: google_bigquery.Client) -> None:
    column = google_bigquery.SchemaField("day", "DATE")
    google.create_table(google_bigquery.Table(f"{PROJECT}.ds.days", [column]))
    with pytest.raises(MethodNotImplemented, match="broke down"):
        google.insert_rows_json(f"{PROJECT}.ds.days", [{"day": "not a day"}])


def test_tables_outlive_the_server_when_it_has_a_directory(tmp_path: Path) -> None:
    with BigQuery(directory=tmp_path) as first:
        first.create_dataset("kept")
        first.create_and_insert("kept.t", [("request", "JSON")], [{"request": REQUEST}])
        with closing(client_of(first)) as google:
            google.query("SELECT 1", job_id="before", job_retry=None).result()
    with BigQuery(directory=tmp_path) as second:
        assert second.columns("kept.t") == [("request", "JSON")]
        assert list(second.rows("kept.t")) == [{"request": REQUEST}]
        with closing(client_of(second)) as google, pytest.raises(Conflict):
            google.query("SELECT 1", job_id="before", job_retry=None)


def test_the_server_ends_with_its_owner_even_by_sigkill() -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert owner.stdout is not None
    watch = owner.stdout.readline().strip()
    children = Path(f"/proc/{watch}/task/{watch}/children").read_text().split()
    owner.kill()
    owner.wait()
    owner.stdout.close()
    for pid in [watch, *children]:
        wait_until_gone(pid)
