"""Rows of a table in BigQuery, asked about there: one task, a typed table out, no row through the worker."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import date
from decimal import Decimal
from typing import Any, Literal
from uuid import uuid4

import pytest
from pydantic import BaseModel

from airflow_provider_genai_batch.client.storage.queries import Queries
from airflow_provider_genai_batch.emulator import Emulator, JobScript
from airflow_provider_genai_batch.exceptions import GenAIBatchError, InputError, TooManyFailedRows
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.requests.tables.media_parts import with_media
from airflow_provider_genai_batch.task.inputs.bigquery.rows import TableReader
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.task.settings.order import read_order
from tests.dags import Ran, run_dag
from tests.emulator.test_bigquery import client_of
from tests.operators.scenes import MODEL, client


class Person(BaseModel):
    name: str
    age: int | None = None


class Review(BaseModel):
    kind: Literal["praise", "blame"]
    score: float
    tags: list[str]
    people: list[Person]
    day: date
    price: Decimal


GOOD = {
    "kind": "praise",
    "score": 0.5,
    "tags": ["a", "b"],
    "people": [{"name": "Ada", "age": 36}, {"name": "Bob"}],
    "day": "2026-01-02",
    "price": "1.25",
}
TEXTS = {1: 'It is "good"', 2: "bad\nindeed", 3: "größe", 4: "fine"}
KINDS = {
    "id": "INTEGER",
    "text": "STRING",
    "day": "DATE",
    "kind": "STRING",
    "score": "FLOAT",
    "tags": "STRING",
    "people": "RECORD",
    "answer_day": "DATE",
    "price": "NUMERIC",
    "row_status": "STRING",
    "row_error": "STRING",
    "tokens": "RECORD",
    "genai_key": "STRING",
}


LOADED = {"src": ["a"], "prompt": None, "key": None, "dest": None, "results_uri": "bq://p.d.out"}
"""Rows that are not in BigQuery, and land there."""


@pytest.fixture
def texts(vertex: Emulator) -> Iterator[str]:
    """Give a table with the columns id, text and day, ``project.dataset.table``."""
    name = f"{vertex.bigquery.project}.tests.t{uuid4().hex}"
    rows = [{"id": number, "text": text, "day": "2026-01-01"} for number, text in TEXTS.items()]
    vertex.bigquery.create_and_insert(name, [("id", "INTEGER"), ("text", "STRING"), ("day", "DATE")], rows)
    yield name
    assert vertex.bigquery.heal() == []


def ask(table: str, **settings: Any) -> Ran:
    given = {
        "prompt": "Classify: {text}",
        "key": "id",
        "dest": f"bq://{table}_out",
        "output_type": Review,
        "rename": {"day": "answer_day"},
        "poll_interval": 0.05,
        "retry_delay": 0,
        **settings,
    }
    return run_dag(
        lambda: GenAIBatchOperator(task_id="ask", model=MODEL, src=f"bq://{table}", **given)  # type: ignore[arg-type]
    )


def found(vertex: Emulator, table: str) -> dict[int, dict[str, Any]]:
    rows = [*vertex.bigquery.rows(f"{table}_out")]
    assert sorted(row["id"] for row in rows) == sorted({row["id"] for row in rows})
    return {row["id"]: row for row in rows}


def test_a_table_becomes_a_typed_table_in_one_task_that_holds_no_slot(vertex: Emulator, texts: str) -> None:
    bad = {**GOOD, "kind": "else", "score": "0.5"}
    answers = {"k1": GOOD, "k2": GOOD, "k3": bad}
    vertex.script(JobScript(answers=answers, row_errors={"k4": 8}))
    ran = ask(texts, deferrable=True, max_failed_rows=2)
    assert ran.state == "success", ran.errors
    manifest = ran.xcom["ask"]
    counts = {name: number for name, number in manifest["counts"].items() if number}
    assert counts == {"total": 4, "ok": 2, "invalid": 1, "error": 1}
    assert set(manifest["causes"].values()) == {1}
    assert {cause[:42] for cause in manifest["causes"]} == {
        "does not fit output_type in kind score",
        "429 RESOURCE_EXHAUSTED: Resource has been ",
    }
    assert manifest["results_uri"] == f"bq://{texts}_out"
    assert manifest["usage"]["total"] == manifest["usage"]["input"] + manifest["usage"]["output"] > 0
    assert dict(vertex.bigquery.columns(f"{texts}_out")) == KINDS
    rows = found(vertex, texts)
    assert {number: row["row_status"] for number, row in rows.items()} == {
        1: "ok",
        2: "ok",
        3: "invalid",
        4: "error",
    }
    read = {name: rows[1][name] for name in ("kind", "score", "tags", "people", "answer_day")}
    people = [{"name": "Ada", "age": 36}, {"name": "Bob", "age": None}]
    assert read == {
        "kind": "praise",
        "score": 0.5,
        "tags": ["a", "b"],
        "people": people,
        "answer_day": "2026-01-02",
    }
    assert Decimal(rows[1]["price"]) == Decimal("1.25")
    assert [rows[number]["text"] for number in TEXTS] == [*TEXTS.values()]
    assert rows[3]["kind"] is None
    assert json.loads(rows[3]["row_error"].partition(": ")[2]) == bad
    assert rows[1]["tokens"]["total"] > 0
    for row in asked(vertex):
        request = json.loads(row["request"])
        text = TEXTS[int(row["key"][1:])]
        assert request["contents"] == [{"role": "user", "parts": [{"text": f"Classify: {text}"}]}]
        assert [*request["generationConfig"]["responseSchema"]["properties"]] == [*Review.model_fields]


def test_rounds_and_the_next_attempt_ask_rows_without_a_good_answer_alone(
    vertex: Emulator, texts: str
) -> None:
    vertex.script(JobScript(answers={"k1": GOOD, "k2": {}, "k4": GOOD}, row_errors={"k3": 8}))
    vertex.script(JobScript(answers={"k2": GOOD}, row_errors={"k3": 8}))
    vertex.script(JobScript(answers={"k3": GOOD}))
    ran = ask(
        texts, output_type="kind STRING, tags ARRAY<STRING>", rename=None, retry_failed_rows=1, retries=1
    )
    assert ran.state == "success", ran.errors
    (error,) = ran.errors
    assert isinstance(error, TooManyFailedRows)
    assert "1 of 4 rows failed" in str(error)
    assert f"All rows are at bq://{texts}_out" in str(error)
    assert ran.xcom["ask"]["counts"]["ok"] == ran.xcom["ask"]["counts"]["total"] == 4
    assert ran.xcom["ask"]["rounds"] == 3
    assert Counter(keys_asked(vertex)) == {"k1": 1, "k2": 2, "k3": 3, "k4": 1}
    assert {row["row_status"] for row in found(vertex, texts).values()} == {"ok"}


class Died(Exception):
    """The worker is gone."""


QUERIES = {
    "DISTINCT genai_key": "check",
    "genai_asked_": "look",
    "AS alike": "counts",
    "AS answered": "usage",
    "same_as IS NOT": "unpaid",
    "AS traffic": "tiers",
}


def die_behind_each_statement(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let the worker die once behind each kind of statement; returns the kinds so far."""
    died: list[str] = []

    def mortal(act: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Queries, what: Any, *rest: Any) -> Any:
            answer = act(self, what, *rest)
            kind = (
                next(name for mark, name in QUERIES.items() if mark in what)
                if isinstance(what, str)
                else what.job_id.split("_")[1]
            )
            if kind not in died:
                died.append(kind)
                raise Died(kind)
            return answer

        return call

    monkeypatch.setattr(Queries, "run", mortal(Queries.run))
    monkeypatch.setattr(Queries, "ask", mortal(Queries.ask))
    return died


