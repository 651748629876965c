"""Rows that came to an end too early, and nothing but the service's own count tells."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pytest

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle
from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage
from airflow_provider_genai_batch.exceptions import TransportError
from airflow_provider_genai_batch.models import BatchJob, RowCounts
from airflow_provider_genai_batch.task.inputs.facts import InputFacts
from airflow_provider_genai_batch.task.landing.land import land_jobs
from airflow_provider_genai_batch.task.landing.landing import Landing
from airflow_provider_genai_batch.wire.keys import MASK, key_digest, stamp
from tests.client.places import BUCKET, MODEL, gemini_config, lines, vertex_config
from tests.tampering import Tampering, Trouble

STAMPS = [stamp(number) for number in range(40)]
OWN = [f"key-{number}" for number in range(40)]
LOGGER = "airflow_provider_genai_batch.task.landing.land"


class Scene(NamedTuple):
    client: GenAIBatchClient
    emulator: Emulator
    between: Tampering
    request: str
    place: str | None

    def answered(self, keys: list[str], **script: Any) -> BatchJob:
        self.emulator.script(JobScript(lifecycle=Lifecycle.at_once(), **script))
        target = self.place and f"{self.place}/in.jsonl"
        dest = {"dest": f"{self.place}/out/"} if self.place else {}
        name = self.client.upload(io.BytesIO(lines(*keys)), target)
        return self.client.get(self.client.create(MODEL, name, **dest).name)

    def happens(self, **settings: Any) -> Trouble:
        trouble = Trouble(self.request, "cut", **settings)
        self.between.troubles.append(trouble)
        return trouble


@pytest.fixture(params=["gemini", "vertex"])
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    if request.param == "gemini":
        with (
            Emulator() as emulator,
            Tampering(emulator.url) as between,
            GenAIBatchClient(gemini_config(emulator, host=between.url)) as client,
        ):
            yield Scene(client, emulator, between, ":download", None)
        return
    storage: CloudStorage = request.getfixturevalue("cloud_storage")
    with (
        Emulator(storage=storage) as emulator,
        Tampering(storage.url) as between,
        GenAIBatchClient(vertex_config(emulator, storage_endpoint=between.url)) as client,
    ):
        yield Scene(client, emulator, between, "alt=media", f"{BUCKET}/{uuid4().hex}")


def landing(keys: list[str], out: Path) -> Landing:
    asked = InputFacts(
        len(keys), keyed=True, stamped=keys == STAMPS, key_sum=sum(map(key_digest, keys)) & MASK
    )
    return Landing(str(out), facts=asked, keys=lambda: iter(keys))


@pytest.mark.parametrize("keys", [OWN, STAMPS], ids=["own keys", "stamps"])
@pytest.mark.parametrize("form", ["jsonl", "jsonl.gz", "parquet"])
def test_fewer_rows_than_the_service_has_counted_are_read_again(
    scene: Scene, tmp_path: Path, keys: list[str], form: str, caplog: pytest.LogCaptureFixture
) -> None:
    job = scene.answered(keys)
    trouble = scene.happens(times=1)
    with caplog.at_level(logging.WARNING, LOGGER):
        tally = land_jobs(scene.client, [job], landing(keys, tmp_path / f"rows.{form}"))
    assert tally.counts == RowCounts(total=40, ok=40)
    assert len(trouble.seen) == 2
    assert caplog.messages == ["The service has counted 40 rows and 20 arrived; reading them again."]


@pytest.mark.parametrize("keys", [OWN, STAMPS], ids=["own keys", "stamps"])
def test_rows_that_are_as_few_the_second_time_are_missing(
    scene: Scene, tmp_path: Path, keys: list[str]
) -> None:
    job = scene.answered(keys, shuffle=False)
    trouble = scene.happens(share=4)
    tally = land_jobs(scene.client, [job], landing(keys, tmp_path / "rows.jsonl"))
    assert tally.counts == RowCounts(total=40, ok=10, missing=30)
    assert sum(tally.unanswered(key, index) for index, key in enumerate(keys)) == 30
    assert len(trouble.seen) == 2


@pytest.mark.parametrize("there", [None, b"of yesterday"])
def test_while_rows_are_awaited_those_that_are_there_are_counted_and_not_published(
    scene: Scene, tmp_path: Path, there: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "rows.jsonl"
    if there is not None:
        out.write_bytes(there)
    job = scene.answered(STAMPS)
    scene.happens(times=1)
    with caplog.at_level(logging.WARNING, LOGGER):
        tally = land_jobs(scene.client, [job], replace(landing(STAMPS, out), partly=False))
    assert tally.counts == RowCounts(total=40, ok=20, missing=20)
    assert (out.read_bytes() if out.exists() else None) == there
    assert len(list(tmp_path.iterdir())) == (there is not None)
    assert caplog.messages == [
        f"Fewer rows arrived than the service has counted (20 of 40 of {job.name}); reading again."
    ]
    land_jobs(scene.client, [job], replace(landing(STAMPS, out), partly=False))
    assert len(out.read_bytes().splitlines()) == 40


def test_rows_whose_number_is_another_each_time_are_not_landed(scene: Scene, tmp_path: Path) -> None:
    job = scene.answered(STAMPS)
    (tmp_path / "rows.jsonl").write_bytes(b"of yesterday")
    for share in (2, 3, 4, 5):
        scene.happens(times=1, share=share)
    with pytest.raises(TransportError, match="counted 40 rows"):
        land_jobs(scene.client, [job], landing(STAMPS, tmp_path / "rows.jsonl"))
    assert (tmp_path / "rows.jsonl").read_bytes() == b"of yesterday"
    assert len(list(tmp_path.iterdir())) == 1
