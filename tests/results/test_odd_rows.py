"""Result lines that are not quite JSON, or far too long: what can be kept is kept, and none is called missing."""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow.parquet as pq
import pytest

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.client.transport.content_encoding import PIECE_BYTES, Gunzip
from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle
from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage
from airflow_provider_genai_batch.exceptions import UnreadableAnswer
from airflow_provider_genai_batch.hooks.genai_batch import GenAIBatchHook
from airflow_provider_genai_batch.models import BatchJob, RowCounts
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.results.read import TOO_LONG, RowReader
from airflow_provider_genai_batch.task.inputs.facts import InputFacts
from airflow_provider_genai_batch.task.landing.land import land_jobs
from airflow_provider_genai_batch.task.landing.landing import Landing
from airflow_provider_genai_batch.wire.answers.answer import Reading
from airflow_provider_genai_batch.wire.catalog import limits
from airflow_provider_genai_batch.wire.keys import stamp
from airflow_provider_genai_batch.wire.services import gemini
from airflow_provider_genai_batch.wire.services.http import HttpAnswer, read_object
from tests.client.places import MODEL, lines

TEXT = "@"
ODD = {
    "half a surrogate pair": (b"a \\ud800 b", "a \ufffd b"),
    "the other half": (b"a \\\\\\udc00", "a \\\ufffd"),
    "a whole pair and half of one": (b"\\ud83d\\ude00\\ud83d", "\U0001f600\ufffd"),
    "what only looks like one": (b"\\\\ud800 \\ud800", "\\ud800 \ufffd"),
    "bytes that are no UTF-8": (b"caf\xe9", "caf\ufffd"),
    "a bare control character": (b"a\tb\x00c", "a\tb\x00c"),
}
MANY = b"9" * 5000


def line(key: str, text: bytes = b"fine", more: bytes = b"") -> bytes:
    said = {"content": {"parts": [{"text": TEXT}], "role": "model"}, "finishReason": "STOP"}
    usage = {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5}
    response = {"candidates": [said], "usageMetadata": usage, "modelVersion": "m"}
    whole = json.dumps({"key": key, "response": response}).encode()
    return whole.replace(TEXT.encode(), text).removesuffix(b"}}") + more + b"}}\n"


def read(
    data: bytes, backend: Backend = Backend.GEMINI, *, keep_response: bool = False
) -> list[dict[str, Any]]:
    reader = RowReader(backend, Reading(keep_response=keep_response))
    return [*reader.feed(data), *reader.end()]


@pytest.mark.parametrize("backend", list(Backend))
@pytest.mark.parametrize("kind", ODD)
def test_an_odd_character_is_replaced_and_the_rest_of_the_answer_kept(kind: str, backend: Backend) -> None:
    spelled, text = ODD[kind]
    rows = read(line("a") + line("b", spelled) + line("c"), backend)
    assert [(row["key"], row["status"], row["text"]) for row in rows] == [
        ("a", "ok", "fine"),
        ("b", "ok", text),
        ("c", "ok", "fine"),
    ]
    assert rows[1]["usage"]["total"] == 5


def test_an_endless_number_costs_no_more_than_itself() -> None:
    (row,) = read(line("a", more=b', "seed": ' + MANY), keep_response=True)
    assert (row["status"], row["text"]) == ("ok", "fine")
    (row,) = read(line("a").replace(b'"promptTokenCount": 3', b'"promptTokenCount": ' + MANY))
    assert (row["status"], row["text"], row["usage"]["output"]) == ("ok", "fine", 2)


@pytest.mark.parametrize("text", [b"\\ud800", b"\xff"])
def test_rows_in_the_job_itself_are_read_so_too(text: bytes) -> None:
    entry = line("a", text).replace(b'"key": "a"', b'"metadata": {"key": "a"}')
    entry = entry.removesuffix(b"}}\n") + b', "seed": ' + MANY + b"}}"
    body = b'{"response": {"inlinedResponses": {"inlinedResponses": [' + entry + b"]}}, " + b'"done": true}'
    (found,) = gemini.inline_rows(read_object(HttpAnswer(200, {}, body)))
    assert found["metadata"] == {"key": "a"}
    assert found["response"]["candidates"][0]["content"]["parts"][0]["text"] == "\ufffd"


