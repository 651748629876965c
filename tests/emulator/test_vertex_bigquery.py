"""Vertex jobs that read and write BigQuery."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator, JobScript
from airflow_provider_genai_batch.emulator.bigquery.stand_in import BigQuery
from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage
from tests.emulator import bodies
from tests.emulator.talk import Vertex, keyed, lines, question

DATASET = "emulator-project.tests"
_NUMBERS = count()
Table = Callable[..., str]


@pytest.fixture
def emulator(cloud_storage: CloudStorage, big_query: BigQuery) -> Iterator[Emulator]:
    with Emulator(storage=cloud_storage, bigquery=big_query) as running:
        yield running


@pytest.fixture
def jobs(emulator: Emulator) -> Iterator[Vertex]:
    with Vertex(emulator.url) as client:
        yield client


@pytest.fixture
def table(big_query: BigQuery) -> Table:
    def make(columns: list[tuple[str, str]], rows: list[dict[str, Any]]) -> str:
        name = f"{DATASET}.given_{next(_NUMBERS)}"
        big_query.create_and_insert(name, columns, rows)
        return name

    return make


def test_columns_are_copied_and_the_results_stand_beside_them(
    jobs: Vertex, emulator: Emulator, table: Table, big_query: BigQuery
):
    rows = [{"id": f"r{number}", "n": number, "request": question(f"q{number}")} for number in range(2)]
    given = table([("id", "STRING"), ("n", "INTEGER"), ("request", "JSON")], rows)
    emulator.script(JobScript(row_errors={"r1": 3}))
    ended = jobs.run(f"bq://{given}", f"bq://{given}_out")
    assert ended["state"] == "JOB_STATE_SUCCEEDED"
    assert ended["outputInfo"] == {
        "bigqueryOutputDataset": f"bq://{DATASET}",
        "bigqueryOutputTable": given.split(".")[2] + "_out",
    }
    names = [name for name, _ in big_query.columns(f"{given}_out")]
    assert names == ["id", "n", "request", "response", "status", "processed_time"]
    found = {row["id"]: row for row in big_query.rows(f"{given}_out")}
    assert found["r0"]["n"] == 0
    assert found["r0"]["request"] == question("q0")
    assert found["r0"]["response"]["candidates"]
    assert found["r0"]["status"] == ""
    assert found["r1"]["status"].startswith("Bad Request: ")
    assert not found["r1"]["response"]


def test_requests_may_be_text_and_bad_ones_fail_as_rows(jobs: Vertex, table: Table, big_query: BigQuery):
    rows = [{"id": "good", "request": json.dumps(question("hi"))}, {"id": "bad", "request": "not json"}]
    given = table([("id", "STRING"), ("request", "STRING")], rows)
    ended = jobs.run(f"bq://{given}", f"bq://{given}_out")
    assert ended["completionStats"] == {"successfulCount": "1", "failedCount": "1"}
    found = {row["id"]: row["status"] for row in big_query.rows(f"{given}_out")}
    assert found["good"] == ""
    assert found["bad"] != ""


@pytest.mark.parametrize("depth", [0, 1])
def test_what_the_destination_leaves_out_is_made(jobs: Vertex, table: Table, big_query: BigQuery, depth: int):
    given = table([("request", "JSON")], [{"request": question("hi")}])
    dest = ["emulator-project", DATASET][depth]
    info = jobs.run(f"bq://{given}", f"bq://{dest}")["outputInfo"]
    made = f"{info['bigqueryOutputDataset'].removeprefix('bq://')}.{info['bigqueryOutputTable']}"
    assert len(list(big_query.rows(made))) == 1
    assert (info["bigqueryOutputDataset"] == f"bq://{DATASET}") is (depth == 1)


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ([("prompt", "STRING")], 3),
        ([("request", "JSON"), ("status", "STRING")], 3),
        ([("request", "JSON"), ("response", "JSON")], 3),
    ],
)
def test_a_table_without_requests_or_with_reserved_columns_fails_late(
    jobs: Vertex, table: Table, columns: list[tuple[str, str]], code: int
):
    given = table(columns, [])
    ended = jobs.run(f"bq://{given}", f"bq://{given}_out")
    assert (ended["state"], ended["error"]["code"]) == ("JOB_STATE_FAILED", code)


def test_wrong_tables_and_datasets_fail_late(jobs: Vertex, table: Table):
    given = table([("request", "JSON")], [{"request": question("hi")}])
    pairs = [
        (f"{DATASET}.never_was", f"{DATASET}.out_never", 3),
        (given, "emulator-project.no_such_dataset.out", 9),
        (given, given, 9),
    ]
    for source, dest, code in pairs:
        ended = jobs.run(f"bq://{source}", f"bq://{dest}")
        assert (ended["state"], ended["error"]["code"]) == ("JOB_STATE_FAILED", code)


def test_an_output_table_is_resumed(jobs: Vertex, emulator: Emulator, table: Table, big_query: BigQuery):
    rows = [{"id": f"r{number}", "request": question(f"q{number}")} for number in range(3)]
    given = table([("id", "STRING"), ("request", "JSON")], rows)
    emulator.script(JobScript(row_errors={"r1": 13}))
    jobs.run(f"bq://{given}", f"bq://{given}_one")
    emulator.script(JobScript(answers={f"r{number}": "again" for number in range(3)}))
    ended = jobs.run(f"bq://{given}_one", f"bq://{given}_two")
    assert ended["completionStats"] == {"successfulCount": "3"}
    texts = {
        row["id"]: row["response"]["candidates"][0]["content"]["parts"][0]["text"]
        for row in big_query.rows(f"{given}_two")
    }
    assert texts == {"r0": "Answer to: q0", "r1": "again", "r2": "Answer to: q2"}


@pytest.mark.parametrize("end", ["CANCELLED", "EXPIRED"])
def test_what_a_job_did_not_come_to_is_in_its_table_to_be_resumed(
    jobs: Vertex, emulator: Emulator, table: Table, big_query: BigQuery, end: str
):
    rows = [{"id": f"r{number}", "request": question(f"q{number}")} for number in range(4)]
    given = table([("id", "STRING"), ("request", "JSON")], rows)
    emulator.script(JobScript(end=end, served=0.5))
    ended = jobs.run(f"bq://{given}", f"bq://{given}_one")
    assert ended["completionStats"] == {"successfulCount": "2", "incompleteCount": "2"}
    left = [row for row in big_query.rows(f"{given}_one") if row["response"] is None]
    assert [(row["status"], row["processed_time"]) for row in left] == [(None, None)] * 2
    assert jobs.run(f"bq://{given}_one", f"bq://{given}_two")["completionStats"] == {"successfulCount": "4"}
    assert all(row["response"] for row in big_query.rows(f"{given}_two"))


def test_counters_may_lag_behind_the_rows(
    jobs: Vertex, emulator: Emulator, table: Table, big_query: BigQuery
):
    given = table([("request", "JSON")], [{"request": question(f"q{number}")} for number in range(4)])
    emulator.script(JobScript(lagging_counters=0.75))
    ended = jobs.run(f"bq://{given}", f"bq://{given}_out")
    assert ended["completionStats"] == {"successfulCount": "1", "incompleteCount": "3"}
    assert all(row["response"] for row in big_query.rows(f"{given}_out"))


def test_objects_go_to_tables_and_tables_to_objects(
    jobs: Vertex,
    table: Table,
    big_query: BigQuery,
    put: Callable[..., str],
    place: str,
    output: Callable[..., list[dict[str, Any]]],
):
    out = f"{DATASET}.mixed_{next(_NUMBERS)}"
    jobs.run(put(keyed(2)), f"bq://{out}")
    assert sorted(row["key"] for row in big_query.rows(out)) == ["row-0", "row-1"]
    given = table([("id", "STRING"), ("request", "JSON")], [{"id": "7", "request": question("hi")}])
    (row,) = output(jobs.run(f"bq://{given}", place))
    assert row["id"] == "7"
    assert row["response"]["candidates"]


@pytest.mark.parametrize("kind", ["JSON", "STRING"])
@pytest.mark.parametrize("family", ["claude", "chat"])
def test_partner_and_open_models_answer_with_json_text_from_any_to_any(
    jobs: Vertex, emulator: Emulator, table: Table, big_query: BigQuery, family: str, kind: str
):
    model, make, body = {
        "claude": (bodies.CLAUDE, bodies.claude, "request"),
        "chat": (bodies.LLAMA, bodies.chat, "body"),
    }[family]
    rows = [make(f"r{number}") for number in range(2)]
    stored = [{**row, body: json.dumps(row[body]) if kind == "STRING" else row[body], "n": 1} for row in rows]
    columns = [(name, kind if name == body else "STRING") for name in rows[0]]
    given = table([*columns, ("n", "INTEGER")], stored)
    uri = f"gs://emulator-staging/{given}/in.jsonl"
    emulator.storage.write(uri, [lines(rows)])
    emulator.script(JobScript(row_errors={"r1": 3}))
    sources = {"table": f"bq://{given}", "file": uri}
    for name, source in sources.items():
        assert jobs.run(source, f"bq://{given}_{name}", model=model)["state"] == "JOB_STATE_SUCCEEDED"
        out = {row["custom_id"]: row for row in big_query.rows(f"{given}_{name}")}
        assert dict(big_query.columns(f"{given}_{name}"))["response"] == "STRING"
        assert json.loads(out["r0"]["response"])["id"].startswith(
            {"claude": "msg_vrtx_", "chat": "chatcmpl-"}[family]
        )
        assert ("status" in out["r0"]) == (family == "claude")
        assert ("n" in out["r0"]) == (family == "chat" and name == "table")
        if name == "table":
            # The script was for the first job alone.
            failed = out["r1"]["status" if family == "claude" else "error"]
            assert "400" in failed
    to_file = jobs.run(f"bq://{given}", f"gs://emulator-staging/{given}/out", model=model)
    assert to_file["outputInfo"]["gcsOutputDirectory"]
    emulator.script(JobScript(response_type="JSON"))
    jobs.run(f"bq://{given}", f"bq://{given}_json", model=model)
    assert isinstance(next(big_query.rows(f"{given}_json"))["response"], dict)


def test_a_table_of_gemini_requests_is_none_for_claude(jobs: Vertex, table: Table):
    given = table(
        [("custom_id", "STRING"), ("request", "JSON")], [{"custom_id": "a", "request": question("q")}]
    )
    ended = jobs.run(f"bq://{given}", f"bq://{given}_out", model=bodies.CLAUDE)
    assert (ended["state"], ended["error"]["code"]) == ("JOB_STATE_FAILED", 3)
    other = table([("id", "STRING"), ("request", "JSON")], [{"id": "a", "request": question("q")}])
    ended = jobs.run(f"bq://{other}", f"bq://{other}_out", model=bodies.LLAMA)
    assert "has no column 'custom_id'" in ended["error"]["message"]
