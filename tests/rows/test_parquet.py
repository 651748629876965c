"""Rows as Parquet, read back by pyarrow."""

from __future__ import annotations

import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_provider_genai_batch.models import ResultRow
from airflow_provider_genai_batch.rows import parquet
from airflow_provider_genai_batch.rows.landing import land
from airflow_provider_genai_batch.rows.sinks import opened
from airflow_provider_genai_batch.rows.tally import Tally
from airflow_provider_genai_batch.wire.keys import stamp
from tests.docs.pages import Page, code
from tests.rows.answers import answered, refused


def _land(*rounds: Any, expected: int, **settings: Any) -> io.BytesIO:
    out = io.BytesIO()
    with opened(out, "parquet") as write:
        land(rounds, Tally(expected=expected, keyed=True, stamped=True), write, **settings)
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
        "round": 0,
        "input": '{"id":0}',
    }
    assert by_status["error"]["error"] == {"code": 13, "status": "INTERNAL", "message": "broken"}
    assert (by_status["error"]["round"], by_status["missing"]["index"]) == (1, 2)


def test_the_columns_are_those_that_are_documented() -> None:
    table = Page("docs/reference/rows.md").table("## Parquet", "Column")
    told = {code(row[0]): code(row[1]) for row in table}
    assert told == {field.name: _short(field.type) for field in parquet.SCHEMA}


def _short(kind: Any) -> str:
    """Name a type; of one with many members only what it is."""
    if pa.types.is_list(kind):
        return f"list<{_short(kind.value_type)}>"
    deep = pa.types.is_struct(kind) and any(pa.types.is_nested(each.type) for each in kind)
    return "struct" if deep else str(kind)


def test_no_rows_make_a_file_with_columns() -> None:
    assert pq.read_table(_land([], expected=0)).schema.equals(parquet.SCHEMA)


def test_groups_are_written_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "_GROUP", 100_000)
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
