"""Rows into a file: one JSON object a line, each request once."""

from __future__ import annotations

import gzip
import io
import json
from typing import Any

import pytest

from airflow_provider_genai_batch.exceptions import InputError, UnsupportedError
from airflow_provider_genai_batch.models import ResultRow, RowCounts, RowStatus, Usage
from airflow_provider_genai_batch.rows.landing import check_results_uri, land
from airflow_provider_genai_batch.rows.tally import Tally

FIELDS = ["key", "index", "status", "text", "output", "error", "finish_reason", "usage", "model_version"]


def _row(key: str, **fields: Any) -> ResultRow:
    return ResultRow(key=key, status=RowStatus.OK, text="ü", usage=Usage(input=1), **fields)


def _land(rows: list[ResultRow], tally: Tally, *, compress: bool = False) -> bytes:
    out = io.BytesIO()
    land(rows, tally, out, compress=compress)
    return out.getvalue()


@pytest.mark.parametrize("compress", [False, True])
def test_rows_land_as_lines_with_exactly_these_fields(compress: bool) -> None:
    data = _land([_row("a"), _row("b")], Tally(expected=2, keyed=True), compress=compress)
    text = gzip.decompress(data) if compress else data
    lines = [json.loads(line) for line in text.splitlines()]
    assert [list(line) for line in lines] == [FIELDS, FIELDS]
    assert lines[0] == {
        "key": "a",
        "index": None,
        "status": "ok",
        "text": "ü",
        "output": None,
        "error": None,
        "finish_reason": None,
        "usage": {"input": 1, "output": 0, "cached": 0, "thoughts": 0, "total": 0},
        "model_version": None,
    }


def test_the_raw_response_is_there_where_it_was_kept() -> None:
    data = _land([_row("a", response={"x": 1})], Tally(expected=1))
    assert list(json.loads(data)) == [*FIELDS, "response"]


def test_missing_rows_land_behind_the_others_with_their_keys() -> None:
    tally = Tally(expected=3, keyed=True, known=["a", "b", "c"])
    lines = [json.loads(line) for line in _land([_row("b")], tally).splitlines()]
    assert [(line["key"], line["status"]) for line in lines] == [
        ("b", "ok"),
        ("a", "missing"),
        ("c", "missing"),
    ]
    assert [line["index"] for line in lines[1:]] == [0, 2]
    assert tally.counts == RowCounts(total=3, ok=1, missing=2)


def test_duplicates_do_not_land() -> None:
    assert _land([_row("a"), _row("a")], Tally(expected=1, keyed=True)).count(b"\n") == 1


@pytest.mark.parametrize("compress", [False, True])
def test_nothing_is_written_where_rows_are_only_counted(compress: bool) -> None:
    tally = Tally(expected=3, keyed=True)
    land([_row("a")], tally, None, compress=compress)
    assert tally.counts == RowCounts(total=3, ok=1, missing=2)


def test_many_rows_are_written_as_they_come() -> None:
    class Out(io.BytesIO):
        writes = 0

        def write(self, data: Any) -> int:
            self.writes += 1
            return super().write(data)

    out, tally = Out(), Tally(expected=20_000, keyed=True)
    land((_row(f"k{n}") for n in range(20_000)), tally, out, compress=False)
    assert out.writes > 5
    assert out.getvalue().count(b"\n") == 20_000


def test_the_same_rows_make_the_same_bytes() -> None:
    one, two = (_land([_row("a")], Tally(expected=1), compress=True) for _ in range(2))
    assert one == two


@pytest.mark.parametrize("uri", ["gs://b/rows.jsonl", "/tmp/rows.jsonl.gz"])
def test_endings_that_say_the_format_are_taken(uri: str) -> None:
    check_results_uri(uri)


@pytest.mark.parametrize(
    ("uri", "kind"),
    [("gs://b/rows.parquet", UnsupportedError), ("gs://b/rows/", InputError), ("rows.csv", InputError)],
)
def test_other_endings_are_refused_before_anything_is_paid(uri: str, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=r"\.jsonl"):
        check_results_uri(uri)
