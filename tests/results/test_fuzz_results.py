"""Result files that were damaged: nothing crashes, no good row is lost, each bad line is named with its number.

``FUZZ_RESULTS`` sets the number of cases; each has a seed, which the failure names.
"""

from __future__ import annotations

import io
import json
import os
import random
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_genai_batch.models import ResultRow
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.results.counting.row_counter import RowCounter
from airflow_provider_genai_batch.results.read import RowReader
from airflow_provider_genai_batch.results.sinks import Form, opened
from airflow_provider_genai_batch.results.write import land
from airflow_provider_genai_batch.wire.answers.answer import PlainRow, Reading
from airflow_provider_genai_batch.wire.answers.results import read_fields
from airflow_provider_genai_batch.wire.keys import stamp
from airflow_provider_genai_batch.wire.lines.line_reader import LineReader
from tests.requests.damage import damaged
from tests.wire.nouns import read_row

CASES = int(os.environ.get("FUZZ_RESULTS", "1200"))
ROWS = 6


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


# ------------------------------------------------------------ one file


def _case(seed: int) -> tuple[bytes, list[bytes], set[int], Backend]:
    """Return a file, its lines, which of them are damaged (from 0), and whose it is."""
    chance = random.Random(seed)
    backend = chance.choice(list(Backend))
    shape = chance.choice(SHAPES)
    lines = [json.dumps(shape(n), ensure_ascii=chance.random() < 0.5).encode() for n in range(ROWS)]
    hurt = set(chance.sample(range(ROWS), chance.randint(1, 2)))
    for number in hurt:
        lines[number] = damaged(chance, lines[number])
    end = chance.choice([b"\n", b"\n", b"\r\n"])
    data = end.join(lines) + (end if chance.random() < 0.8 else b"")
    return (b"\xef\xbb\xbf" if chance.random() < 0.1 else b"") + data, lines, hurt, backend


def _objects(data: bytes, chance: random.Random) -> tuple[list[dict[str, Any]], LineReader]:
    reader, found, at = LineReader(), [], 0
    while at < len(data):
        size = chance.randint(1, len(data))
        found += reader.feed(data[at : at + size])
        at += size
    return [*found, *reader.end()], reader


def _rows(data: bytes, chance: random.Random, backend: Backend) -> tuple[list[PlainRow], RowReader]:
    reader, found, at = RowReader(backend), [], 0
    while at < len(data):
        size = chance.randint(1, len(data))
        found += reader.feed(data[at : at + size])
        at += size
    return [*found, *reader.end()], reader


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_object(line: bytes) -> bool:
    """Whether a line is a JSON object, by another reader of JSON; it knows no limits, and is lenient with NaN."""
    try:
        return isinstance(json.loads(line.strip(b" \t\r"), strict=False), dict)
    except (ValueError, RecursionError):
        return False


def _check(seed: int, form: Form) -> None:
    data, lines, hurt, backend = _case(seed)
    objects, reader = _objects(data, random.Random(seed))
    noted = {int(note.partition(":")[0].removeprefix("line ")) for note in reader.bad}
    assert noted == {number for number in noted if number - 1 in hurt}, "a good line was called bad"
    for number in hurt:
        if lines[number].strip() and not _is_object(lines[number]):
            assert number + 1 in noted, "a bad line was not named"
    assert len(objects) + reader.bad_count == sum(bool(line.strip()) for line in lines)

    rows, many = _rows(data, random.Random(seed), backend)
    one_by_one = [read_fields(one, backend) for one in objects]
    if _is_utf8(data):
        assert rows == one_by_one
        assert (many.line, many.bad) == (reader.line, reader.bad)
    else:
        assert [row for row in rows if row in one_by_one] == one_by_one

    tally, out = RowCounter(expected=ROWS, keyed=True, stamped=True), io.BytesIO()
    with opened(out, form) as write:
        land([[read_fields(one, backend, Reading(keep_response=True)) for one in objects]], tally, write)
    assert tally.counts.total == ROWS
    if form == "jsonl":
        landed = [ResultRow.model_validate_json(line) for line in out.getvalue().splitlines()]
        by_key = {row.key: row for row in landed}
        assert sorted(by_key) == sorted(map(stamp, range(ROWS)))
        thieves = {read_row(one, backend).key for one in objects if one not in _good(lines, hurt)}
        for number in set(range(ROWS)) - hurt:
            if stamp(number) not in thieves:
                row = read_row(json.loads(lines[number]), backend, keep_response=True)
                assert by_key[row.key] == row, "a good row was lost"


def _good(lines: list[bytes], hurt: set[int]) -> list[Any]:
    return [json.loads(line) for number, line in enumerate(lines) if number not in hurt]


@pytest.mark.parametrize("part", range(8))
def test_a_damaged_file_loses_no_good_row(part: int) -> None:
    for seed in range(part, CASES, 8):
        try:
            _check(seed, "parquet" if seed % 50 == 0 else "jsonl")
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise
