"""A journal keeps answers in parts, on a disk or in a store, and tells what a round has come to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import fsspec
import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath
from airflow.sdk.io import attach

from airflow_provider_genai_batch.client import ClientConfig, GenAIBatchClient
from airflow_provider_genai_batch.flows import retry
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.jobs.identity import Identity
from airflow_provider_genai_batch.models.jobs.journal import Writer, is_journaled
from airflow_provider_genai_batch.models.tier import Tier
from airflow_provider_genai_batch.task.journal.journal import Journal, Part, get_journaled
from airflow_provider_genai_batch.task.journal.journals import Journals
from airflow_provider_genai_batch.task.journal.writer import PART_LINES, JournalWriter
from airflow_provider_genai_batch.wire.answers.answer import Reading

TAG = f"{'a' * 16}-{'b' * 16}-r0"
WRITER = Writer.new(TAG, Tier.FLEX, 1_790_000_000, "01234567")


@pytest.fixture
def client() -> Iterator[GenAIBatchClient]:
    with GenAIBatchClient(ClientConfig(Backend.GEMINI, api_key="any")) as opened:
        yield opened


@pytest.fixture(params=["disk", "store"])
def results_uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "disk":
        return str(tmp_path / "rows.jsonl")
    attach("memory", fs=fsspec.filesystem("memory"))
    return str(ObjectStoragePath(f"memory://{tmp_path.name}/rows.jsonl"))


def line(number: int) -> bytes:
    answer = {"candidates": [{"content": {"parts": [{"text": f"answer {number}"}]}, "finishReason": "STOP"}]}
    usage = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2, "serviceTier": "flex"}
    response = {**answer, "usageMetadata": usage, "modelVersion": "m"}
    return json.dumps({"key": f"k{number}", "response": response}).encode() + b"\n"


async def test_lines_come_back_as_rows_and_parts_are_as_large_as_they_may_be(
    client: GenAIBatchClient, results_uri: str
) -> None:
    journal, durable = Journal(client, results_uri, TAG, "m"), list[int]()
    assert journal.parts() == []
    writer = JournalWriter(journal, WRITER.name, durable.append)
    writing = asyncio.ensure_future(writer.run())
    for number in range(PART_LINES + 44):
        writer.add(line(number))
    assert writer.waiting == PART_LINES + 44
    writer.close()
    await writing
    assert (writer.waiting, sum(durable), writer.durable) == (0, PART_LINES + 44, PART_LINES + 44)
    assert len(writer.parts) <= 2, "lines that wait together are written together"
    parts = journal.parts()
    assert parts == writer.parts
    assert len(journal.keys(parts)) == PART_LINES + 44
    job = get_journaled(client, results_uri, WRITER.job_name, "m")
    assert is_journaled(job.name)
    assert (job.counts.finished, job.done, job.create_time) == (PART_LINES + 44, True, WRITER.begun)
    rows = [*journal.rows(job, Reading())]
    assert [row["text"] for row in rows] == [f"answer {number}" for number in range(PART_LINES + 44)]
    assert {row["tier"] for row in rows} == {"flex"}


async def test_a_line_is_written_after_a_moment_also_when_no_other_comes(
    client: GenAIBatchClient, tmp_path: Path
) -> None:
    kept = asyncio.Event()
    journal = Journal(client, str(tmp_path / "rows.jsonl"), TAG, "m")
    writer = JournalWriter(journal, WRITER.name, lambda _: kept.set())
    writing = asyncio.ensure_future(writer.run())
    writer.add(line(0))
    await asyncio.wait_for(kept.wait(), 60)
    assert journal.parts() == writer.parts
    writer.close()
    await writing


class Full(Journal):
    """A journal whose disk is full for a while."""

    refusals = 2

    def write(self, part: Part, lines: Sequence[bytes]) -> None:
        if self.refusals:
            self.refusals -= 1
            msg = "no space left"
            raise OSError(msg)
        super().write(part, lines)


async def test_trouble_with_the_place_is_waited_out_and_for_good_it_ends_the_asking(
    client: GenAIBatchClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "FIRST", 0.01)
    for refusals, kept in ((2, 1), (99, 0)):
        journal = Full(client, str(tmp_path / f"{refusals}" / "rows.jsonl"), TAG, "m")
        journal.refusals = refusals
        writer = JournalWriter(journal, WRITER.name, lambda _: None)
        writer.add(line(0))
        writer.close()
        if kept:
            await writer.run()
        else:
            with pytest.raises(OSError, match="no space"):
                await writer.run()
        assert len(journal.parts()) == kept


def test_what_is_no_part_and_what_is_half_a_line_disturbs_nobody(
    client: GenAIBatchClient, tmp_path: Path
) -> None:
    journal = Journal(client, str(tmp_path / "rows.jsonl"), TAG, "m")
    journal.write(Part.named(WRITER.name, 0, 2, 1_790_000_001), [line(0), line(1)[:30]])
    (Path(journal.folder) / "README").write_text("others' words")
    (Path(journal.folder) / ".genai-batch-0-1.part").write_bytes(line(7))
    (part,) = journal.parts()
    assert [*map(journal.keys([part]).__contains__, ("k0", "k1"))] == [True, False]
    job = journal.job(WRITER.name, [part])
    assert [row["key"] for row in journal.rows(job, Reading())] == ["k0"]


def test_journals_of_one_input_are_found_whatever_they_followed(
    client: GenAIBatchClient, results_uri: str
) -> None:
    whole = Identity("a" * 64, "b" * 64)
    mine = [whole.piece(["followed"], 1).tag, whole.piece(["another"], 2).tag]
    for tag in (*mine, whole.tag, Identity("a" * 64, "c" * 64, 1).tag, Identity("d" * 64, "b" * 64, 1).tag):
        Journal(client, results_uri, tag, "m").write(Part.named(WRITER.name, 0, 1, 1_790_000_000), [line(1)])
    found = Journals(client, results_uri, None).since(whole, range(1, 9))
    assert {Writer.of(job.name).tag for job in found} == {*mine}
    known = [found[0].name]
    assert Journals(client, results_uri, None).since(whole, range(1, 9), known) == found[1:]