def test_a_worker_that_dies_behind_each_statement_asks_each_row_once(
    vertex: Emulator, texts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, died = statements(vertex), die_behind_each_statement(monkeypatch)
    ran = ask(texts, output_type=None, rename=None, retries=6)
    assert ran.state == "success", ran.errors
    assert died == ["inputs", "check", "requests", "result", "counts", "usage"]
    assert [type(error) for error in ran.errors] == [Died] * 6
    assert len(vertex.jobs) == 1
    assert Counter(keys_asked(vertex)) == dict.fromkeys(["k1", "k2", "k3", "k4"], 1)
    assert all(row["answer"] for row in found(vertex, texts).values())
    assert sorted(found(vertex, texts)) == [*TEXTS]
    assert {number for kind, number in statements(vertex) - before if kind != "result"} == {"0"}


def test_a_statement_whose_answer_is_lost_is_sent_again_by_its_id_and_runs_once(
    vertex: Emulator, texts: str
) -> None:
    before = statements(vertex)
    for kind in ("inputs", "requests", "result"):
        vertex.bigquery.refuse("jobs.insert", 503, naming=f'"jobId": "genai_{kind}_', acted=True)
    ran = ask(texts, output_type=None, rename=None, max_requests_per_job=3)
    assert ran.state == "success", ran.errors
    assert ran.errors == []
    once = {("inputs", "0"): 1, ("requests", "0"): 2, ("result", "0"): 1}
    assert statements(vertex) - before == Counter(once)
    # More rows than a job takes are asked by several, and land in one table.
    assert len(vertex.jobs) == 2
    assert Counter(keys_asked(vertex)) == dict.fromkeys(["k1", "k2", "k3", "k4"], 1)
    assert sorted(found(vertex, texts)) == [*TEXTS]


def test_rows_that_are_the_same_are_not_paid_again_and_others_are(vertex: Emulator, texts: str) -> None:
    with reading(texts, where="t.day = '2026-01-01'") as read:
        first = read()
        insert(vertex, texts, "5, 'another day', DATE '2026-01-02'")
        assert read().content == first.content
        insert(vertex, texts, "6, 'the same day', DATE '2026-01-01'")
        later = read()
        assert (later.content == first.content, later.requests) == (False, 5)
        assert first.table is not None
        same = read(snapshot=first.table.inputs.table)
        assert (same.content, same.requests) == (first.content, 4)


def test_rows_without_a_key_of_their_own_are_told_apart_by_all_they_hold(
    vertex: Emulator, texts: str
) -> None:
    insert(vertex, texts, "1, 'It is \"good\"', DATE '2026-01-01'")
    with reading(texts, key=None) as read:
        assert read().requests == 5
        assert read().content == read().content


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"prompt": "Say {tekst}"},
            "prompt names 'tekst', and bq://.* has no such column; there are id, text, day",
        ),
        (
            {"key": ["id", "nr"], "columns": "nr"},
            "2 things are wrong: .1. key names 'nr'.*; .2. columns names 'nr'",
        ),
        ({"rename": None}, "has 'day' twice, which is one name to BigQuery.*rename, or choose the columns"),
        ({"where": "t.nothing = 1"}, "cannot read the rows of bq://.* where t.nothing = 1"),
        ({"where": "t.id > 9"}, "has no rows where t.id > 9: there is nothing to ask"),
        ({"max_bytes": 10}, r"scans \d+ bytes, and max_bytes=10 allows fewer"),
        (
            {"prompt": "{text}", "where": "t.id > 1 -- all but one"},
            "1 of 3 rows have nothing but blanks in text, and",
        ),
        (
            {"prompt": with_media("See {id}", {"text": "image/png"})},
            "4 of 4 rows have no address gs://bucket/object in text, which the prompt needs for a file",
        ),
        ({"key": "day"}, r"the key \(day\) is not unique: 3 of 4 rows"),
        (
            {"dest": "bq://emulator-project.nowhere.t", "staging": "emulator-project.nor_here"},
            "nor_here of staging does not exist.*; .2. .*nowhere of dest does not exist",
        ),
        ({"src": "nothing"}, "the table bq://.*nothing does not exist"),
        ({"prompt": "{genai_key}"}, "prompt names 'genai_key', and the task gives this name to a column"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_message_before_anything_is_paid(
    vertex: Emulator, texts: str, settings: dict[str, Any], said: str
) -> None:
    if "gs://" in said:
        change(vertex, f"UPDATE `{texts}` SET text = 'gs://bucket/' WHERE id = 3")
    if settings.get("prompt") == "{text}":
        change(vertex, f"UPDATE `{texts}` SET text = ' ' WHERE id = 3")
    with reading(texts, **settings) as read, pytest.raises(InputError, match=f"(?is){said}") as caught:
        read()
    assert "Nothing was sent, and no model is billed." in str(caught.value)
    assert vertex.jobs == []


def test_nulls_where_the_prompt_needs_text_are_refused_with_a_condition_that_works(
    vertex: Emulator, texts: str
) -> None:
    insert(vertex, texts, "5, NULL, DATE '2026-01-01'")
    remedy = "`text` IS NOT NULL"
    with reading(texts) as read, pytest.raises(InputError, match=f'1 of 5 rows.*where="{remedy}"'):
        read()
    with reading(texts, where=remedy) as read:
        assert read().requests == 4


def test_a_column_may_be_named_in_capitals_too(vertex: Emulator, texts: str) -> None:
    with reading(texts, prompt="{text}, {TEXT}") as read:
        assert read().requests == 4


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ("VIEW `{}` AS SELECT 1 AS id", "is a VIEW"),
        ("TABLE `{}` (id INT64, day DATE) PARTITION BY day", "is a table with partitions or clusters"),
        ("TABLE `{}` (id INT64, day DATE) CLUSTER BY id", "is a table with partitions or clusters"),
    ],
)
def test_a_result_that_bigquery_does_not_replace_is_refused_before_anything_is_paid(
    vertex: Emulator, texts: str, made: str, said: str
) -> None:
    change(vertex, f"CREATE {made.format(f'{texts}_out')}")
    with reading(texts) as read, pytest.raises(InputError, match=f"_out, {said}.*name another table"):
        read()


