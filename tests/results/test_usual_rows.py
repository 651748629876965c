"""Rows that are counted and written together come to the same as the same rows taken one by one."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.jobs.job_totals import LONG_PROMPT
from airflow_provider_genai_batch.results.column_types import ColumnTypes
from airflow_provider_genai_batch.results.counting.row_counter import RowCounter
from airflow_provider_genai_batch.results.read import Piece, PieceReader, each
from airflow_provider_genai_batch.results.read_back import landed_rows
from airflow_provider_genai_batch.results.sinks import Form, opened
from airflow_provider_genai_batch.results.write import land
from airflow_provider_genai_batch.wire.answers.answer import Reading
from airflow_provider_genai_batch.wire.answers.usual_rows import UsualRows
from airflow_provider_genai_batch.wire.keys import MASK, key_digest, stamp
from airflow_provider_genai_batch.wire.schemas.output_type import answer_check, output_schema

ASKED = 60
KEYS = [stamp(index) for index in range(ASKED)]
KEY_SUM = sum(map(key_digest, KEYS)) & MASK
COUNTERS: dict[str, Callable[[], RowCounter]] = {
    "stamped": lambda: RowCounter(expected=ASKED, keyed=True, stamped=True),
    "known": lambda: RowCounter(expected=ASKED, keyed=True, known=reversed(KEYS)),
    "key sum": lambda: RowCounter(expected=ASKED, keyed=True, key_sum=KEY_SUM),
    "own keys": lambda: RowCounter(expected=ASKED, keyed=True),
    "of others": lambda: RowCounter(expected=None),
}


def _line(chance: random.Random, key: str) -> dict[str, Any]:
    kind = chance.random()
    if kind < 0.02:
        return {"key": key, "error": {"code": 13, "message": "broken"}}
    asked = LONG_PROMPT + 1 if kind < 0.03 else chance.randint(1, 9)
    part = {"text": chance.choice(["1", "22", 'é\n"', "[3]"])}
    if kind > 0.9:
        part["thoughtSignature"] = "c2ln"
    parts = [part]
    if 0.8 < kind < 0.95:
        parts.append(
            chance.choice([{"thoughtSignature": "c2ln"}] * 5 + [{"text": "2"}, {"thoughtSignature": ""}])
        )
    candidate = {"content": {"parts": parts}, "finishReason": "MAX_TOKENS" if kind > 0.97 else "STOP"}
    usage = {"promptTokenCount": asked, "candidatesTokenCount": 2, "totalTokenCount": asked + 2}
    response = {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "m", "responseId": "x"}
    return {"key": key, "response": response}


def _files(seed: int) -> tuple[list[bytes], bool]:
    """Return the files of two rounds, and whether some keys are there twice or were not asked."""
    chance = random.Random(seed)
    keys = chance.sample(KEYS, ASKED - chance.choice([0, 0, 2]))
    strange = chance.random() < 0.5
    if strange:
        keys += [chance.choice(keys), chance.choice(["z", stamp(ASKED), "r" + "1" * 17, "a,b"])]
        chance.shuffle(keys)
    rounds = [keys, chance.sample(KEYS, 5)]
    return [
        b"".join(json.dumps(_line(chance, key)).encode() + b"\n" for key in some) for some in rounds
    ], strange


def _pieces(data: bytes, chance: random.Random, reading: Reading) -> Iterator[Piece]:
    reader, at = PieceReader(Backend.GEMINI, reading), 0
    while at < len(data):
        size = chance.randint(1, len(data))
        yield from reader.feed(data[at : at + size])
        at += size
    yield from reader.end()


def _landed(
    seed: int, tally: RowCounter, form: Form, *, one_by_one: bool, **settings: Any
) -> tuple[list[Any], Any]:
    reading, out, chance = Reading(), io.BytesIO(), random.Random(seed)
    rounds = [_pieces(data, chance, reading) for data in _files(seed)[0]]
    with opened(out, form) as write:
        land([each(some) if one_by_one else some for some in rounds], tally, write, **settings)
    out.seek(0)
    rows = [row.model_dump() for row in landed_rows(out, form)]
    counted = (
        tally.rows_read,
        tally.duplicates,
        tally.replaced,
        tally.unknown,
        tally.unjoined,
        tally.samples,
    )
    said = (tally.counts, tally.usage, tally.finish_reasons, tally.tiers, tally.commonest, tally.sure)
    left = [key for key in KEYS if tally.unanswered(key, KEYS.index(key))]
    return rows, (counted, said, left, reading.dropped, tally.causes())


def _numbers(text: str) -> int:
    return int(text)


@pytest.mark.parametrize("counter", COUNTERS)
def test_rows_taken_together_and_one_by_one_come_to_the_same(counter: str) -> None:
    for seed in range(40):
        settings: dict[str, Any] = [
            {},
            {"ordered": True},
            {"validate": _numbers},
            {"carry": lambda index: {"id": index}, "validate": _numbers},
            {"watch": lambda rows: (row | {} for row in rows)},
        ][seed % 5]
        form: Form = "parquet" if seed % 4 == 0 else "jsonl"
        together, singly = (
            _landed(seed, COUNTERS[counter](), form, one_by_one=way, **settings) for way in (False, True)
        )
        assert together == singly, f"seed {seed}"


def test_rows_of_a_file_without_anything_odd_are_all_taken_together() -> None:
    chance = random.Random(0)
    lines = [json.dumps({**_line(chance, key), "key": key}) for key in KEYS]
    odd = ("error", str(LONG_PROMPT + 1), '"thoughtSignature": ""', '}, {"text"')
    usual = [line for line in lines if not any(some in line for some in odd)]
    assert '}, {"thoughtSignature"' in "".join(usual)
    found = [*_pieces("".join(f"{line}\n" for line in usual).encode(), random.Random(5), Reading())]
    tally = COUNTERS["stamped"]()
    assert all(isinstance(piece, UsualRows) and tally.take_usual(piece) for piece in found)
    assert tally.counts.ok == len(usual)


def test_rows_that_all_have_the_same_number_beyond_64_bits_land_without_it_as_other_rows_do(
    caplog: pytest.LogCaptureFixture,
) -> None:
    line = _line(random.Random(0), "")
    line["response"]["candidates"][0]["content"]["parts"] = [{"text": str(10**30)}]
    line["response"]["candidates"][0]["finishReason"] = "STOP"
    data = b"".join(json.dumps({**line, "key": stamp(index)}).encode() + b"\n" for index in range(3))
    out, types = io.BytesIO(), ColumnTypes(output=output_schema(int))
    with opened(out, "parquet", types) as write:
        tally = RowCounter(expected=3, keyed=True, stamped=True)
        pieces = [*_pieces(data, random.Random(1), Reading())]
        assert any(isinstance(piece, UsualRows) for piece in pieces)
        land([pieces], tally, write, validate=answer_check(int))
    out.seek(0)
    assert [(row.output, row.text) for row in landed_rows(out, "parquet")] == [(None, str(10**30))] * 3
    assert "more than 64 bits" in caplog.text
