"""In a task with ``reuse`` or ``dedupe`` each row has its own request's digest, in whatever order rows come."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.requests.request_digest import RequestDigest
from airflow_provider_genai_batch.results.read import PieceReader, each
from airflow_provider_genai_batch.task.inputs.ledger import RequestLedger
from airflow_provider_genai_batch.task.reuse.at_hand import AtHand
from airflow_provider_genai_batch.wire.answers.usual_rows import UsualRows
from airflow_provider_genai_batch.wire.keys import stamp

Make: TypeAlias = Callable[..., tuple[AtHand, list[str]]]
"""Makes what is at hand for requests; returns it with the digest of each."""
ROWS = 200
KEYS = {
    "stamps": [stamp(at) for at in range(ROWS)],
    "of one size": [f"k{at:05d}" for at in range(ROWS)],
    "of several sizes": [str(at * at) for at in range(ROWS)],
}
ORDERS = {"in order": 0, "shuffled": 1, "backwards": 2}
JOB = BatchJob(name="batches/1", backend=Backend.GEMINI, state="SUCCEEDED", model="m")


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    with ExitStack() as stack:

        def made(keys: list[str], texts: list[str], *, dedupe: bool) -> tuple[AtHand, list[str]]:
            lines = b"".join(
                json.dumps({"key": key, "request": {"contents": text}}).encode() + b"\n"
                for key, text in zip(keys, texts, strict=True)
            )
            ledger, rows = (stack.enter_context((tmp_path / name).open("w+b")) for name in ("ledger", "rows"))
            requests, digest = RequestLedger(ledger), RequestDigest(Backend.GEMINI, "m")
            assert b"".join(requests.passing([lines], digest)) == lines
            found = AtHand(stack, requests, rows, dedupe=dedupe)
            if dedupe:
                found.find_equal()
            return found, [asked.hex() for _, asked in digest.of(lines)]

        yield made


def answers(keys: list[str]) -> bytes:
    usage = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}
    return b"".join(
        json.dumps(
            {
                "key": key,
                "response": {
                    "candidates": [{"content": {"parts": [{"text": key}]}, "finishReason": "STOP"}],
                    "usageMetadata": usage,
                    "modelVersion": "m",
                },
            }
        ).encode()
        + b"\n"
        for key in keys
    )


def completed(found: AtHand, data: bytes, *, together: bool) -> list[dict[str, Any]]:
    pieces = PieceReader(Backend.GEMINI).feed(data)
    assert all(isinstance(piece, UsualRows) for piece in pieces)
    return [*each(found.completed(JOB, iter(pieces if together else [*each(pieces)])))]


@pytest.mark.parametrize("together", [True, False], ids=["together", "one by one"])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", KEYS)
def test_each_row_has_the_digest_of_its_request(make: Make, kind: str, order: str, together: bool) -> None:
    keys = KEYS[kind]
    found, digests = make(keys, [f"text {at}" for at in range(ROWS)], dedupe=False)
    came = [[*keys], random.Random(0).sample(keys, ROWS), keys[::-1]][ORDERS[order]]
    came.insert(7, "of nobody")
    rows = completed(found, answers(came), together=together)
    assert [row["key"] for row in rows] == came
    wanted = dict(zip(keys, digests, strict=True))
    assert {row["key"]: row["asked"] for row in rows if "asked" in row} == wanted
    assert {row["key"] for row in rows if "answered_at" not in row} == {"of nobody"}


@pytest.mark.parametrize("together", [True, False], ids=["together", "one by one"])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", KEYS)
def test_equal_requests_have_copies_of_the_row_that_was_sent_for_them(
    make: Make, kind: str, order: str, together: bool
) -> None:
    keys = KEYS[kind]
    found, digests = make(keys, [f"text {at % 150}" for at in range(ROWS)], dedupe=True)
    sent = [[*keys[:150]], random.Random(0).sample(keys[:150], 150), keys[149::-1]][ORDERS[order]]
    rows = completed(found, answers(sent), together=together)
    assert {row["key"]: row["asked"] for row in rows} == dict(zip(keys, digests, strict=True))
    assert len(rows) == ROWS
    copies = {row["key"]: row["same_as"] for row in rows if "same_as" in row}
    assert copies == {keys[150 + at]: keys[at] for at in range(50)}
    assert all(row["text"] == row.get("same_as", row["key"]) for row in rows)
