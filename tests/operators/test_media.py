"""Pictures and sound land as files: on both services, in place and deferred, landed again, and after a death."""

from __future__ import annotations

import json
import random
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.exceptions import ResultsNotWritten
from airflow_provider_genai_batch.hooks.genai_batch import read_rows
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator, GenAIBatchResultsOperator
from airflow_provider_genai_batch.task.landing.media import MediaFolder
from tests.dags import Ran, run_dag
from tests.operators.scenes import client

PICTURES = "gemini-2.5-flash-image"
SOUND = "audio/L16;codec=pcm;rate=24000"
KEYS = ["../up", "Cat", "cat", *(f"r/{number}" for number in range(17))]


def drawn(prompt: str) -> bytes:
    """Return what the prompt is answered with."""
    return random.Random(prompt).randbytes(20_000)


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Answer with a thought picture, a text, a picture, and a sound where that is wanted."""
    prompt = request["contents"][0]["parts"][0]["text"]
    data = b64encode(drawn(prompt)).decode()
    parts: list[dict[str, Any]] = [
        {"thought": True, "inlineData": {"mimeType": "image/png", "data": b64encode(b"draft").decode()}},
        {"text": prompt},
        {"inlineData": {"mimeType": "image/png", "data": data}},
    ]
    if "sound" in prompt:
        parts.append({"inlineData": {"mimeType": SOUND, "data": data}})
    return {"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}]}


@pytest.fixture
def emulator_settings() -> dict[str, Any]:
    return {"answer": answer}


def asked() -> list[dict[str, Any]]:
    return [{"key": key, "contents": f"draw {key}{' with sound' if key == 'Cat' else ''}"} for key in KEYS]


def where(backend: str, folder: Path) -> dict[str, Any]:
    """Return where a job of a service is to leave things; on Vertex AI all of it in Cloud Storage."""
    place = f"gs://emulator-staging/{uuid4().hex}"
    rows = {"results_uri": str(folder / "rows.jsonl")}
    if backend == "gemini":
        return {**rows, "media_uri": str(folder / "media")}
    return {**rows, "media_uri": f"{place}/media/", "dest": f"{place}/out/"}


def ask(places: dict[str, Any], **settings: Any) -> Ran:
    return run_dag(
        lambda: GenAIBatchOperator(
            **{
                "task_id": "ask",
                "model": PICTURES,
                "src": asked(),
                "poll_interval": 0.05,
                **places,
                **settings,
            }
        )
    )


def landed(places: dict[str, Any]) -> dict[str, dict[str, Any]]:
    lines = Path(places["results_uri"]).read_text().splitlines()
    return {row["key"]: row for row in map(json.loads, lines)}


def files(uri: str) -> dict[str, bytes]:
    """Return what is in a folder, by address."""
    if "://" not in uri:
        return {str(path): path.read_bytes() for path in Path(uri).iterdir()}
    with client() as service:
        found, _ = service.perform(service.calls.list_objects(uri, page_token=""))
        return {one.uri: b"".join(service.download(one.uri)) for one in found}


def expect_all_files(places: dict[str, Any]) -> None:
    rows, there = landed(places), files(places["media_uri"])
    assert {row["status"] for row in rows.values()} == {"ok"}
    assert rows.keys() == set(KEYS)
    said = [(row, medium) for row in rows.values() for medium in row["media"]]
    assert {medium["uri"] for _, medium in said} == there.keys(), "a draft or another file is there too"
    assert len(said) == len(KEYS) + 1
    for row, medium in said:
        data = there[medium["uri"]]
        assert data.endswith(drawn(row["text"]))
        assert (medium["bytes"], medium["sha256"]) == (len(data), sha256(data).hexdigest())
        assert medium["candidate"] == 0
        kind = "wav" if medium["part"] == 3 else "png"
        assert medium["uri"].endswith(f".{kind}")
        assert f"-0-{medium['part']}-" in medium["uri"]


@pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])
@pytest.mark.parametrize("backend", ["gemini", "vertex"])
def test_pictures_and_sound_land_as_files_which_landing_again_leaves_as_they_are(
    request: pytest.FixtureRequest, tmp_path: Path, backend: str, deferrable: bool
) -> None:
    service: Emulator = request.getfixturevalue(backend)
    places = where(backend, tmp_path)
    ran = ask(places, deferrable=deferrable)
    assert ran.state == "success", ran.errors
    (job,) = service.jobs
    expect_all_files(places)
    manifest = ran.xcom["ask"]
    assert manifest["media_uri"] == places["media_uri"]
    assert manifest["dropped"]["thought.inlineData"] == len(KEYS), "pictures of thoughts are no answers"
    assert {row.key: row.media and len(row.media) for row in read_rows(manifest)} == {
        key: 2 if key == "Cat" else 1 for key in KEYS
    }
    first, before = landed(places), files(places["media_uri"])
    again = {**places, "results_uri": str(tmp_path / "again.jsonl")}
    names = {name: again[name] for name in ("results_uri", "media_uri")}
    land = run_dag(
        lambda: GenAIBatchResultsOperator(task_id="land", job_names=ran.xcom["ask"]["job_names"], **names)
    )
    assert land.state == "success", land.errors
    assert landed(again) == {key: {**row, "index": None} for key, row in first.items()}
    assert files(places["media_uri"]) == before
    assert job["name"] == ran.xcom["ask"]["job_names"][0]


def test_an_attempt_that_ends_amid_the_files_leaves_them_to_the_next_one(
    gemini: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[str | None] = []
    write = MediaFolder.__call__

    def full_once(self: MediaFolder, key: str | None, *args: Any) -> dict[str, Any]:
        given.append(key)
        if len(given) == 8:
            raise OSError(28, "No space left on device")
        return write(self, key, *args)

    monkeypatch.setattr(MediaFolder, "__call__", full_once)
    places = where("gemini", tmp_path)
    ran = ask(places, retries=1, retry_delay=0)
    assert ran.state == "success", ran.errors
    assert isinstance(ran.errors[0], ResultsNotWritten)
    assert "are paid for" in str(ran.errors[0])
    assert len(gemini.jobs) == 1
    expect_all_files(places)


def test_without_a_folder_the_response_is_kept_or_the_loss_is_counted(
    gemini: Emulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = {"results_uri": str(tmp_path / "rows.jsonl")}
    ran = ask(rows, keep="response")
    assert ran.state == "success", ran.errors
    row = landed(rows)["cat"]
    data = row["response"]["candidates"][0]["content"]["parts"][2]["inlineData"]["data"]
    assert b64decode(data) == drawn("draw cat")
    assert "media" not in row
    land = run_dag(
        lambda: GenAIBatchResultsOperator(task_id="land", job_names=ran.xcom["ask"]["job_names"], **rows)
    )
    assert land.xcom["land"]["dropped"]["inlineData"] == len(KEYS) + 1
    assert "media_uri takes pictures and sound (inlineData) as files" in caplog.text


def test_files_are_written_where_no_rows_are_landed_too(gemini: Emulator, tmp_path: Path) -> None:
    places = where("gemini", tmp_path)
    del places["results_uri"]
    ran = ask(places)
    assert ran.state == "success", ran.errors
    there = files(places["media_uri"])
    assert len(there) == len(KEYS) + 1
    said = [medium for row in read_rows(ran.xcom["ask"]) for medium in row.media or ()]
    assert {medium.uri: (medium.bytes, medium.sha256) for medium in said} == {
        uri: (len(data), sha256(data).hexdigest()) for uri, data in there.items()
    }
