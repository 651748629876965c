"""Rows as Parquet, read back by pyarrow."""

from __future__ import annotations

import io
import json
from datetime import date
from functools import reduce
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import BaseModel
from typing_extensions import TypedDict

from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle
from airflow_provider_genai_batch.hooks.genai_batch import GenAIBatchHook
from airflow_provider_genai_batch.models import ResultRow
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.requests.tables.columns import Columns
from airflow_provider_genai_batch.results import parquet_sink as parquet
from airflow_provider_genai_batch.results.column_types import ColumnTypes
from airflow_provider_genai_batch.results.counting.row_counter import RowCounter
from airflow_provider_genai_batch.results.read_back import landed_rows
from airflow_provider_genai_batch.results.sinks import opened
from airflow_provider_genai_batch.results.write import land
from airflow_provider_genai_batch.task.landing.land import land_jobs
from airflow_provider_genai_batch.task.landing.landing import Landing
from airflow_provider_genai_batch.wire.answers.results import read_fields
from airflow_provider_genai_batch.wire.keys import stamp
from airflow_provider_genai_batch.wire.schemas.output_type import answer_check, output_schema
from airflow_provider_genai_batch.wire.spelling import camel
from tests.docs.pages import Page, code
from tests.results.answers import answered, refused
from tests.wire.test_nothing_is_lost import members, spelled, with_text

PLAIN = parquet.schema_of(parquet.columns_of(ColumnTypes()))


def _land(*rounds: Any, expected: int, **settings: Any) -> io.BytesIO:
    out = io.BytesIO()
    with opened(out, "parquet") as write:
        land(rounds, RowCounter(expected=expected, keyed=True, stamped=True), write, **settings)
    out.seek(0)
    return out


def _read(*rounds: Any, expected: int, **settings: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(_land(*rounds, expected=expected, **settings)).to_pylist()
    return rows


def test_a_row_has_a_column_for_each_field() -> None:
    rows = _read(
        [answered(stamp(0), "12"), refused(stamp(1))],
        [refused(stamp(1))],
        expected=3,
        validate=json.loads,
        carry=lambda n: {"id": n},
    )
    assert [list(row) for row in rows] == [list(ResultRow.model_fields)] * 3
    by_status = {row["status"]: row for row in rows}
    assert by_status["ok"] == {
        "key": stamp(0),
        "index": 0,
        "status": "ok",
        "text": "12",
        "output": "12",
        "error": None,
        "finish_reason": None,
        "usage": {"input": 1, "output": 0, "cached": 0, "thoughts": 0, "total": 1, "tool_use": None},
        "model_version": None,
        **dict.fromkeys(("candidates", "parts", "media", "grounding", "citations", "logprobs")),
        "response": None,
        "tier": None,
        "round": 0,
        "input": '{"id":0}',
        **dict.fromkeys(("asked", "answered_at", "reused_from", "same_as")),
    }
    assert by_status["error"]["error"] == {"code": 13, "status": "INTERNAL", "message": "broken"}
    assert (by_status["error"]["round"], by_status["missing"]["index"]) == (1, 2)


def test_the_columns_are_those_that_are_documented() -> None:
    table = Page("docs/reference/rows.md").table("## Parquet", "Column")
    told = {code(row[0]): code(row[1].rpartition("; else ")[2]) for row in table}
    assert told == {field.name: _short(field.type) for field in PLAIN}


def _short(kind: Any) -> str:
    """Name a type; of one with many members only what it is."""
    if pa.types.is_list(kind):
        return f"list<{_short(kind.value_type)}>"
    deep = pa.types.is_struct(kind) and any(pa.types.is_nested(each.type) for each in kind)
    return "struct" if deep else str(kind)


def test_no_rows_make_a_file_with_columns() -> None:
    assert pq.read_table(_land([], expected=0)).schema.equals(PLAIN)


def test_groups_are_written_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "GROUP_BYTES", 100_000)
    rows = (answered(stamp(n), "x" * 100) for n in range(5000))
    file = pq.ParquetFile(_land(rows, expected=5000))
    assert file.num_row_groups > 5
    assert file.read(columns=["index"])["index"].to_pylist() == list(range(5000))


def test_the_order_of_the_input_holds_for_columns_too() -> None:
    rows = _read([answered(stamp(n)) for n in (2, 0, 3)], expected=4, ordered=True)
    assert [(row["index"], row["status"]) for row in rows] == [
        (0, "ok"),
        (1, "missing"),
        (2, "ok"),
        (3, "ok"),
    ]


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**30])
def test_a_number_that_no_column_holds_is_left_out(number: int) -> None:
    (row,) = _read(
        [answered(stamp(0), usageMetadata={"promptTokenCount": number, "totalTokenCount": 7})], expected=1
    )
    assert (row["usage"]["input"], row["usage"]["total"]) == (None, 7)
    error = {**refused(stamp(0)), "error": {"code": number, "status": "X", "message": "m"}}
    (row,) = _read([error], expected=1)
    assert row["error"] == {"code": None, "status": "X", "message": "m"}


# ------------------------------------------------------------ typed


class Partial(TypedDict, total=False):
    """An object whose members may be absent, which is not null."""

    a: int


class Tag(BaseModel):
    """Inside of another."""

    name: str
    weight: float | None = None


class Review(BaseModel):
    """An output with members of many kinds."""

    mood: Literal["good", "bad"]
    stars: int
    tags: list[Tag]
    by_day: dict[str, int]
    either: int | str
    when: date
    inner: Review | None = None


