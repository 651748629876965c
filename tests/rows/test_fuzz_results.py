"""Result files that were damaged: nothing crashes, no good row is lost, each bad line is named with its number.

``FUZZ_RESULTS`` sets the number of cases; each has a seed, which the failure names.
"""

from __future__ import annotations

import io
import json
import os
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_genai_batch.models import ResultRow
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.rows.landing import land
from airflow_provider_genai_batch.rows.lines import LineReader
from airflow_provider_genai_batch.rows.sinks import Form, opened
from airflow_provider_genai_batch.rows.tally import Tally
from airflow_provider_genai_batch.wire.keys import stamp
from airflow_provider_genai_batch.wire.results import read_fields, read_row

CASES = int(os.environ.get("FUZZ_RESULTS", "10000"))
ROWS = 6
WORDS = [
    "key",
    "response",
    "error",
    "status",
    "metadata",
    "predictions",
    "candidates",
    "content",
    "parts",
    "text",
]
MORE_WORDS = [
    "thought",
    "finishReason",
    "usageMetadata",
    "promptTokenCount",
    "code",
    "message",
    "embedding",
    "values",
]
ODD: list[Any] = [
    None,
    True,
    -1,
    1e308,
    10**40,
    "",
    "\x00",
    "é\u2028",
    [],
    {},
    [[]],
    {"": {}},
    "r" + "1" * 5000,
]
Mutation = Callable[[random.Random, bytes], bytes]


def _answer(index: int, text: str = "fine") -> dict[str, Any]:
    candidate = {"content": {"parts": [{"text": text}], "role": "model"}, "finishReason": "STOP"}
    usage = {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5}
    response = {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "gemini-2.5-flash"}
    return {"key": stamp(index), "response": response}


SHAPES: list[Callable[[int], dict[str, Any]]] = [
    _answer,
    lambda index: {"key": stamp(index), "error": {"code": 13, "message": "broken"}},
    lambda index: {**_answer(index), "status": "", "request": {}, "processed_time": "…"},
    lambda index: {
        "key": stamp(index),
        "response": {"embedding": {"values": [0.5, -1e-9]}, "tokenCount": "2"},
    },
    lambda index: {
        "instance": {"content": "x", "key": stamp(index)},
        "predictions": [{"embeddings": {"values": [1]}}],
    },
    lambda index: _answer(index, 'two\n"lines" \\ and é — \U0001f600'),
]


# ------------------------------------------------------------ damage to one line's bytes


def _flip(chance: random.Random, line: bytes) -> bytes:
    at = chance.randrange(len(line))
    return line[:at] + bytes([line[at] ^ (1 << chance.randrange(8))]) + line[at + 1 :]


def _cut(chance: random.Random, line: bytes) -> bytes:
    return line[: chance.randrange(1, len(line))]


def _double(chance: random.Random, line: bytes) -> bytes:
    at = chance.randrange(len(line))
    return line[:at] + line[at:] * 2


def _insert(chance: random.Random, line: bytes) -> bytes:
    at = chance.randrange(len(line) + 1)
    junk = chance.choice(
        [b"\x00", b"\xff", b"\xef\xbb\xbf", b"NaN", b"\\ud800", b"}", b"]", b'"', b"\r", b"[" * 300]
    )
    return line[:at] + junk + line[at:]


def _swap(chance: random.Random, line: bytes) -> bytes:
    """Put something odd in the place of a value."""
    value = json.loads(line)
    holder, place = chance.choice(list(_places(value)))
    holder[place] = chance.choice(ODD)
    return json.dumps(value).encode()


def _rename(chance: random.Random, line: bytes) -> bytes:
    """Call a field something else, or put one where it does not belong."""
    value = json.loads(line)
    holder, place = chance.choice([one for one in _places(value) if isinstance(one[0], dict)])
    taken = holder.pop(place) if chance.random() < 0.5 else holder[place]
    holder[chance.choice(WORDS + MORE_WORDS)] = taken
    return json.dumps(value).encode()


