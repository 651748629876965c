"""Rows of earlier results land many at a time; each is the same row as if it were read by itself."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from airflow_provider_genai_batch.models import ResultRow
from airflow_provider_genai_batch.results.counting.row_counter import RowCounter
from airflow_provider_genai_batch.results.read import each
from airflow_provider_genai_batch.results.read_back import landed_rows
from airflow_provider_genai_batch.results.sinks import Form, opened
from airflow_provider_genai_batch.results.write import land
from airflow_provider_genai_batch.task.reuse.reused_rows import reused_rows
from airflow_provider_genai_batch.wire.answers.usual_rows import UsualRows

USUAL: dict[str, Any] = {
    "key": "k0",
    "index": 0,
    "status": "ok",
    "text": "yes",
    "output": None,
    "error": None,
    "finish_reason": "STOP",
    "usage": {"input": 3, "output": 4, "cached": 1, "thoughts": 2, "total": 10},
    "model_version": "m-1",
    "tier": "batch",
    "asked": "00" * 16,
    "answered_at": "2026-11-27T03:00:00.120000Z",
    "reused_from": "earlier.jsonl",
}
WITH_OTHER_FIELDS = {
    "tool tokens": {"usage": {**USUAL["usage"], "tool_use": 5}},
    "no tokens": {"usage": None},
    "no text": {"text": None},
    "no reason": {"finish_reason": None},
    "a response": {"response": {"candidates": []}},
    "pictures": {"media": [{"candidate": 0, "part": 0, "uri": "a.png", "mime_type": "image/png"}]},
}
WITH_USUAL_FIELDS = {
    "no time": {"answered_at": None},
    "parts": {"parts": [{"candidate": 0, "part": 0, "thought_signature": "c2ln"}]},
    "an integer of many bytes": {"output": 2**80},
    "an output": {"output": {"label": "good", "score": 0.5}},
    "no tier": {"tier": ...},
}
CHANGES = [
    *(pytest.param(change, False, id=name) for name, change in WITH_OTHER_FIELDS.items()),
    *(pytest.param(change, True, id=name) for name, change in WITH_USUAL_FIELDS.items()),
]


def lines(change: dict[str, Any]) -> tuple[list[dict[str, Any]], bytes]:
    rows = [
        {**USUAL, "key": f"k{at}", "index": at, "text": f"yes {at}", **(change if at == 1 else {})}
        for at in range(3)
    ]
    rows = [{name: value for name, value in row.items() if value is not ...} for row in rows]
    return rows, b"".join(json.dumps(row).encode() + b"\n" for row in rows)


@pytest.mark.parametrize(("change", "together"), CHANGES)
def test_rows_read_together_are_those_read_one_by_one(change: dict[str, Any], together: bool) -> None:
    rows, written = lines(change)
    pieces = reused_rows(written)
    assert isinstance(pieces[0], UsualRows) is together
    assert [*each(pieces)] == rows


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
@pytest.mark.parametrize(("change", "_"), CHANGES)
def test_they_are_counted_and_written_the_same(change: dict[str, Any], _: bool, form: Form) -> None:
    rows, written = lines(change)
    landed = []
    for pieces in (reused_rows(written), [*each(reused_rows(written))]):
        tally = RowCounter(expected=4, keyed=True, known=["k0", "k1", "k2", "k3"], reuses=True)
        tally.begin_reused()
        out = io.BytesIO()
        with opened(out, form) as write:
            land([pieces], tally, write)
        out.seek(0)
        counts = (tally.counts, tally.saved, tally.usage, tally.rows_read, tally.finish_reasons, tally.tiers)
        landed.append(([row.model_dump() for row in landed_rows(out, form)], counts))
    assert landed[0] == landed[1]
    if form == "jsonl":
        assert landed[0][0][:3] == [ResultRow.model_validate(row).model_dump() for row in rows]
    assert landed[0][1][0].reused == 3
    assert landed[0][1][0].missing == 1


def test_a_row_whose_request_was_answered_since_is_left_out() -> None:
    rows, written = lines({})
    tally = RowCounter(expected=3, keyed=True, known=["k0", "k1", "k2"], reuses=True)
    out: list[bytes] = []
    own = {name: value for name, value in rows[1].items() if name != "reused_from"}
    land([[{**own, "text": "anew"}, *reused_rows(written)]], tally, out.append)
    texts = [json.loads(line)["text"] for line in b"".join(out).splitlines()]
    assert texts == ["anew", "yes 0", "yes 2"]
    assert (tally.counts.reused, tally.duplicates, tally.rows_read) == (2, 0, 1)


def test_an_answer_that_no_longer_fits_fails_and_is_still_unpaid() -> None:
    def refuse(text: str) -> Any:
        if text == "yes 1":
            msg = "not today"
            raise ValueError(msg)
        return {"said": text}

    _, written = lines({})
    tally = RowCounter(expected=3, keyed=True, known=["k0", "k1", "k2"], reuses=True)
    out: list[bytes] = []
    land([reused_rows(written)], tally, out.append, validate=refuse)
    found = [json.loads(line) for line in b"".join(out).splitlines()]
    assert [(row["status"], row["output"]) for row in found] == [
        ("ok", {"said": "yes 0"}),
        ("invalid", None),
        ("ok", {"said": "yes 2"}),
    ]
    counts = tally.counts
    assert (counts.ok, counts.invalid, counts.reused) == (2, 1, 3)
    assert tally.tiers == {}