REVIEW = Review(
    mood="good",
    stars=5,
    tags=[Tag(name="a", weight=1), Tag(name="b")],
    by_day={"monday": 1},
    either="x",
    when=date(2026, 11, 28),
    inner=Review(mood="bad", stars=1, tags=[], by_day={}, either=2, when=date(2026, 1, 1)),
)


def _typed(kinds: ColumnTypes, *rows: Any, **settings: Any) -> tuple[Any, list[ResultRow]]:
    out = io.BytesIO()
    with opened(out, "parquet", kinds) as write:
        land([rows], RowCounter(expected=len(rows), keyed=True, stamped=True), write, **settings)
    out.seek(0)
    return pq.read_schema(out), [*landed_rows(out, "parquet")]


def test_an_output_has_the_columns_of_its_type_and_is_read_back_as_it_was() -> None:
    check = answer_check(Review)
    rows = answered(stamp(0), REVIEW.model_dump_json()), answered(stamp(1), "no JSON")
    schema, read = _typed(ColumnTypes(output=output_schema(Review)), *rows, validate=check)
    kinds = {field.name: str(field.type) for field in schema.field("output").type}
    assert kinds == {
        "mood": "string",
        "stars": "int64",
        "tags": "list<element: struct<name: string, weight: double>>",
        "by_day": "string",
        "either": "string",
        "when": "string",
        "inner": "string",
    }
    assert read[0].output == REVIEW.model_dump(mode="json")
    assert (read[1].status.value, read[1].output) == ("invalid", None)


@pytest.mark.parametrize(
    ("kind", "text", "column"),
    [
        (int, "5", "int64"),
        (str, '"five"', "string"),
        (list[float], "[1, 2.5]", "list<element: double>"),
        (list[dict[str, int]], '[{"a": 1}, {}]', "list<element: string>"),
        (tuple[int, str], '[1, "a"]', "string"),
        (bool, "true", "bool"),
        (Partial, "{}", "string"),
    ],
)
def test_types_that_are_no_models_have_columns_too(kind: Any, text: str, column: str) -> None:
    schema, (row,) = _typed(
        ColumnTypes(output=output_schema(kind)), answered(stamp(0), text), validate=answer_check(kind)
    )
    assert (str(schema.field("output").type), row.output) == (column, json.loads(text))


def test_a_number_that_no_column_holds_is_left_out_of_an_output_and_told_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    wanted = ColumnTypes(output=output_schema(list[int]))
    _, (row,) = _typed(wanted, answered(stamp(0), f"[1, {10**30}]"), validate=answer_check(list[int]))
    assert (row.output, row.text) == ([1, None], f"[1, {10**30}]")
    assert "more than 64 bits" in caplog.text


def test_columns_of_the_input_have_the_types_of_all_rows_together() -> None:
    rows = [
        {"id": 1, "name": "a", "price": 1.5, "mixed": 1, "ok": True, "none": None, "deep": {"a": [1]}},
        {"id": 2, "name": None, "price": 2.0, "mixed": "x", "ok": False, "none": None, "deep": {}},
    ]
    columns = Columns(io.BytesIO())
    assert [*columns.kept([rows])] == [rows]
    schema, read = _typed(
        ColumnTypes(input=columns.schema), answered(stamp(0)), answered(stamp(1)), carry=columns
    )
    kinds = {field.name: str(field.type) for field in schema.field("input").type}
    assert kinds == {
        "id": "int64",
        "name": "string",
        "price": "double",
        "ok": "bool",
        **dict.fromkeys(("mixed", "none", "deep"), "string"),
    }
    assert [row.input for row in read] == rows


@pytest.mark.parametrize("rows", [[{"a": 1}, {"b": 1}], [{"a": 1}, {}], []])
def test_rows_with_other_columns_each_are_text(rows: list[dict[str, Any]]) -> None:
    columns = Columns(io.BytesIO())
    assert [*columns.kept([rows])] == [rows]
    assert columns.schema is None


def test_numbers_of_an_embedding_are_a_list_of_numbers(gemini: Emulator, tmp_path: Path) -> None:
    out = tmp_path / "rows.parquet"
    with GenAIBatchHook().get_conn() as client:
        gemini.script(JobScript(lifecycle=Lifecycle.at_once()))
        job = client.get(client.create("gemini-embedding-001", ["a", "b"]).name)
        land_jobs(client, [job], Landing(str(out)))
        plain = {row.key: row.output for row in client.rows(job)}
    assert str(pq.read_schema(out).field("output").type) == "list<element: double>"
    with out.open("rb") as stream:
        assert {row.key: row.output for row in landed_rows(stream, "parquet")} == plain


def test_every_part_of_an_answer_is_read_back_as_it_landed() -> None:
    types = pytest.importorskip("google.genai.types")  # not beside every Airflow
    response = reduce(_merged, (spelled(one, camel) for _, one in members(types.GenerateContentResponse)))
    row = read_fields({"key": stamp(0), "response": with_text(response, camel)}, Backend.GEMINI)
    wanted = ResultRow.model_validate(row)
    assert wanted.grounding is not None
    _, (read,) = _typed(ColumnTypes(), row)
    assert read == wanted


def _merged(one: Any, other: Any) -> Any:
    """Put two drawn objects into one."""
    if isinstance(one, dict) and isinstance(other, dict):
        both = {name: _merged(one[name], other[name]) for name in one.keys() & other.keys()}
        return {**one, **other, **both}
    return [_merged(one[0], other[0])] if isinstance(one, list) else other
