"""Rows that pass the worker on their way into a typed table, from BigQuery and from elsewhere."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pydantic import BaseModel, field_validator

from airflow_provider_genai_batch.checks import length
from airflow_provider_genai_batch.client import ClientConfig, GenAIBatchClient
from airflow_provider_genai_batch.client.storage.queries import Queries, Running
from airflow_provider_genai_batch.client.storage.table_jobs import Statement
from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle
from airflow_provider_genai_batch.exceptions import ConfigurationError, CostLimitExceeded
from airflow_provider_genai_batch.hooks import task_state
from airflow_provider_genai_batch.models import Pilot
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator, GenAIBatchResultsOperator
from airflow_provider_genai_batch.requests.tables.prompt_template import Prompt
from airflow_provider_genai_batch.requests.token_estimate import TokenEstimate
from airflow_provider_genai_batch.task.cost.limit import cost_limit
from airflow_provider_genai_batch.task.cost.plan import make_plan
from airflow_provider_genai_batch.task.inputs.bigquery.rows import TableReader
from airflow_provider_genai_batch.task.settings.order import read_order
from airflow_provider_genai_batch.task.settings.settings import RunSettings
from airflow_provider_genai_batch.wire.tables.load import conform
from airflow_provider_genai_batch.wire.tables.statements import Slot
from airflow_provider_genai_batch.wire.tables.types import NUMERIC, Column
from tests.dags import Ran, run_dag
from tests.operators.scenes import MODEL, client
from tests.operators.test_one_job import killed_at_the_first_pause
from tests.operators.test_table_to_table import (
    GOOD,
    KINDS,
    TEXTS,
    Died,
    Review,
    ask,
    found,
    statements,
    texts,
)
from tests.pauses import at_pauses

__all__ = ["texts"]


@pytest.fixture
def both(vertex: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Let the connection lead to the Gemini API, whose tables are in the same BigQuery."""
    monkeypatch.setenv("AIRFLOW_CONN_GENAI_BATCH_DEFAULT", json.dumps(vertex.connection("gemini")))
    return vertex


def on_gemini(table: str, **settings: Any) -> Ran:
    return ask(table, dest=None, results_uri=f"bq://{table}_out", **settings)


def test_the_gemini_api_fills_the_same_table_as_vertex_ai(both: Emulator, texts: str) -> None:
    both.script(
        JobScript(answers={"k1": GOOD, "k2": GOOD, "k3": {**GOOD, "kind": "else"}}, row_errors={"k4": 8})
    )
    both.script(JobScript(answers={"k3": GOOD}, row_errors={"k4": 8}))
    before = statements(both)
    both.bigquery.refuse("jobs.insert", 503, naming="genai_load_", acted=True)
    ran = on_gemini(texts, deferrable=True, max_failed_rows=1, retry_failed_rows=1)
    assert ran.state == "success", ran.errors
    manifest = ran.xcom["ask"]
    counts = {name: number for name, number in manifest["counts"].items() if number}
    assert counts == {"total": 4, "ok": 3, "error": 1}
    assert manifest["results_uri"] == f"bq://{texts}_out"
    assert dict(both.bigquery.columns(f"{texts}_out")) == KINDS
    rows = found(both, texts)
    assert {number: row["row_status"] for number, row in rows.items()} == {
        1: "ok",
        2: "ok",
        3: "ok",
        4: "error",
    }
    assert rows[4]["row_error"].startswith("8 RESOURCE_EXHAUSTED: ")
    assert [rows[number]["text"] for number in TEXTS] == [*TEXTS.values()]
    people = [{"name": "Ada", "age": 36}, {"name": "Bob", "age": None}]
    wanted = {
        "kind": "praise",
        "score": 0.5,
        "tags": ["a", "b"],
        "people": people,
        "answer_day": "2026-01-02",
    }
    assert {name: rows[1][name] for name in wanted} == wanted
    assert Decimal(rows[1]["price"]) == Decimal("1.25")
    assert rows[1]["tokens"]["total"] > 0
    assert len(both.jobs) == 2
    kinds = {kind for kind, _ in statements(both) - before}
    assert kinds == {"inputs", "load", "result"}
    did = manifest["bigquery"]
    assert did["inputs"].startswith("bq://emulator-project.tests.genai_inputs_")
    assert {name.split("_")[1] for name in did["jobs"] if name.startswith("genai_")} == kinds
    assert did["bytes_billed"] > 0


@pytest.mark.usefixtures("virtual_clock")
def test_what_a_fallback_answers_stands_in_the_table_beside_the_rows_of_the_first_model(
    both: Emulator, texts: str, tmp_path: Path
) -> None:
    both.script(JobScript(answers={"k1": GOOD, "k2": GOOD}))
    both.script(JobScript(lifecycle=Lifecycle.stuck()))
    both.script(JobScript(answers={"k3": GOOD, "k4": GOOD}))
    source = tmp_path / "in.jsonl"
    source.write_text(
        "".join(json.dumps({"id": number, "text": text}) + "\n" for number, text in TEXTS.items())
    )
    ran = run_dag(
        lambda: GenAIBatchOperator(
            task_id="ask",
            model=MODEL,
            src=str(source),
            prompt="Classify: {text}",
            key="id",
            output_type=Review,
            rename={"day": "answer_day"},
            results_uri=f"bq://{texts}_out",
            max_requests_per_job=2,
            poll_interval=60,
            pending_timeout=600,
            fallbacks=[{"model": f"{MODEL}-lite"}],
        )
    )
    assert ran.state == "success", ran.errors
    rows = [*both.bigquery.rows(f"{texts}_out")]
    assert sorted((row["input"]["id"], row["row_status"]) for row in rows) == [
        (n, "ok") for n in sorted(TEXTS)
    ]
    assert [one["ok"] for one in ran.xcom["ask"]["answered_by"]] == [2, 2]
    assert len(both.jobs) == 3


@pytest.mark.parametrize(("state", "became"), [("failed", "DONE"), ("running", "RUNNING")])
def test_a_task_that_is_killed_cancels_the_statement_that_it_waits_for(
    vertex: Emulator, texts: str, monkeypatch: pytest.MonkeyPatch, state: str, became: str
) -> None:
    monkeypatch.setattr(task_state, "state_of", lambda _: state)
    vertex.bigquery.hold('"jobId": "genai_inputs_')
    with killed_at_the_first_pause(monkeypatch):
        ask(texts, output_type=None, rename=None)
    assert [*vertex.bigquery.held().values()] == [became]


def test_only_the_statement_that_was_meant_is_cancelled(vertex: Emulator) -> None:
    name = f"genai_probe_{uuid4().hex}"
    with client() as service, client() as other:
        vertex.bigquery.hold(name)
        with at_pauses(stop), pytest.raises(KeyboardInterrupt):
            service.queries.run(Statement("SELECT 1", name, "US", {"dag": "one"}))
        begun = service.statement
        assert begun == Running(f"{name}_0", "US", {"dag": "one"})
        assert not other.queries.cancel(replace(begun, labels={"dag": "two"}))
        assert not other.queries.cancel(replace(begun, job_id=f"{name}_1"))
        assert other.queries.cancel(begun)
        assert not other.queries.cancel(begun)
        assert vertex.bigquery.held() == {f"{name}_0": "DONE"}


def stop(_: float) -> None:
    raise KeyboardInterrupt


def test_lineage_tells_which_columns_of_the_table_are_made_of_which() -> None:
    task = GenAIBatchOperator(
        task_id="ask",
        model=MODEL,
        src="bq://p.d.texts",
        prompt="{title}: {text}",
        key="id",
        columns=["id"],
        output_type=Review,
        rename={"day": "answer_day"},
        results_uri="bq://p.d.out",
    )
    told = task.lineage()
    (source,), (result,) = told.inputs, told.outputs
    assert (source.name, result.name) == ("p.d.texts", "p.d.out")
    columns = {one.name: one.type for one in result.facets["schema"].fields}
    assert columns["answer_day"] == "DATE"
    assert columns["tags"] == "ARRAY<STRING>"
    assert [*columns][-4:] == ["row_status", "row_error", "tokens", "genai_key"]
    made = result.facets["columnLineage"].fields
    assert [one.field for one in made["kind"].inputFields] == ["title", "text"]
    assert [(one.name, one.field) for one in made["id"].inputFields] == [("p.d.texts", "id")]


def test_a_worker_that_dies_behind_each_step_asks_each_row_once(
    both: Emulator, texts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    both.script(JobScript(answers=dict.fromkeys(("k1", "k2", "k3", "k4"), GOOD)))
    died: list[str] = []

    def mortal(name: str) -> None:
        act = getattr(Queries, name)

        def call(self: Queries, what: Any, *rest: Any) -> Any:
            answer = act(self, what, *rest)
            step = what.job_id.split("_")[1] if name == "run" else name
            if step not in died:
                died.append(step)
                if name == "stream":
                    next(answer)
                raise Died(step)
            return answer

        monkeypatch.setattr(Queries, name, call)

    for name in ("run", "ask", "stream", "keep_for"):
        mortal(name)
    ran = on_gemini(texts, retries=6)
    assert ran.state == "success", ran.errors
    assert died == ["inputs", "ask", "stream", "load", "keep_for", "result"]
    assert [type(error) for error in ran.errors] == [Died] * 6
    assert len(both.jobs) == 1
    assert {number: row["row_status"] for number, row in found(both, texts).items()} == dict.fromkeys(
        TEXTS, "ok"
    )


class Strict(BaseModel):
    mark: int

    @field_validator("mark")
    @classmethod
    def even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("odd")
        return value


def test_python_checks_the_rows_of_a_table_on_vertex_ai_where_that_is_wanted(
    vertex: Emulator, texts: str
) -> None:
    marks = {"k1": {"mark": 2}, "k2": {"mark": 3}, "k3": {"mark": 2**70}, "k4": {"mark": 4}}
    for _ in ("pilot", "rest"):
        vertex.script(JobScript(answers=marks))
    ran = ask(
        texts,
        output_type=Strict,
        rename=None,
        validate="python",
        max_failed_rows=2,
        pilot=Pilot(2, tier="batch"),
    )
    assert ran.state == "success", ran.errors
    rows = found(vertex, texts)
    assert {number: (row["mark"], row["row_status"]) for number, row in rows.items()} == {
        1: (2, "ok"),
        2: (None, "invalid"),
        3: (None, "invalid"),
        4: (4, "ok"),
    }
    assert "odd" in rows[2]["row_error"]
    assert rows[3]["row_error"].startswith("does not fit output_type in mark: ")
    assert ran.xcom["ask"]["counts"]["invalid"] == 2


def test_columns_that_clash_are_refused_before_anything_is_paid(vertex: Emulator, texts: str) -> None:
    ran = run_dag(
        lambda: GenAIBatchOperator(
            task_id="rows",
            model=MODEL,
            src=["a"],
            output_type="row_status STRING",
            results_uri=f"bq://{texts}_{{{{ ds_nodash }}}}",
        )
    )
    (error,) = ran.errors
    assert "'row_status' twice" in str(error)
    assert vertex.jobs == []


@pytest.mark.parametrize("service", ["gemini", "vertex"])
def test_rows_of_every_source_land_in_a_typed_table(
    service: str, vertex: Emulator, texts: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_GENAI_BATCH_DEFAULT", json.dumps(vertex.connection(service)))
    table = tmp_path / "in.csv"
    table.write_text("id,text\n1,good\n2,bad\n")
    vertex.script(JobScript(answers={0: GOOD, 1: {}}))

    def fill() -> None:
        GenAIBatchOperator(
            task_id="rows",
            model=MODEL,
            src=str(table),
            prompt="Classify: {text}",
            output_type=Review,
            results_uri=f"bq://{texts}_rows",
            max_failed_rows=1,
            poll_interval=0.05,
        )

    ran = run_dag(fill)
    assert ran.state == "success", ran.errors
    (good,) = [row for row in vertex.bigquery.rows(f"{texts}_rows") if row["row_status"] == "ok"]
    (bad,) = [row for row in vertex.bigquery.rows(f"{texts}_rows") if row["row_status"] == "invalid"]
    assert (good["input"]["text"], good["kind"], good["tags"]) == ("good", "praise", ["a", "b"])
    assert (bad["input"]["text"], bad["kind"], bad["tags"]) == ("bad", None, [])
    assert bad["row_error"].endswith(": {}")


@pytest.mark.parametrize(
    ("value", "kind", "loaded"),
    [
        (2**53, Column("x", "INT64"), str(2**53)),
        (-7, Column("x", "INT64"), -7),
        (2**63, Column("x", "INT64"), None),
        (True, Column("x", "INT64"), None),
        ("1.23456789049", Column("x", NUMERIC), "1.23456789"),
        ("1.250", Column("x", NUMERIC), "1.25"),
        (100, Column("x", NUMERIC), "100"),
        ("1e29", Column("x", NUMERIC), None),
        (1.5, Column("x", "FLOAT64"), 1.5),
        (None, Column("x", "FLOAT64"), None),
        ([1, None], Column("x", "INT64", repeated=True), None),
        ([1], Column("x", "INT64", repeated=True), [1]),
        ("10:00:00.5", Column("x", "TIME"), "10:00:00.5"),
        ("10:00:00Z", Column("x", "TIME"), None),
        ("10:00:00-05:00", Column("x", "TIME"), None),
        ({"a": [1]}, Column("x", "JSON"), {"a": [1]}),
        ({"y": "a"}, Column("x", "STRUCT", fields=(Column("y", "STRING"),)), {"y": "a"}),
        ({"y": "02.01.2026"}, Column("x", "STRUCT", fields=(Column("y", "DATE"),)), None),
        ("2026-01-02", Column("x", "DATE"), "2026-01-02"),
        ("2026-01-02T03:04:05.5+05:30", Column("x", "TIMESTAMP"), "2026-01-02T03:04:05.5+05:30"),
        ("2026-01-02T03:04:05Z", Column("x", "TIMESTAMP"), "2026-01-02T03:04:05Z"),
        ("yesterday", Column("x", "TIMESTAMP"), None),
        ({"y": 1}, Column("x", "STRUCT", fields=(Column("y", "STRING"),)), None),
    ],
)
def test_values_are_loaded_as_their_columns_take_them(value: Any, kind: Column, loaded: Any) -> None:
    if loaded is None:
        with pytest.raises(ValueError, match="does not fit output_type in x"):
            conform([kind], {"x": value})
    else:
        assert conform([kind], {"x": value}) == {"x": loaded}
    assert conform([replace(kind, required=False)], {}) == {"x": [] if kind.repeated else None}


def test_what_bigquery_cannot_check_python_checks_over_rows_that_pass_the_worker() -> None:
    asked = RunSettings(
        conn_id="c",
        model=MODEL,
        source=lambda: "bq://p.d.t",
        prompt="{text}",
        results_uri="bq://p.d.out",
        output_type="kind STRING",
        checks=[length(between=(0, 9))],
    )
    with pytest.raises(ConfigurationError, match='or let the rows pass the worker by validate="python"'):
        asked.order(ClientConfig(Backend.VERTEX, project="p"))
    table = asked.order(ClientConfig(Backend.GEMINI, api_key="k")).table
    assert table is not None
    assert table.streamed


def test_bigquery_counts_what_the_requests_say(vertex: Emulator, texts: str) -> None:
    with ExitStack() as stack:
        service = stack.enter_context(client())
        given = {"prompt": ["{text}, of {day}"], "results_uri": f"bq://{texts}_out", "src": f"bq://{texts}"}
        order = read_order(
            service.config, model=MODEL, output_type="kind STRING", key="id", columns="id", **given
        )
        assert order.table is not None
        assert order.prompt is not None
        read = TableReader(service, order.table, order.prompt, order.model, order.request_defaults, "k", {})
        prepared = read.read(stack)
        assert prepared.table is not None
        lines = [{"request": json.loads(request)} for _, request in prepared.table.lines(service)]
        assert prepared.tokens == TokenEstimate().add(lines)
        plan = make_plan(service, order, prepared, max_requests=3)
        assert plan is not None
        assert (plan.requests, plan.jobs, plan.looked_at) == (4, 2, 4)
        limit = cost_limit(1e-6, order)
        assert limit is not None
        with pytest.raises(CostLimitExceeded, match="4 requests"):
            limit.check(prepared, 0)
        rest = prepared.going_on(["bq://p.d.t"], 0.5)
        assert rest.tokens is not None
        assert (rest.requests, rest.tokens.requests) == (None, 2)


def test_a_column_of_files_becomes_a_part_of_each_prompt() -> None:
    asked = GenAIBatchOperator(
        task_id="ask",
        model=MODEL,
        src=[{"photo": "gs://b/1.png"}],
        prompt="See",
        media={"photo": "image/png"},
    )
    request, shown = Prompt(asked.prompt).pieces(MODEL)[:2]
    assert isinstance(request, str)
    assert request.endswith('{"text":"See"},{"fileData":{"fileUri":')
    assert shown == Slot(("", ""), ("photo",), is_file=True)


def test_bigquery_needs_a_project_that_pays() -> None:
    with (
        GenAIBatchClient(ClientConfig(Backend.GEMINI, api_key="k")) as client,
        pytest.raises(ConfigurationError, match='set "project" in the connection\'s extra'),
    ):
        _ = client.queries


@pytest.mark.parametrize("prompt", [None, "{text}"], ids=["a list", "rows of a table"])
def test_rows_without_keys_are_in_the_table_with_the_text_that_was_embedded(
    vertex: Emulator, prompt: str | None
) -> None:
    """Nothing else tells which text the numbers of a row are of, or which text failed."""
    asked = ["one", "two", "three"]
    vertex.script(JobScript(row_errors={1: 13}))
    table = f"{vertex.bigquery.project}.tests.t{uuid4().hex}"
    settings = {"dest": f"gs://emulator-staging/{uuid4().hex}/", "results_uri": f"bq://{table}"}

    def fill() -> None:
        ask = GenAIBatchOperator(
            task_id="ask",
            model="text-embedding-005",
            src=asked if prompt is None else [{"text": text} for text in asked],
            prompt=prompt,
            max_failed_rows=1,
            poll_interval=0.05,
            **settings,
        )
        land = GenAIBatchResultsOperator(
            task_id="land",
            job_names="{{ ti.xcom_pull('ask')['job_names'][0] }}",
            results_uri=f"bq://{table}_again",
            max_failed_rows=1,
        )
        ask >> land

    ran = run_dag(fill)
    assert ran.state == "success", ran.errors
    for name in (table, f"{table}_again"):
        assert [column for column, _ in vertex.bigquery.columns(name)][:2] == ["text", "embedding"]
        rows = {row["text"]: row for row in vertex.bigquery.rows(name)}
        assert {text: row["row_status"] for text, row in rows.items()} == {
            "one": "ok",
            "two": "error",
            "three": "ok",
        }
        assert [len(rows[text]["embedding"]) for text in asked] == [768, 0, 768]
