from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_genai_batch.exceptions import InputError, RequestError
from airflow_provider_genai_batch.models import BatchRequest
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.requests.preflight import Preflight
from airflow_provider_genai_batch.requests.write import RequestWriter, inline_entries, request_lines

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


@pytest.mark.parametrize("backend", [GEMINI, VERTEX])
@pytest.mark.parametrize("defaults", [None, {"temperature": 0.25, "system_instruction": "Say \u2028 %b"}])
def test_requests_that_are_written_together_are_what_they_are_one_by_one(
    backend: Backend, defaults: Any
) -> None:
    asked = [
        *(f'text {number} \\ "\n\t\x00\x7f\u00e9\U0001f600 {{x}} %b' for number in range(70)),
        {"contents": "with a key", "key": "42"},
        {"request": {"contents": [{"role": "user", "parts": [{"text": "a turn"}]}]}, "key": 'a "key"'},
        {"contents": [{"parts": [{"text": "no role"}]}]},
        {
            "contents": [
                {"role": "model", "parts": [{"text": "a"}]},
                {"role": "user", "parts": [{"text": "b"}]},
            ]
        },
        {"contents": "warm", "config": {"temperature": 2.0}},
        *({"contents": f"text {number}"} for number in range(70)),
    ]
    together, single = (RequestWriter(backend, GENERATE, MODEL, defaults) for _ in range(2))
    lines = b"".join(together.blocks(asked)).splitlines(keepends=True)
    assert lines == [line for _, line in single.lines(asked)]
    assert together.keys.key_sum == single.keys.key_sum


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ({"contents": "a", "key": "k"}, "^request 101: its key is the same as that of request 1$"),
        ("half \ud800", "^request 101: .*surrogate"),
        ("one more", "^request 101: more than 100 requests"),
    ],
)
def test_what_is_wrong_among_requests_that_are_written_together_is_named(last: Any, said: str) -> None:
    asked = [{"contents": "a", "key": "k"}, *map(str, range(99)), last, *map(str, range(20))]
    most = {"max_requests": 100} if "more" in said else {}
    with pytest.raises(RequestError) as caught:
        list(RequestWriter(GEMINI, GENERATE, MODEL, **most).blocks(asked))
    assert re.match(said.rstrip("$"), str(caught.value))
