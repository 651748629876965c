"""Rows whose download was cut off somewhere between the service and here: noticed, and read again."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from airflow_provider_genai_batch.client.transport.retries import TRIES
from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle
from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage
from airflow_provider_genai_batch.exceptions import CallError, TransportError
from tests.client.places import BUCKET, MODEL, gemini_config, lines, vertex_config
from tests.client.raw import RawServer, answer
from tests.tampering import Tampering, Trouble

KEYS = [f"row-{number}" for number in range(60)]


@dataclass
class Ended:
    """An ended job, and a client that reads its rows through a server that can be told to cut them off."""

    client: Any
    job: str
    between: Tampering
    request: str
    """What asks for rows."""

    def keys(self) -> list[str | None]:
        return sorted((row.key for row in self.client.rows(self.job)), key=KEYS.index)

    def happens(self, kind: Any, **settings: Any) -> Trouble:
        trouble = Trouble(self.request, kind, **settings)
        self.between.troubles.append(trouble)
        return trouble


@pytest.fixture(params=["a file", "inline", "an object", "several objects"])
def ended(request: pytest.FixtureRequest, connect: Any, naps: list[float]) -> Iterator[Ended]:
    if request.param in ("a file", "inline"):
        emulator: Emulator = request.getfixturevalue("emulator")
        emulator.script(JobScript(lifecycle=Lifecycle.at_once(), inline_results=request.param == "inline"))
        with Tampering(emulator.url) as between:
            client = connect(gemini_config(emulator, host=between.url))
            job = client.create(MODEL, client.upload(io.BytesIO(lines(*KEYS))))
            asks = ":download" if request.param == "a file" else "^GET /v1beta/batches/[^?]*$"
            yield Ended(client, job.name, between, asks)
        return
    storage: CloudStorage = request.getfixturevalue("cloud_storage")
    emulator = request.getfixturevalue("vertex_emulator")
    shards = 1 if request.param == "an object" else 3
    emulator.script(JobScript(lifecycle=Lifecycle.at_once(), shards=shards))
    place = f"{BUCKET}/{uuid4().hex}"
    storage.write(f"{place}/in.jsonl", [lines(*KEYS)])
    with Tampering(storage.url) as between:
        client = connect(vertex_config(emulator, storage_endpoint=between.url))
        job = client.create(MODEL, f"{place}/in.jsonl", dest=f"{place}/out/")
        client.get(job.name)
        yield Ended(client, job.name, between, "alt=media")


@pytest.mark.parametrize("kind", ["breaks off", "gzip cut"])
def test_rows_that_were_cut_off_are_read_again(ended: Ended, kind: str) -> None:
    trouble = ended.happens(kind, times=2)
    assert ended.keys() == KEYS
    assert len(trouble.seen) > 2


@pytest.mark.parametrize("kind", ["breaks off", "gzip cut"])
def test_rows_that_are_cut_off_each_time_are_no_rows(ended: Ended, kind: str) -> None:
    ended.happens(kind)
    with pytest.raises(CallError) as caught:
        ended.keys()
    assert caught.value.method


@pytest.mark.parametrize("ended", ["a file", "an object"], indirect=True)
def test_rows_may_come_compressed_in_several_members(ended: Ended) -> None:
    trouble = ended.happens("zipped")
    assert ended.keys() == KEYS
    assert trouble.seen


def test_an_encoding_that_was_not_asked_for_is_not_read_as_rows(
    connect: Any, emulator: Emulator, naps: list[float]
) -> None:
    with RawServer(lambda request: answer(request, 200, b"\x00", Content_Encoding="br")) as server:
        client = connect(gemini_config(type("Place", (), {"url": server.url})))
        with pytest.raises(TransportError, match="encoded as br"):
            client.download("files/batch-a")
        assert len(server.seen) == TRIES
        assert {headers["accept-encoding"] for _, _, headers in server.seen} == {"gzip"}