def test_a_line_that_is_too_long_is_not_held_and_its_row_is_invalid() -> None:
    reader = RowReader(Backend.GEMINI)
    piece = b"x" * 1024 * 1024
    rows = reader.feed(line("a") + b'{"key": "lo\\u006eg", "response": {"candidates": "')
    for _ in range(2 * limits.MAX_LINE_BYTES // len(piece)):
        rows += reader.feed(piece)
    rows += reader.feed(b'"}}\n' + line("c"))
    assert [(row["key"], row["status"]) for row in rows] == [("a", "ok"), ("long", "invalid"), ("c", "ok")]
    assert rows[1]["error"]["status"] == TOO_LONG
    assert f"longer than {limits.MAX_LINE_BYTES} bytes" in rows[1]["error"]["message"]
    assert (reader.line, reader.bad) == (3, [f"line 2: longer than {limits.MAX_LINE_BYTES} bytes"])


def test_the_key_of_such_a_line_may_come_last_and_the_line_too() -> None:
    reader = RowReader(Backend.VERTEX)
    piece = b'"key": "not this one", ' * 50_000
    rows = reader.feed(b'{"request": {')
    for _ in range(2 * limits.MAX_LINE_BYTES // len(piece)):
        rows += reader.feed(piece)
    rows += reader.feed(b'"a": 1}, "key": "key=7"}')
    rows += reader.end()
    assert [(row["key"], row["status"]) for row in rows] == [("7", "invalid")]


def test_what_is_compressed_is_unpacked_a_piece_at_a_time() -> None:
    packer = zlib.compressobj(wbits=31)
    packed = packer.compress(bytes(100 * PIECE_BYTES + 7)) + packer.flush()
    assert len(packed) < PIECE_BYTES // 4
    gunzip = Gunzip()
    half = len(packed) // 2
    sizes = [len(piece) for part in (packed[:half], packed[half:]) for piece in gunzip.feed(part)]
    gunzip.end()
    assert (max(sizes), sum(sizes)) == (PIECE_BYTES, 100 * PIECE_BYTES + 7)


# ------------------------------------------------------------ whole jobs


@pytest.fixture
def client(vertex: Emulator) -> Iterator[GenAIBatchClient]:
    with GenAIBatchHook().get_conn() as opened:
        yield opened


def ended(vertex: Emulator, client: GenAIBatchClient, storage: CloudStorage, rows: list[bytes]) -> BatchJob:
    """Have a job end whose only file has these lines."""
    vertex.script(JobScript(lifecycle=Lifecycle.at_once(), shuffle=False))
    place = f"gs://emulator-staging/{uuid4().hex}"
    storage.write(f"{place}/in.jsonl", [lines(*(stamp(number) for number in range(len(rows))))])
    job = client.get(client.create(MODEL, f"{place}/in.jsonl", dest=f"{place}/out/").name)
    assert job.output.gcs_directory is not None
    (shard,) = [uri for uri, _ in storage.list(f"{job.output.gcs_directory}/") if uri.endswith(".jsonl")]
    storage.write(shard, [b"".join(rows)])
    return job


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_odd_rows_land_and_no_request_is_missing(
    vertex: Emulator, client: GenAIBatchClient, cloud_storage: CloudStorage, tmp_path: Path, form: str
) -> None:
    texts = [spelled for spelled, _ in ODD.values()]
    rows = [line(stamp(number), text, b', "seed": ' + MANY) for number, text in enumerate(texts)]
    job = ended(vertex, client, cloud_storage, rows)
    out = tmp_path / f"rows.{form}"
    asked = InputFacts(len(rows), keyed=True, stamped=True)
    tally = land_jobs(client, [job], Landing(str(out), facts=asked))
    assert tally.counts == RowCounts(total=len(ODD), ok=len(ODD))
    landed = (
        pq.read_table(out).to_pylist()
        if form == "parquet"
        else [json.loads(one) for one in out.read_text().splitlines()]
    )
    assert [row["text"] for row in landed] == [text for _, text in ODD.values()]


def test_a_file_that_cannot_be_read_at_all_is_told_from_none_with_the_number_of_its_lines(
    vertex: Emulator, client: GenAIBatchClient, cloud_storage: CloudStorage, caplog: pytest.LogCaptureFixture
) -> None:
    job = ended(vertex, client, cloud_storage, [b"\x00\x01 encrypted\n"] * 7)
    with caplog.at_level(logging.WARNING), pytest.raises(UnreadableAnswer, match="7 lines arrived, and none"):
        [*client.rows(job)]
