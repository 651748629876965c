from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_genai_batch.exceptions import InputError, RequestError
from airflow_provider_genai_batch.models import BatchRequest
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.requests.preflight import Preflight
from airflow_provider_genai_batch.requests.write import inline_entries, request_lines

MODEL = "gemini-2.5-flash"
GEMINI, VERTEX, GENERATE = Backend.GEMINI, Backend.VERTEX, Task.GENERATE
ITEMS: list[Any] = ["a", BatchRequest(contents="b", key="42"), {"contents": "c", "config": {"seed": 1}}]


@pytest.mark.parametrize(("backend", "second"), [(GEMINI, "42"), (VERTEX, "key=42")])
def test_every_request_is_a_line_with_a_key(backend: Backend, second: str) -> None:
    rows = [json.loads(line) for _, line in request_lines(ITEMS, backend, GENERATE, MODEL)]
    assert [row["key"] for row in rows] == ["r00000000", second, "r00000002"]
    assert rows[2]["request"]["generationConfig"] == {"seed": 1}


@pytest.mark.parametrize("backend", [GEMINI, VERTEX])
def test_what_is_written_passes_preflight_unchanged(backend: Backend) -> None:
    lines = [line for _, line in request_lines(ITEMS, backend, GENERATE, MODEL, {"temperature": 0})]
    check = Preflight(backend, GENERATE, MODEL)
    if backend is GEMINI:
        assert list(check.lines(lines)) == lines
        assert check.unchanged


def test_inline_entries_carry_their_keys_as_metadata() -> None:
    entries = inline_entries(ITEMS, GENERATE, MODEL, {"temperature": 0}).entries
    assert [entry["metadata"] for entry in entries] == [
        {"key": "r00000000"},
        {"key": "42"},
        {"key": "r00000002"},
    ]
    assert entries[2]["request"]["generationConfig"] == {"temperature": 0, "seed": 1}


def test_requests_are_taken_one_by_one() -> None:
    taken = []

    def items() -> Iterator[str]:
        for text in "abc":
            taken.append(text)
            yield text

    lines = request_lines(items(), GEMINI, GENERATE, MODEL)
    next(lines)
    assert taken == ["a"]


def test_a_batch_of_contents_to_embed_becomes_rows() -> None:
    lines = list(request_lines([{"contents": ["a", "b"]}], GEMINI, Task.EMBED, "gemini-embedding-001"))
    assert len(lines) == 2


@pytest.mark.parametrize(
    ("items", "backend", "said"),
    [
        (["a", "b", 5], GEMINI, "request 3: a request cannot be of type int"),
        (
            [{"contents": "a", "key": "k"}, "b", {"contents": "c", "key": "k"}],
            GEMINI,
            "request 3: its key is the same as that of request 1",
        ),
        (
            ["a", {"contents": "b", "metadata": {"x": "y"}}],
            GEMINI,
            r"request 2: metadata \(x\) cannot be written",
        ),
        (
            ["a", {"contents": "b", "config": {"tools": [{"google_search": {}}]}}],
            VERTEX,
            r"request 2: request.tools\[\].googleSearch is an empty object",
        ),
        (
            [
                {"contents": "a", "config": {"labels": {"x": "1"}}},
                {"contents": "a", "config": {"responseJsonSchema": {"default": "1"}}},
                {"contents": "a", "config": {"responseJsonSchema": {"default": 1}}},
            ],
            VERTEX,
            "request 3: request.generationConfig.responseJsonSchema.default is a number here and a string in request 2",
        ),
    ],
)
def test_a_bad_request_is_refused_with_its_number(items: list[Any], backend: Backend, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        list(request_lines(items, backend, GENERATE, MODEL))


def test_no_requests_are_refused() -> None:
    with pytest.raises(InputError, match="there are no requests"):
        list(request_lines([], GEMINI, GENERATE, MODEL))
    with pytest.raises(InputError, match="there are no requests"):
        inline_entries(iter(()), GENERATE, MODEL)