@pytest.mark.parametrize("streamed", [False, True])
def test_the_statement_that_writes_the_result_is_tried_before_anything_is_paid(
    vertex: Emulator, texts: str, streamed: bool
) -> None:
    vertex.bigquery.refuse("jobs.insert", 400, "invalidQuery", "No signature", naming="AS `answer_day`, ")
    settings = {"validate": "python"} if streamed else {}
    with (
        reading(texts, **settings) as read,
        pytest.raises(InputError, match=r"cannot write a table to emulator-project\.tests: No signature"),
    ):
        read()


def test_datasets_in_several_places_are_refused(vertex: Emulator, texts: str) -> None:
    tables = vertex.bigquery
    if not tables.dataset_exists("berlin"):
        tables.create_dataset("berlin", "europe-west10")
    told = "several locations.*tests is in US, .*berlin is in europe-west10"
    with (
        reading(texts, dest=f"bq://{tables.project}.berlin.t") as read,
        pytest.raises(InputError, match=told),
    ):
        read()
    tables.create_and_insert(f"berlin.t{uuid4().hex[:8]}", [("text", "STRING")], [])
    name = f"{tables.project}.berlin.s{uuid4().hex[:8]}"
    tables.create_and_insert(name, [("text", "STRING")], [{"text": "a"}])
    told = "he datasets are in europe-west10 and the connection runs jobs in us-central1"
    with reading(name, key=None) as read, pytest.raises(InputError, match=told):
        read()