def _whole(chance: random.Random, _: bytes) -> bytes:
    return json.dumps(chance.choice(ODD)).encode()


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for place, one in list(inner):
        yield value, place
        yield from _places(one)


MUTATIONS: list[Mutation] = [_flip, _cut, _double, _insert, _swap, _rename, _whole]


# ------------------------------------------------------------ one file


def _case(seed: int) -> tuple[bytes, list[bytes], set[int], Backend]:
    """Return a file, its lines, which of them are damaged (from 0), and whose it is."""
    chance = random.Random(seed)
    backend = chance.choice(list(Backend))
    shape = chance.choice(SHAPES)
    lines = [json.dumps(shape(n), ensure_ascii=chance.random() < 0.5).encode() for n in range(ROWS)]
    damaged = set(chance.sample(range(ROWS), chance.randint(1, 2)))
    for number in damaged:
        for _ in range(chance.randint(1, 2)):
            mutate = chance.choice(MUTATIONS)
            try:
                lines[number] = mutate(chance, lines[number]).replace(b"\n", b"\r")
            except (ValueError, IndexError, RecursionError):  # it was past changing
                lines[number] = b"{"
    end = chance.choice([b"\n", b"\n", b"\r\n"])
    data = end.join(lines) + (end if chance.random() < 0.8 else b"")
    return (b"\xef\xbb\xbf" if chance.random() < 0.1 else b"") + data, lines, damaged, backend


def _objects(data: bytes, chance: random.Random) -> tuple[list[dict[str, Any]], LineReader]:
    reader, found, at = LineReader(), [], 0
    while at < len(data):
        size = chance.randint(1, len(data))
        found += reader.feed(data[at : at + size])
        at += size
    return [*found, *reader.end()], reader


def _is_object(line: bytes) -> bool:
    """Whether a line is a JSON object, by another reader of JSON; it knows no limits, and is lenient with NaN."""
    try:
        return isinstance(json.loads(line.strip(b" \t\r")), dict)
    except (ValueError, RecursionError):
        return False


def _check(seed: int, form: Form) -> None:
    data, lines, damaged, backend = _case(seed)
    objects, reader = _objects(data, random.Random(seed))
    noted = {int(note.partition(":")[0].removeprefix("line ")) for note in reader.bad}
    assert noted == {number for number in noted if number - 1 in damaged}, "a good line was called bad"
    for number in damaged:
        if lines[number].strip() and not _is_object(lines[number]):
            assert number + 1 in noted, "a bad line was not named"
    assert len(objects) + reader.bad_count == sum(bool(line.strip()) for line in lines)

    tally, out = Tally(expected=ROWS, keyed=True, stamped=True), io.BytesIO()
    with opened(out, form) as write:
        land([[read_fields(one, backend, keep_response=True) for one in objects]], tally, write)
    assert tally.counts.total == ROWS
    if form == "jsonl":
        landed = [ResultRow.model_validate_json(line) for line in out.getvalue().splitlines()]
        by_key = {row.key: row for row in landed}
        assert sorted(by_key) == sorted(map(stamp, range(ROWS)))
        thieves = {read_row(one, backend).key for one in objects if one not in _good(lines, damaged)}
        for number in set(range(ROWS)) - damaged:
            if stamp(number) not in thieves:
                row = read_row(json.loads(lines[number]), backend, keep_response=True)
                assert by_key[row.key] == row, "a good row was lost"


def _good(lines: list[bytes], damaged: set[int]) -> list[Any]:
    return [json.loads(line) for number, line in enumerate(lines) if number not in damaged]


@pytest.mark.parametrize("part", range(8))
def test_a_damaged_file_loses_no_good_row(part: int) -> None:
    for seed in range(part, CASES, 8):
        try:
            _check(seed, "parquet" if seed % 50 == 0 else "jsonl")
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise
