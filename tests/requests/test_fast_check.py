"""What a file's lines have taught about it changes the verdict on none of them."""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_genai_batch.exceptions import InputError, RequestError
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.requests.preflight import Preflight
from airflow_provider_genai_batch.requests.write import request_lines

MODEL = "gemini-2.5-flash"
CONFIG = {"temperature": 0.5, "maxOutputTokens": 64}
SCHEMA = {"responseSchema": {"type": "STRING", "enum": ["a", "b"]}}
SYSTEM = {"parts": [{"text": "Be brief."}]}
MUTANTS = int(os.environ.get("FUZZ_GLANCE", "60"))
"""Of each file; each is looked at three times."""
_PIECES = [
    piece.encode()
    for piece in ('"', "\\", "{", "}", "[", "]", ",", ":", " ", "\t", "null", "5", '{"', '"}', "}}")
]
_PIECES += [
    b"\xff",
    b"\\u0041",
    b'"key": "x", ',
    b'"generationConfig": {"temperature": 1}, ',
    b', "generation_config": {"top_k": 3}',
    b', "tools": []',
    b'"request": {',
    b'"contents": ',
    b'"contents": "hi", ',
    b'"text": "a", ',
    b', "labels": {"a": "b"}',
    b'"role": "assistant", ',
]


def user(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "parts": [{"text": text}]}]


def line(number: int, form: str) -> dict[str, Any]:
    """Return a line of a file in which what stands beside the prompt is the same in each."""
    contents = user(f'A "review" {number}, {{with}} "generationConfig": {{}} in it')
    request: dict[str, Any] = {
        "plain": {"contents": contents},
        "behind": {"contents": contents, "generationConfig": {**CONFIG, **SCHEMA}},
        "before": {"systemInstruction": SYSTEM, "contents": contents},
        "around": {"systemInstruction": SYSTEM, "contents": contents, "generationConfig": CONFIG},
        "snake": {
            "contents": contents,
            "generation_config": {"max_output_tokens": 9},
            "system_instruction": SYSTEM,
        },
        "media": {
            "contents": [
                {
                    "parts": [
                        {"text": "What is it?"},
                        {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
                    ]
                }
            ],
            "generationConfig": CONFIG,
        },
        "own": {"contents": contents, "generationConfig": {**CONFIG, "seed": number}},
    }[form.removeprefix("keyless ").removeprefix("bare ")]
    if form.startswith("bare "):
        return request
    return {"request": request} if form.startswith("keyless ") else {"key": f"k{number}", "request": request}


def mutants(chance: random.Random, good: bytes) -> Iterator[bytes]:
    """Give lines that are a little other than a good one, most of them bad."""
    for _ in range(MUTANTS):
        data = good.removesuffix(b"\n")
        for _ in range(chance.choice((1, 1, 2))):
            begin = chance.randrange(len(data))
            end = begin + chance.choice((0, 0, 1, 2, 12))
            data = data[:begin] + chance.choice((b"", *_PIECES, data[begin:end] * 2)) + data[end:]
        yield data.replace(b"\n", b" ") + b"\n"


def verdict(lines: list[bytes], at: int, backend: Backend) -> tuple[str, bytes]:
    """Return why a line is refused, and what it is written as."""
    check = Preflight(backend, Task.GENERATE, MODEL, max_requests=10**6)
    try:
        written = list(check.lines([b"".join(lines)]))
    except RequestError as error:
        return error.reason if error.where == f"line {at + 1}" else str(error), b""
    except InputError as error:  # there is nothing but spaces in it
        return str(error), b""
    return "", written[at] if len(written) == len(lines) else b""


@pytest.mark.parametrize("backend", Backend)
@pytest.mark.parametrize(
    "form",
    [
        "plain",
        "behind",
        "before",
        "around",
        "snake",
        "media",
        "own",
        "keyless around",
        "keyless plain",
        "bare behind",
    ],
)
def test_a_line_has_the_verdict_behind_a_hundred_others_that_it_has_alone(
    form: str, backend: Backend
) -> None:
    chance = random.Random(f"{form} {backend}")
    good = [json.dumps(line(number, form)).encode() + b"\n" for number in range(100)]
    taken = refused = 0
    for odd in mutants(chance, json.dumps(line(500, form)).encode() + b"\n"):
        reason, written = verdict([odd], 0, backend)
        for at in (99, 70):  # among others, and where its neighbours are right
            rows = [*good[:at], odd, *good[at:99]]
            said, got = verdict(rows, at, backend)
            # A stamp says at which place a line stands.
            stamped = written.replace(b'"r00000000"', b'"r%08d"' % at, 1)
            if odd.strip() and not (reason == "" and is_for_the_others(said, odd, backend)):
                assert (said.partition(" in line")[0], got) == (reason, stamped), odd
        if reason:
            refused += 1
            continue
        taken += 1
        if odd.strip():
            ((_, row),) = request_lines([json.loads(odd)], backend, Task.GENERATE, MODEL)
            assert as_sent(json.loads(written)) == as_sent(json.loads(row)), odd
    assert taken
    assert refused > MUTANTS / 3


def is_for_the_others(said: str, odd: bytes, backend: Backend) -> bool:
    """Whether a line that is right alone is refused for what it has beside others: their key, or another type."""
    if said.startswith("its key is the same as that of line "):
        return json.loads(odd)["key"] in {f"k{number}" for number in range(100)}
    types = re.match(r"(request|generationConfig)\S* is an? [\w ]+ here and an? [\w ]+ in line \d+", said)
    return backend is Backend.VERTEX and types is not None


def as_sent(row: Any) -> Any:
    """Return a row as the service reads it, whatever the spelling of its names."""
    if isinstance(row, dict):
        pairs = ((name.replace("_", "").lower(), as_sent(value)) for name, value in row.items())
        return {name: value for name, value in pairs if value is not None}
    return [as_sent(one) for one in row] if isinstance(row, list) else row


@pytest.mark.parametrize("backend", Backend)
def test_defaults_stand_in_each_line_of_a_file_as_they_do_in_a_list(backend: Backend) -> None:
    defaults = {"temperature": 0.5, "system_instruction": "Be brief.", "labels": {"team": "ü"}}
    rows = [line(number, "own" if number % 70 == 69 else "plain") for number in range(300)]
    rows[200]["request"] = {"contents": "Of another spelling"}
    rows[201].pop("key")
    rows[202]["key"] = "0042"
    odd = [b'{"key": "spaced", "request": {"contents": [{"parts": [{"text": "}}"}]}] } }\n']
    given = [json.dumps(row).encode() + b"\n" for row in rows] + odd
    check = Preflight(backend, Task.GENERATE, MODEL, defaults=defaults)
    written = [json.loads(row) for row in check.lines([b"".join(given)])]
    listed = [json.loads(row) for row in given]
    wanted = request_lines(listed, backend, Task.GENERATE, MODEL, defaults)
    assert written == [json.loads(row) for _, row in wanted]
    assert (check.rows, check.keyless, check.unchanged) == (301, 1, False)
    rows[250]["request"]["generationConfig"] = {"topK": "many"}
    bad = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    with pytest.raises(RequestError, match="topK") as caught:
        list(Preflight(backend, Task.GENERATE, MODEL, defaults=defaults).lines([bad]))
    assert caught.value.where == "line 251"


@pytest.mark.parametrize("backend", Backend)
def test_lines_without_keys_get_keys_and_defaults_like_a_list(backend: Backend) -> None:
    odd = {"contents": "Say 70", "generationConfig": {"temperature": 0.1}}
    asked = [{"contents": [{"role": "user", "parts": [{"text": f"Say {n}"}]}]} for n in range(200)]
    asked[70] = odd
    defaults = {"temperature": 0.5, "system_instruction": "Be brief."}
    lines = [json.dumps({"request": one}, separators=(",", ":")).encode() + b"\n" for one in asked]
    check = Preflight(backend, Task.GENERATE, MODEL, defaults=defaults)
    written = [json.loads(line) for line in check.lines(lines)]
    listed = request_lines([{"request": one} for one in asked], backend, Task.GENERATE, MODEL, defaults)
    assert written == [json.loads(line) for _, line in listed]
    assert (check.keyless, check.rows, check.unchanged) == (200, 200, False)
    assert written[70]["request"]["generationConfig"] == {"temperature": 0.1}
