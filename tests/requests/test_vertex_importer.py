from __future__ import annotations

import re
from typing import Any

import pytest

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.requests.vertex_importer import Importer


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {"leaf": 1}
    for _ in range(depth - 1):
        value = {"x": value}
    return value


@pytest.mark.parametrize(
    "rows",
    [
        [{"a": 1}, {"a": 2.5}],
        [{"a": None}, {"a": "x"}, {"a": None}],
        [{"a": [{"b": 1}]}, {"a": [{"c": "x"}]}],
        [{"a": [1, 2]}, {"a": []}],
        [{"a": {"required": ["x"]}}],
        [nested(16)],
    ],
)
def test_what_fits_passes(rows: list[dict[str, Any]]) -> None:
    importer = Importer()
    for line, row in enumerate(rows, 1):
        importer.check(row, line)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"a": {"$defs": 1}}], "the name '$defs' in a has a character"),
        ([{"a b": 1}], "the name 'a b' in the row has a character"),
        ([{"tools": [{"googleSearch": {}}]}], "tools[].googleSearch is an empty object"),
        ([{"a": {"required": ["x", None]}}], "a.required holds null"),
        ([nested(17)], "is nested deeper than 15"),
        ([{"a": 1}, {"a": "x"}], "a is a string here and a number in line 1"),
        ([{"a": True}, {"a": 1}], "a is a number here and a boolean in line 1"),
        ([{"x": 1}, {"a": {"b": 1}}, {"a": [{"b": 1}]}], "a is an array here and an object in line 2"),
        ([{"a": [1, "x"]}], "a[] is a string here and a number in line 1"),
        ([{"a": [{"b": 1}]}, {"a": [{"b": [1]}]}], "a[].b is an array here and a number in line 1"),
    ],
)
def test_each_trap_is_found_with_the_key_path(rows: list[dict[str, Any]], said: str) -> None:
    importer = Importer()
    for line, row in enumerate(rows[:-1], 1):
        importer.check(row, line)
    with pytest.raises(RequestError, match=re.escape(said)) as caught:
        importer.check(rows[-1], len(rows))
    assert "a BigQuery table" in caught.value.remedy


def test_the_remedy_for_an_empty_search_tool_is_spelled_out() -> None:
    with pytest.raises(RequestError) as caught:
        Importer().check({"googleSearch": {}}, 1)
    assert '{"excludeDomains": ["example.invalid"]}' in caught.value.remedy


def test_memory_stays_small_when_every_row_has_names_of_its_own() -> None:
    importer = Importer()
    for line in range(30_000):
        importer.check({"request": {f"name{line}": 1}}, line)
    with pytest.raises(RequestError, match=re.escape("'$x'")):
        importer.check({"request": {"$x": 1}}, 30_001)
