"""Checks of all rows that stay in BigQuery: one statement counts what Python counts over rows that pass the worker."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from airflow_provider_genai_batch.checks import Check, drift, invalid_share, length, null_share, share
from airflow_provider_genai_batch.emulator import Emulator, JobScript
from airflow_provider_genai_batch.exceptions import ChecksFailed, ConfigurationError, UnsupportedError
from airflow_provider_genai_batch.models import RowCounts
from airflow_provider_genai_batch.results.gates import Gates
from airflow_provider_genai_batch.wire.tables.gates import TableGates
from airflow_provider_genai_batch.wire.tables.sql import TableName
from airflow_provider_genai_batch.wire.tables.types import columns_of
from tests.operators.test_table_to_table import change
from tests.task.test_table_reuse import ask, emulator_settings, found, rerun, table_of

__all__ = ["emulator_settings"]

ROWS = 30


class Part(BaseModel):
    name: str
    size: int | None = None


class Review(BaseModel):
    label: Literal["good", "bad", "so so"]
    score: float
    sure: bool
    tags: list[str]
    price: Decimal
    day: date
    part: Part | None
    loose: dict[str, int | float | bool | str | list[int] | None]
    note: str | None = None


BELOW = (0.0, 0.001)
COUNTED = [
    share("label", "good", between=BELOW),
    share("score", 2, between=BELOW),
    share("score", 0.1, between=BELOW),
    share("sure", True, between=BELOW),
    share("price", "1.25", between=BELOW),
    share("day", "2026-01-02", between=BELOW),
    share("part", None, between=BELOW),
    share("part.size", 1, between=BELOW),
    share("part.size", 1.0, between=BELOW),
    share("part.size", None, between=BELOW),
    share("part.name", "O'Neil \\ größe", between=BELOW),
    *(share("loose.x", value, between=BELOW) for value in (1, 1.5, True, "1", None)),
    null_share("note", at_most=0.01),
    null_share("part.name", at_most=0.01),
    null_share("loose.x", at_most=0.01),
    null_share("loose.x.y", at_most=0.01),
    length("note", between=BELOW),
    length("tags", between=BELOW),
    length("part.name", between=BELOW),
    length("loose.x", between=BELOW),
    invalid_share(at_most=0.01),
]


@pytest.fixture
def texts(vertex: Emulator) -> Iterator[str]:
    """Give a table with the columns id and text."""
    yield from table_of(vertex, {number: f"text {number}" for number in range(ROWS)})


def review(draw: random.Random) -> dict[str, Any]:
    return {
        "label": draw.choice(["good", "good", "bad", "so so", "none of these"]),
        "score": draw.choice([2, 2.0, 0.1, -3.5]),
        "sure": draw.random() < 0.5,
        "tags": ["t"] * draw.randrange(4),
        "price": draw.choice(["1.25", "7"]),
        "day": draw.choice(["2026-01-02", "2026-01-03"]),
        "part": draw.choice([None, {"name": "Ada", "size": 1}, {"name": "O'Neil \\ größe"}]),
        "loose": draw.choice([{"x": 1}, {"x": 1.5}, {"x": True}, {"x": "1"}, {"x": None}, {}, {"x": [1, 2]}]),
        "note": draw.choice([None, "", "größe\u2028😀", "plain"]),
    }


def reviews(seed: int) -> dict[str | int, Any]:
    draw = random.Random(seed)
    return {f"k{number}": review(draw) for number in range(ROWS)}


def test_bigquery_counts_what_python_counts_over_the_same_rows(vertex: Emulator, texts: str) -> None:
    for _ in ("there", "here"):
        vertex.script(JobScript(answers=reviews(1), row_errors={"k3": 8}))
    how: dict[str, Any] = {"output_type": Review, "max_failed_rows": 0.5, "on_check": "warn", "reuse": None}
    there = ask(texts, checks=COUNTED, rename={"label": "verdict"}, **how)
    here = ask(texts, checks=COUNTED, validate="python", dest=f"bq://{texts}_python", **how)
    assert there["counts"] == here["counts"]
    assert there["checks"] == here["checks"]
    assert [one["check"] for one in there["checks"]] == [check.name for check in COUNTED]
    by_name = {one["check"]: one for one in there["checks"]}
    good = there["counts"]["ok"]
    assert {one["rows"] for name, one in by_name.items() if name.startswith(("share", "null"))} == {good}
    # Each of them has something to count, so equal numbers are not equal by their absence.
    assert all(one["value"] for one in there["checks"])
    rows = [row for row in found(vertex, texts).values() if row["row_status"] == "ok"]
    assert by_name["share of label = 'good'"]["value"] == sum(row["verdict"] == "good" for row in rows) / good


def test_a_drift_in_bigquery_fails_once_the_table_is_written_and_the_next_try_pays_nothing(
    vertex: Emulator, texts: str
) -> None:
    vertex.script(JobScript(answers=reviews(1)))
    ask(texts, output_type=Review, max_failed_rows=0.5)
    change(vertex, f"UPDATE `{texts}` SET text = CONCAT(text, '!') WHERE id < {ROWS // 2}")
    vertex.script(JobScript(answers=reviews(2)))
    checks = [drift(name, within=0.001) for name in ("label", "part.name", "part", "loose.x", "sure", "tags")]
    how: dict[str, Any] = {"run": "tonight", "output_type": Review, "max_failed_rows": 0.5}
    with pytest.raises(ChecksFailed, match=f"6 of 6 checks failed: drift of label is .* at bq://{texts}_out"):
        ask(texts, checks=checks, **how)
    jobs = len(vertex.jobs)
    manifest = rerun(texts, checks=checks, on_check="warn", **how)
    assert len(vertex.jobs) == jobs

    rows = [row for row in found(vertex, texts).values() if row["row_status"] == "ok"]
    assert len({row["reused_from"] for row in rows}) == 2
    gates = Gates(checks)
    landed: list[Any] = [
        {"status": "ok", "text": None, "output": row, **({"reused_from": "it"} if row["reused_from"] else {})}
        for row in rows
    ]
    assert len([*gates.watch(iter(landed))]) == len(rows)
    expected = gates.found(RowCounts(total=ROWS, ok=len(rows)))
    assert [(one["value"], one["rows"]) for one in manifest["checks"]] == [
        (pytest.approx(one.value), one.rows) for one in expected
    ]
    assert 0 < expected[0].value < 1 if expected[0].value else False


def test_answers_without_a_type_are_counted_as_texts_or_as_the_json_that_they_are(
    vertex: Emulator, texts: str
) -> None:
    schema = {"type": "OBJECT", "properties": {"x": {"type": "INTEGER"}}}
    vertex.script(JobScript(answers={f"k{number}": {"x": number % 3} for number in range(ROWS)}))
    checks = [share("x", 1, between=(0.3, 0.4)), length(between=(8, 8)), length("y", between=BELOW)]
    manifest = ask(
        texts,
        checks=checks,
        on_check="warn",
        reuse=None,
        request_defaults={"response_schema": schema, "response_mime_type": "application/json"},
    )
    assert [(one["value"], one["rows"], one["passed"]) for one in manifest["checks"]] == [
        (1 / 3, ROWS, True),
        (8.0, ROWS, True),
        (None, 0, False),
    ]


@pytest.mark.parametrize(
    ("check", "said"),
    [
        (length(between=(0, 9)), "has the fields of an answer and not its text"),
        (length("part", between=(0, 9)), "STRUCT<.*> has none"),
        (length("day", between=(0, 9)), "DATE has none"),
        (null_share("tags", at_most=0.5), "never null. Bound its length"),
        (share("tags", "a", between=(0, 0.5)), "ARRAY<STRING> never has this value"),
        (share("price", 1.25, between=(0, 0.5)), "whose values are texts in an answer"),
        (share("sure", 1, between=(0, 0.5)), "BOOL never has this value"),
        (share("part.size", 1.5, between=(0, 0.5)), "INT64 never has this value"),
        (share("part.size", 2**70, between=(0, 0.5)), "INT64 never has this value"),
        (share("part.colour", "red", between=(0, 0.5)), "no field 'colour'; the fields are: name, size"),
        (share("label.x", "red", between=(0, 0.5)), "no field 'x'; the fields are: none"),
        (share("tags.x", "red", between=(0, 0.5)), "'tags' is a list. Name it without"),
    ],
)
def test_what_a_typed_column_cannot_tell_is_refused_with_what_to_do(check: Check, said: str) -> None:
    gates = TableGates([check], columns_of(Review))
    with pytest.raises(ConfigurationError, match=rf'{said}.*validate="python".*Nothing was sent'):
        gates.query(TableName("p", "d", "t"))


def test_a_check_that_bigquery_cannot_count_is_refused_before_anything_runs(
    vertex: Emulator, texts: str
) -> None:
    with pytest.raises(ConfigurationError, match="Name a field of the answer"):
        ask(texts, checks=[length(between=(0, 9))], output_type=Review)
    assert vertex.jobs == []
    assert not vertex.bigquery.table_exists(f"{texts}_out")


def test_checks_are_refused_where_vertex_ai_writes_the_rows_as_they_are(vertex: Emulator, texts: str) -> None:
    with pytest.raises(UnsupportedError, match="are not read here: leave checks out"):
        ask(texts, checks=[invalid_share(at_most=0.5)], prompt=None, key=None, reuse=None)
    assert vertex.jobs == []
