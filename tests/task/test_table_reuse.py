"""Rows of a table in BigQuery whose answers are there already, or that ask the same as another row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Literal
from uuid import uuid4

import pytest
from pydantic import BaseModel

from airflow_provider_genai_batch.client.storage.queries import Queries
from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle
from airflow_provider_genai_batch.exceptions import GenAIBatchError
from airflow_provider_genai_batch.flows.submission.attempt import Attempt
from airflow_provider_genai_batch.models import Reuse
from airflow_provider_genai_batch.models.jobs.identity import task_key
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.task.port import Owner
from tests.operators.scenes import MODEL, client
from tests.operators.test_table_to_table import Died, change, die_behind_each_statement, insert, keys_asked
from tests.task.plain_task import PlainTask, attempt


class Part(BaseModel):
    name: str
    size: int | None = None


class Label(BaseModel):
    kind: Literal["praise", "blame"]
    certainty: float
    parts: list[Part]


LABEL = {
    "kind": "praise",
    "certainty": 0.5,
    "parts": [{"name": "Ada", "size": 1}, {"name": "Bob", "size": None}],
}
OTHER = {"kind": "blame", "certainty": 1.0, "parts": []}
TEXTS = {1: "good", 2: "bad", 3: "good", 4: "so so"}


@pytest.fixture
def emulator_settings() -> dict[str, Any]:
    """Let jobs end at once."""
    return {"lifecycle": Lifecycle.at_once()}


@pytest.fixture
def texts(vertex: Emulator) -> Iterator[str]:
    """Give a table with the columns id and text, of which two rows have one text."""
    yield from table_of(vertex, TEXTS)


def table_of(vertex: Emulator, texts: Mapping[int, str]) -> Iterator[str]:
    """Give a table with the columns id and text."""
    name = f"{vertex.bigquery.project}.tests.t{uuid4().hex}"
    rows = [{"id": number, "text": text} for number, text in texts.items()]
    vertex.bigquery.create_and_insert(name, [("id", "INTEGER"), ("text", "STRING")], rows)
    yield name
    assert vertex.bigquery.heal() == []


def ask(table: str, *, tries: int = 1, run: str = "", first: bool = True, **settings: Any) -> dict[str, Any]:
    """Run a task, and return its manifest; of its tries all but the last die.

    Args:
        table: that is asked about.
        tries: how many.
        run: the DAG run; empty: one of its own.
        first: the first of these tries is the first of all.
        settings: of the operator.
    """
    given = {
        "model": MODEL,
        "source": lambda: f"bq://{table}",
        "prompt": "Classify: {text}",
        "key": "id",
        "dest": f"bq://{table}_out",
        "reuse": True,
        **settings,
    }
    owner = Owner(task_key("etl", "ask", run or uuid4().hex, -1, None), "etl.ask", {}, None)
    for number in range(tries):
        begins = first and not number
        task = PlainTask(owner=owner, is_first_try=begins)
        with client() as running:
            begun = Attempt(look_first=not begins)
            if number == tries - 1:
                return attempt(task, running, (), **given).run(begun)
            with pytest.raises(Died):
                attempt(task, running, (), **given).run(begun)
    raise AssertionError


def rerun(table: str, **settings: Any) -> dict[str, Any]:
    """Run another try of a task; see `ask`."""
    return ask(table, first=False, **settings)


def found(vertex: Emulator, table: str) -> dict[int, dict[str, Any]]:
    rows = [*vertex.bigquery.rows(f"{table}_out")]
    assert sorted(row["id"] for row in rows) == sorted({row["id"] for row in rows})
    return {row["id"]: row for row in rows}


def answers(rows: dict[int, dict[str, Any]]) -> dict[int, Any]:
    return {number: (row["kind"], row["certainty"], row["parts"]) for number, row in rows.items()}


def counts(manifest: dict[str, Any]) -> dict[str, int]:
    return {name: number for name, number in manifest["counts"].items() if number}


def test_a_night_asks_what_changed_and_equal_requests_once_in_bigquery(vertex: Emulator, texts: str) -> None:
    vertex.script(JobScript(answers={"k1": LABEL, "k2": OTHER, "k4": OTHER}))
    first = ask(texts, dedupe=True, output_type=Label)
    assert Counter(keys_asked(vertex)) == {"k1": 1, "k2": 1, "k4": 1}
    assert counts(first) == {"total": 4, "ok": 4, "same": 1}
    assert (first["plan"]["same"], first["plan"]["requests"]) == (1, 3)
    assert 0 < first["saved"]["usage"]["total"] < first["usage"]["total"]
    before = found(vertex, texts)
    assert {number: row["same_as"] for number, row in before.items()} == {1: None, 2: None, 3: "k1", 4: None}
    assert answers(before)[3] == answers(before)[1] == ("praise", 0.5, LABEL["parts"])
    assert before[3]["asked"] == before[1]["asked"] != before[2]["asked"]
    assert {len(row["asked"]) for row in before.values()} == {64}  # in files they have 32 digits

    insert(vertex, texts, "5, 'new'")
    change(vertex, f"UPDATE `{texts}` SET text = 'other' WHERE id = 2")
    change(vertex, f"DELETE FROM `{texts}` WHERE id = 4")
    vertex.script(JobScript(answers={"k2": LABEL, "k5": OTHER}))
    second = ask(texts, dedupe=True, output_type=Label)
    assert Counter(keys_asked(vertex)) == {"k1": 1, "k2": 2, "k4": 1, "k5": 1}
    assert counts(second) == {"total": 4, "ok": 4, "reused": 2}
    after, here = found(vertex, texts), f"bq://{texts}_out"
    reused = {number: row["reused_from"] for number, row in after.items()}
    assert reused == {1: here, 2: None, 3: here, 5: None}
    assert answers(after) == {
        1: answers(before)[1],
        3: answers(before)[3],
        2: ("praise", 0.5, LABEL["parts"]),
        5: ("blame", 1.0, []),
    }
    assert (after[1]["answered_at"], after[1]["tokens"]) == (before[1]["answered_at"], before[1]["tokens"])

    third = ask(texts, output_type=Label)
    assert sum(Counter(keys_asked(vertex)).values()) == 5
    assert (third["job_names"], third["cost"]["usd"], third["plan"]["requests"]) == ([], 0.0, 0)
    assert third["results_uri"] == here
    assert counts(third) == {"total": 4, "ok": 4, "reused": 4}
    assert answers(found(vertex, texts)) == answers(after)


def test_a_worker_that_dies_behind_each_statement_leaves_out_the_same_rows(
    vertex: Emulator, texts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(texts)
    before = found(vertex, texts)
    change(vertex, f"UPDATE `{texts}` SET text = 'other' WHERE id IN (2, 4)")
    vertex.script(JobScript(row_errors={"k4": 8}))
    died = die_behind_each_statement(monkeypatch)
    manifest = ask(texts, tries=10, retry_failed_rows=1)
    assert died == ["inputs", "check", "asked", "look", "requests", "result", "counts", "usage", "unpaid"]
    # The table that is used again was replaced, with the row that failed, before the attempt that landed all.
    assert Counter(keys_asked(vertex)) == {"k1": 1, "k2": 2, "k3": 1, "k4": 3}
    assert len(vertex.jobs) == 3
    rows = found(vertex, texts)
    assert {number: row["answer"] == before[number]["answer"] for number, row in rows.items()} == {
        1: True,
        2: False,
        3: True,
        4: False,
    }
    assert [number for number, row in sorted(rows.items()) if row["reused_from"]] == [1, 3]
    assert counts(manifest) == {"total": 4, "ok": 4, "reused": 2}


def test_what_was_at_hand_and_is_lost_is_not_paid_twice_while_the_jobs_are_there(
    vertex: Emulator, texts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(texts)
    change(vertex, f"UPDATE `{texts}` SET text = 'other' WHERE id IN (2, 4)")
    run, lost = Queries.run, list[str]()

    def losing(self: Queries, what: Any) -> str:
        if "_asked_" in what.job_id and not lost:
            lost.append(str(what.makes))
        elif "_result_" in what.job_id and len(lost) == 1:
            change(vertex, f"DROP TABLE {lost[0]}")
            change(vertex, f"DROP TABLE `{texts}_out`")
            lost.append("both")
            raise Died
        return run(self, what)

    monkeypatch.setattr(Queries, "run", losing)
    assert counts(ask(texts, tries=2)) == {"total": 4, "ok": 4}
    assert Counter(keys_asked(vertex)) == {"k1": 2, "k2": 2, "k3": 2, "k4": 2}
    assert {row["row_status"] for row in found(vertex, texts).values()} == {"ok"}


def test_earlier_answers_are_judged_by_the_types_of_today_and_may_be_too_old(
    vertex: Emulator, texts: str
) -> None:
    vertex.script(JobScript(answers={"k1": LABEL, "k2": OTHER, "k3": LABEL, "k4": OTHER}))
    old = f"{texts}_old"
    ask(texts, dest=f"bq://{old}", output_type=Label)
    change(vertex, f"UPDATE `{old}` SET kind = 'neither' WHERE id = 1")
    change(vertex, f"UPDATE `{old}` SET certainty = NULL WHERE id = 2")
    change(vertex, f"UPDATE `{old}` SET answered_at = TIMESTAMP '2020-01-01 00:00:00+00' WHERE id = 3")
    vertex.script(JobScript(answers={"k1": OTHER, "k2": LABEL, "k3": OTHER}))
    reuse = Reuse(f"bq://{old}", max_age=timedelta(days=1), missing_ok=False)
    ask(texts, reuse=reuse, output_type=Label)
    assert Counter(keys_asked(vertex)) == {"k1": 2, "k2": 2, "k3": 2, "k4": 1}
    rows = found(vertex, texts)
    assert {number: row["reused_from"] for number, row in rows.items() if row["reused_from"]} == {
        4: f"bq://{old}"
    }
    assert answers(rows) == {
        1: ("blame", 1.0, []),
        2: ("praise", 0.5, LABEL["parts"]),
        3: ("blame", 1.0, []),
        4: ("blame", 1.0, []),
    }


def test_earlier_results_that_cannot_be_used_are_refused_before_anything_is_paid(
    vertex: Emulator, texts: str
) -> None:
    for reuse, said in (
        (f"bq://{texts}", "has no column asked, answered_at, row_status, tokens"),
        (
            Reuse([f"bq://{texts}_a", f"bq://{texts}_b"], missing_ok=False),
            f"Earlier results are not there: bq://{texts}_b, bq://{texts}_a.",
        ),
        (f"bq://{texts}_secret", "lacks BigQuery Data Viewer .roles/bigquery.dataViewer. on bq://"),
    ):
        if "secret" in str(reuse):
            vertex.bigquery.refuse("tables.get", 403, "accessDenied", "Access Denied", naming="_secret")
        with pytest.raises(GenAIBatchError, match=said):
            ask(texts, reuse=reuse)
    assert vertex.jobs == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"reuse": "rows.jsonl"}, "digested there in another way than in files"),
        ({"reuse": "bq://p.d.t_*"}, "not a single table"),
        ({"validate": "python"}, 'leave reuse out, or validate="python"'),
        ({"src": ["a"], "key": None, "prompt": None}, "or the rows of a table in BigQuery"),
        (
            {"src": "rows.csv", "results_uri": "bq://p.d.out", "dest": None},
            "or the rows of a table in BigQuery",
        ),
        ({"columns": ["asked"]}, "'asked' twice"),
    ],
)
def test_what_cannot_be_used_again_is_refused_when_the_dag_is_parsed(
    settings: dict[str, Any], said: str
) -> None:
    given = {
        "src": "bq://p.d.t",
        "prompt": "{text}",
        "key": "id",
        "dest": "bq://p.d.out",
        "reuse": True,
        **settings,
    }
    with pytest.raises(GenAIBatchError, match=said):
        GenAIBatchOperator(task_id="ask", model=MODEL, **given)