@pytest.mark.parametrize(
    ("call", "naming", "role"),
    [
        ("jobs.insert", '"dryRun": true', "BigQuery Job User .* in the project emulator-project"),
        (
            "jobs.insert",
            "CREATE OR REPLACE TABLE",
            "BigQuery Data Editor .* on the dataset emulator-project.tests",
        ),
        ("tables.get", "", "BigQuery Data Viewer .* on bq://"),
        ("datasets.get", "", "BigQuery Data Viewer .* on the dataset emulator-project.tests"),
    ],
)
def test_a_permission_that_is_missing_is_named_with_its_role(
    vertex: Emulator, texts: str, call: str, naming: str, role: str
) -> None:
    vertex.bigquery.refuse(call, 403, "accessDenied", "Access Denied", naming=naming)
    with reading(texts) as read, pytest.raises(InputError, match=f"he connection's account lacks {role}"):
        read()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"dest": None}, "dest names the table that is written"),
        ({"dest": "gs://bucket/x/"}, "not gs://bucket/x/"),
        ({"dest": "bq://p.d.t"}, "the table that is read"),
        ({"results_uri": "rows.jsonl"}, "given twice, as dest=bq://p.d.out and results_uri=rows.jsonl"),
        ({"results_uri": "rows.jsonl", "dest": None}, "give bq://project.dataset.table, not rows.jsonl"),
        ({"results_uri": "bq://p.d.out", "dest": None, "keep": "response"}, "leave keep out"),
        ({"validate": "sql"}, "validate is"),
        ({"media": {"text": "png"}}, "give a dict from columns to types"),
        (
            {"media": {"text": "image/png"}, "prompt": [{"role": "user", "parts": ["{id}"]}]},
            "goes with a prompt that",
        ),
        ({"tier": "standard"}, "or leave tier out, which a task with rows"),
        ({"wait": False}, "leave wait out"),
        ({"rename": {"day": "kind"}}, "'kind' twice"),
        ({"rename": {"dai": "x"}}, "rename has 'dai'"),
        ({"columns": ["ID", "id"]}, "'ID' and 'id', which is one name"),
        ({"columns": ["tokens"]}, "'tokens' twice"),
        ({"key": []}, "key is"),
        ({"where": " "}, "where is"),
        ({"max_bytes": 0}, "max_bytes is 0"),
        ({"staging": "bq://p"}, "does not name a dataset"),
        ({"output_type": list[str]}, "has no fields"),
        ({"output_type": "kind STRINGS"}, "there is no type STRINGS"),
        ({"src": ["a"], "prompt": None}, "key is for rows, and src has requests"),
        ({**LOADED, "output_type": "tokens STRING"}, "'tokens' twice"),
        ({**LOADED, "output_type": "a STRING, A INT64"}, "'a' and 'A', which is one name"),
        ({**LOADED, "output_type": "a STRING", "rename": {"b": "c"}}, "rename has 'b'"),
        ({**LOADED, "src": [{"x": "a"}], "prompt": "{x}", "output_type": "input STRING"}, "'input' twice"),
    ],
)
def test_what_cannot_be_meant_is_refused_when_the_dag_is_parsed(settings: dict[str, Any], said: str) -> None:
    given = {
        "src": "bq://p.d.t",
        "prompt": "{text}",
        "key": "id",
        "dest": "bq://p.d.out",
        "output_type": Review,
        **settings,
    }
    with pytest.raises(GenAIBatchError, match=said):
        GenAIBatchOperator(task_id="ask", model=MODEL, **given)


