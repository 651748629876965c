"""Claude and open models on Vertex AI by the same operator: one prompt, one set of defaults, one type of answers."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pydantic import BaseModel

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle, Switches
from airflow_provider_genai_batch.exceptions import UnsupportedError
from airflow_provider_genai_batch.hooks.genai_batch import read_rows
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator, GenAIBatchResultsOperator
from airflow_provider_genai_batch.wire.catalog.matrix import MATRIX, PLACES, WAYS, Kind
from tests.dags import run_dag
from tests.operators.doors import before_wait
from tests.operators.scenes import client
from tests.pauses import at_pauses

CLAUDE = "publishers/anthropic/models/claude-sonnet-4-6"
LLAMA = "publishers/meta/models/llama-4-maverick-17b-128e-instruct-maas"
GEMINI = "gemini-2.5-flash"
EVERY = (GEMINI, CLAUDE, LLAMA)
LOCATIONS = {"a region": "us-central1", "global": "global", "us or eu": "eu"}
DEFAULTS = {"system_instruction": "Be brief.", "temperature": 0, "max_output_tokens": 400}


class Lake(BaseModel):
    name: str
    depth: float | None = None


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_one_prompt_one_set_of_defaults_and_one_type_work_for_every_family(
    vertex: Emulator, tmp_path: Path
) -> None:
    (tmp_path / "lakes.csv").write_text("lake\nComo\nGarda\n")

    def fill() -> None:
        for number, model in enumerate(EVERY):
            GenAIBatchOperator(
                task_id=f"ask_{number}",
                model=model,
                src=f"{tmp_path}/lakes.csv",
                prompt="How deep is {lake}?",
                request_defaults=DEFAULTS,
                output_type=Lake,
                results_uri=f"{tmp_path}/rows{number}.jsonl",
                dest=f"gs://emulator-staging/{uuid4().hex}/",
                poll_interval=0.05,
            )

    ran = run_dag(fill)
    assert ran.state == "success", ran.errors
    for number in range(len(EVERY)):
        rows = read(tmp_path / f"rows{number}.jsonl")
        assert [row["status"] for row in rows] == ["ok", "ok"]
        assert all(Lake.model_validate(row["output"]) for row in rows)
        manifest = ran.xcom[f"ask_{number}"]
        assert manifest["counts"]["ok"] == 2
        assert manifest["usage"]["input"] > 0
        assert sorted(row["index"] for row in rows) == [0, 1]


def test_failed_rows_are_asked_again_by_their_custom_id(vertex: Emulator, tmp_path: Path) -> None:
    for errors in ({1: 13}, {}, {1: 13}):
        vertex.script(JobScript(row_errors=errors))
    items = [{"contents": f"Say {word}", "key": word} for word in ("one", "0042", "three")]

    def fill() -> None:
        for number, model in enumerate((CLAUDE, LLAMA)):
            ask = GenAIBatchOperator(
                task_id=f"ask_{number}",
                model=model,
                src=items,
                retry_failed_rows=1,
                results_uri=f"{tmp_path}/rows{number}.jsonl",
                dest=f"gs://emulator-staging/{uuid4().hex}/",
                poll_interval=0.05,
            )
            land = GenAIBatchResultsOperator(
                task_id=f"land_{number}",
                job_names=f"{{{{ ti.xcom_pull('ask_{number}')['job_names'][0] }}}}",
                results_uri=f"{tmp_path}/landed{number}.jsonl",
                max_failed_rows=1,
            )
            ask >> land

    ran = run_dag(fill)
    assert ran.state == "success", ran.errors
    for number in range(2):
        rows = {row["key"]: row for row in read(tmp_path / f"rows{number}.jsonl")}
        assert {key: row["status"] for key, row in rows.items()} == dict.fromkeys(
            ("one", "0042", "three"), "ok"
        )
        assert ran.xcom[f"ask_{number}"]["rounds"] == 2
        landed = {row["key"]: row["status"] for row in read(tmp_path / f"landed{number}.jsonl")}
        assert sorted(landed) == ["0042", "one", "three"]
        assert sorted(landed.values()) == ["error", "ok", "ok"]


def test_tables_of_every_family_are_counted_where_they_stay_and_land_from_files(
    vertex: Emulator, tmp_path: Path
) -> None:
    project = vertex.bigquery.project
    asked = [{"role": "user", "content": "Say it."}]
    tables = {}
    for model, column, body in (
        (CLAUDE, "request", {"messages": asked, "max_tokens": 9, "anthropic_version": "vertex-2023-10-16"}),
        (LLAMA, "body", {"messages": asked, "model": LLAMA}),
    ):
        columns = ("custom_id", column) if column == "request" else ("custom_id", "method", "url", column)
        fixed = {"method": "POST", "url": "/v1/chat/completions"}
        rows = [
            {name: {"custom_id": f"k{n}", column: json.dumps(body), **fixed}[name] for name in columns}
            for n in range(4)
        ]
        tables[model] = f"{project}.tests.t{uuid4().hex}"
        vertex.bigquery.create_and_insert(tables[model], [(name, "STRING") for name in columns], rows)

    def fill() -> None:
        tasks = []
        for number, (model, table) in enumerate(tables.items()):
            ask = GenAIBatchOperator(
                task_id=f"ask_{number}",
                model=model,
                src=f"bq://{table}",
                dest=f"bq://{table}_out",
                max_failed_rows=1,
                poll_interval=0.05,
            )
            land = GenAIBatchOperator(
                task_id=f"land_{number}",
                model=model,
                src=f"bq://{table}",
                dest=f"gs://emulator-staging/{uuid4().hex}/",
                results_uri=f"{tmp_path}/{number}.jsonl",
                poll_interval=0.05,
            )
            tasks += [ask, land]
        for before, after in pairwise(tasks):
            before >> after

    vertex.script(JobScript(row_errors={"k2": 3}))
    ran = run_dag(fill)
    assert ran.state == "success", ran.errors
    asked = [ran.xcom[f"ask_{number}"]["counts"] for number in range(2)]
    assert [(one["total"], one["ok"]) for one in asked] == [(4, 3), (4, 4)]
    for number in range(2):
        rows = read(tmp_path / f"{number}.jsonl")
        assert {row["key"]: row["status"] for row in rows} == {f"k{n}": "ok" for n in range(4)}
        assert all(row["text"] and row["usage"]["total"] for row in rows)


@pytest.mark.parametrize("model", ["gemma-3-27b-it", "multimodalembedding@001"])
def test_a_bare_name_that_only_vertex_ai_cannot_run_is_refused_when_the_task_begins(
    vertex: Emulator, model: str
) -> None:
    """Which service is asked is not known before: the connection decides it."""
    built = GenAIBatchOperator(task_id="ask", model=model, src=["x"])
    assert built.model == model
    ran = run_dag(lambda: GenAIBatchOperator(task_id="ask", model=model, src=["x"]))
    assert [type(error) for error in ran.errors] == [UnsupportedError]
    assert ran.states == {"ask": "failed"}
    assert not vertex.jobs


def test_no_more_jobs_of_claude_go_on_at_a_time_than_a_project_may_have(
    vertex: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(6):
        vertex.script(JobScript(lifecycle=Lifecycle(looks=3)))
    going: list[int] = []

    before_wait(monkeypatch, lambda _: going.append(sum(not one["ended"] for one in vertex.jobs)))
    place = {
        "dest": f"gs://emulator-staging/{uuid4().hex}/",
        "max_requests_per_job": 1,
        "poll_interval": 0.05,
    }
    src = [str(number) for number in range(6)]
    ran = run_dag(lambda: GenAIBatchOperator(task_id="ask", model=CLAUDE, src=src, **place))
    assert ran.state == "success", ran.errors
    assert (len(vertex.jobs), max(going)) == (6, 4)


FORMS_OF_ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "Claude's with members of the input": (CLAUDE, {"siblings": True}),
    "Claude's without a response where it failed": (CLAUDE, {"failed_row_response": "absent"}),
    "an open model's in an envelope": (LLAMA, {"envelope": True}),
    "an open model's with a status": (LLAMA, {"status_column": True}),
    "an open model's with both": (LLAMA, {"envelope": True, "status_column": True}),
    "Gemini's of 2025-12": (GEMINI, {"row_form": "2025-12"}),
    "Gemini's of 2026-05": (GEMINI, {"row_form": "2026-05"}),
}
"""What readers of live rows have reported, as the emulator is asked for it."""


@pytest.mark.parametrize("form", FORMS_OF_ROWS)
def test_rows_of_every_form_that_was_seen_are_read_alike(vertex: Emulator, tmp_path: Path, form: str) -> None:
    model, switches = FORMS_OF_ROWS[form]
    vertex.script(JobScript(row_errors={"k1": 13}, **switches))
    items = [{"contents": f"Say {number}", "key": f"k{number}"} for number in range(3)]
    place = {"dest": f"gs://emulator-staging/{uuid4().hex}/", "results_uri": f"{tmp_path}/rows.jsonl"}
    ran = run_dag(
        lambda: GenAIBatchOperator(
            task_id="ask", model=model, src=items, max_failed_rows=1, poll_interval=0.05, **place
        )
    )
    assert ran.state == "success", ran.errors
    rows = {row["key"]: row for row in read(tmp_path / "rows.jsonl")}
    assert {key: row["status"] for key, row in rows.items()} == {"k0": "ok", "k1": "error", "k2": "ok"}
    assert [rows[key]["text"] for key in ("k0", "k2")] == ["Answer to: Say 0", "Answer to: Say 2"]
    assert rows["k1"]["error"]["message"]
    assert all(rows[key]["usage"]["total"] for key in ("k0", "k2"))
    assert ran.xcom["ask"]["counts"] == {
        **dict.fromkeys(("cancelled", "invalid", "missing"), 0),
        "total": 3,
    } | {
        "ok": 2,
        "error": 1,
    }


@pytest.mark.parametrize(
    ("model", "switches"),
    [
        (CLAUDE, {"response_type": "JSON"}),
        (CLAUDE, {"response_type": "JSON", "siblings": True}),
        (LLAMA, {"response_type": "JSON", "status_column": True}),
        (LLAMA, {"envelope": True}),
    ],
    ids=[
        "Claude",
        "Claude with other columns",
        "an open model with a status",
        "an open model in an envelope",
    ],
)
def test_tables_whose_columns_have_other_types_are_counted_alike(
    vertex: Emulator, model: str, switches: dict[str, Any]
) -> None:
    table, asked = f"{vertex.bigquery.project}.tests.t{uuid4().hex}", [{"role": "user", "content": "Say it."}]
    body: dict[str, Any] = {"messages": asked, "max_tokens": 9}
    row = (
        {"request": json.dumps({**body, "anthropic_version": "vertex-2023-10-16"})}
        if model == CLAUDE
        else {"method": "POST", "url": "/v1/chat/completions", "body": json.dumps(body)}
    )
    rows = [{"custom_id": f"k{number}", **row} for number in range(4)]
    vertex.bigquery.create_and_insert(table, [(name, "STRING") for name in rows[0]], rows)
    vertex.script(JobScript(row_errors={"k2": 3}, **switches))
    ran = run_dag(
        lambda: GenAIBatchOperator(
            task_id="ask",
            model=model,
            src=f"bq://{table}",
            dest=f"bq://{table}_out",
            max_failed_rows=1,
            poll_interval=0.05,
        )
    )
    assert ran.state == "success", ran.errors
    counts = ran.xcom["ask"]["counts"]
    assert (counts["total"], counts["ok"]) == (4, 3)


def test_rows_of_jobs_that_others_submitted_are_read_with_the_keys_that_those_gave(vertex: Emulator) -> None:
    dest = f"gs://emulator-staging/{uuid4().hex}/"
    with client() as service:
        job = service.create(
            CLAUDE, service.upload(_lines(), uri="gs://emulator-staging/two.jsonl"), dest=dest
        )
        while not (job := service.get(job.name)).done:
            pass
        rows = {row.key: row for row in service.rows(job)}
    assert sorted(rows) == ["mine-1", "mine-2"]
    assert all(
        row.status.value == "ok" and row.text and row.finish_reason == "end_turn" for row in rows.values()
    )


@pytest.mark.parametrize("model", [CLAUDE, LLAMA])
@pytest.mark.parametrize("name", [None, "rows.parquet"], ids=str)
def test_rows_of_every_family_are_read_in_python(
    vertex: Emulator, tmp_path: Path, model: str, name: str | None
) -> None:
    vertex.script(JobScript(row_errors={1: 13}))
    src = [
        {"contents": f"Where is {lake}?", "key": key} for key, lake in (("como", "Como"), ("0042", "Garda"))
    ]
    ran = run_dag(
        lambda: GenAIBatchOperator(
            task_id="ask",
            model=model,
            src=src,
            output_type=Lake,
            results_uri=name and str(tmp_path / name),
            max_failed_rows=1,
            dest=f"gs://emulator-staging/{uuid4().hex}/",
            poll_interval=0.05,
        )
    )
    assert ran.state == "success", ran.errors
    rows = {row.key: row for row in read_rows(ran.xcom["ask"], output_type=Lake)}
    assert {key: row.status.value for key, row in rows.items()} == {"como": "ok", "0042": "error"}
    assert Lake.model_validate(rows["como"].output)
    assert rows["como"].usage is not None
    assert rows["como"].usage.input > 0
    assert rows["como"].finish_reason in {"tool_use", "stop"}
    assert rows["0042"].error is not None


@pytest.mark.parametrize("model", [CLAUDE, LLAMA])
def test_an_answer_of_a_schema_that_is_cut_off_is_invalid_in_the_familys_own_spelling_too(
    vertex: Emulator, tmp_path: Path, model: str
) -> None:
    schema = Lake.model_json_schema()
    asked = {
        CLAUDE: {
            "tools": [{"name": "structured_answer", "input_schema": schema}],
            "tool_choice": {"type": "tool", "name": "structured_answer"},
        },
        LLAMA: {
            "response_format": {"type": "json_schema", "json_schema": {"name": "lake", "schema": schema}}
        },
    }[model]
    messages = [{"role": "user", "content": "Where is Como?"}]
    vertex.script(JobScript(finish_reasons={1: "max_tokens" if model is CLAUDE else "length"}))
    ran = run_dag(
        lambda: GenAIBatchOperator(
            task_id="ask",
            model=model,
            src=[{"custom_id": key, "messages": messages, **asked} for key in ("whole", "cut")],
            results_uri=f"{tmp_path}/rows.jsonl",
            max_failed_rows=1,
            dest=f"gs://emulator-staging/{uuid4().hex}/",
            poll_interval=0.05,
        )
    )
    assert ran.state == "success", ran.errors
    rows = {row["key"]: row["status"] for row in read(tmp_path / "rows.jsonl")}
    assert rows == {"whole": "ok", "cut": "invalid"}


@pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])
def test_a_job_of_claude_over_the_quota_waits_until_another_one_ends(
    vertex: Emulator, deferrable: bool
) -> None:
    dest = f"gs://emulator-staging/{uuid4().hex}/"
    with client() as service:
        uri = service.upload(_lines(), uri=f"{dest}two.jsonl")
        for _ in range(4):
            vertex.script(JobScript(lifecycle=Lifecycle(looks=1_000_000)))
        others = [service.create(CLAUDE, uri, dest=f"{dest}{number}/").name for number in range(4)]
        pauses: list[float] = []

        def end_another(seconds: float) -> None:
            pauses.append(seconds)
            assert len(pauses) < 100
            if len(pauses) == 2:
                vertex.force(others[0], "CANCELLED")

        with at_pauses(end_another):
            ran = run_dag(
                lambda: GenAIBatchOperator(
                    task_id="ask",
                    model=CLAUDE,
                    src=["Where is Como?"],
                    dest=f"{dest}own/",
                    deferrable=deferrable,
                )
            )
    assert ran.state == "success", ran.errors
    assert ran.xcom["ask"]["counts"]["ok"] == 1
    assert len(vertex.jobs) == 5
    creates = [one for one in vertex.requests if one["method"].endswith(".create")]
    assert [one["status"] for one in creates][4:] == [429, 429, 200]


def _lines() -> Any:
    from io import BytesIO

    body = {
        "messages": [{"role": "user", "content": "Hi."}],
        "max_tokens": 9,
        "anthropic_version": "vertex-2023-10-16",
    }
    lines = [{"custom_id": f"mine-{number}", "request": body} for number in (1, 2)]
    return BytesIO(b"".join(json.dumps(line).encode() + b"\n" for line in lines))


def test_every_cell_of_the_table_is_created_or_refused_before_anything_is_sent(vertex: Emulator) -> None:
    vertex.switches = Switches(claude_jobs=None)
    with client() as default:
        config = default.config
    taken = set()
    for place in PLACES:
        with GenAIBatchClient(replace(config, location=LOCATIONS[place])) as service:
            for kind in MATRIX:
                taken |= {(kind.name, way, place) for way in WAYS if _is_taken(service, kind, way)}
    allowed = {
        (kind.name, way, place)
        for kind in MATRIX
        for way in WAYS
        for place in PLACES
        if kind.ways[way].allowed and kind.places[place].allowed
    }
    assert taken == allowed
    assert len(vertex.jobs) == len(allowed)


def _is_taken(service: GenAIBatchClient, kind: Kind, way: str) -> bool:
    """Create a job of a cell, or see it refused by the product."""
    came, _, went = way.partition(" to ")
    src = "gs://emulator-staging/cell.jsonl" if came == "gs://" else "bq://emulator-project.tests.cell"
    dest = "gs://emulator-staging/out/" if went == "gs://" else f"bq://emulator-project.tests.t{uuid4().hex}"
    model = kind.example.replace("projects/P/", f"projects/{service.config.project}/")
    try:
        service.create(model, src, dest=dest)
    except UnsupportedError as error:  # the product's own; what the emulator refuses is an ApiError
        return "Nothing was sent" not in str(error)
    return True