def keys_asked(vertex: Emulator) -> Iterator[str]:
    """Give the keys in the requests of all jobs."""
    return (row["key"] for row in asked(vertex))


def asked(vertex: Emulator) -> Iterator[dict[str, Any]]:
    """Give the rows of the tables of requests of all jobs."""
    for job in vertex.jobs:
        yield from vertex.bigquery.rows(job["input"]["bigquery"].removeprefix("bq://"))


def statements(vertex: Emulator) -> Counter[tuple[str, str]]:
    """Count the jobs of BigQuery's by kind and number."""
    with closing(client_of(vertex.bigquery)) as google:
        ids = [job.job_id.split("_") for job in google.list_jobs(max_results=1000)]
    return Counter((parts[1], parts[-1]) for parts in ids if parts[0] == "genai")


def insert(vertex: Emulator, table: str, values: str) -> None:
    change(vertex, f"INSERT INTO `{table}` VALUES ({values})")


def change(vertex: Emulator, sql: str) -> None:
    with closing(client_of(vertex.bigquery)) as google:
        google.query(sql).result()


class reading(ExitStack):  # noqa: N801 - reads as a function
    """Looks at the rows of a table as a task does before it submits."""

    def __init__(self, table: str, **settings: Any) -> None:
        super().__init__()
        given = {
            "src": "",
            "prompt": "Classify: {text}",
            "key": "id",
            "dest": f"bq://{table}_out",
            "rename": {"day": "answer_day"},
            "output_type": Review,
            **settings,
        }
        self._settings = {**given, "src": f"bq://{table}{given['src']}"}

    def __enter__(self) -> Any:
        super().__enter__()
        service = self.enter_context(client())

        def read(snapshot: str | None = None) -> PreparedInput:
            order = read_order(service.config, model=MODEL, **self._settings)
            assert order.table is not None
            assert order.prompt is not None
            asked = (order.prompt, order.model, order.request_defaults)
            return TableReader(service, order.table, *asked, uuid4().hex, {}).read(self, snapshot)

        return read
