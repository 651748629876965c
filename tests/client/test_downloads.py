"""Downloads: streamed, taken up again, and never with the key to a stranger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from airflow_provider_genai_batch.client import AsyncGenAIBatchClient
from airflow_provider_genai_batch.client.transport.retries import TRIES
from airflow_provider_genai_batch.emulator import Emulator, Fault, JobScript, Lifecycle
from airflow_provider_genai_batch.exceptions import (
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    QuotaExceeded,
    TransportError,
)
from tests.client.places import KEY, MODEL, Either, gemini_config, lines, vertex_config
from tests.client.raw import RawServer, answer

DATA = b"0123456789abcdef" * 4096


@pytest.fixture
def output(emulator: Emulator, gem: Any, tmp_path: Any) -> str:
    """Give the name of a generated file of some size."""
    (tmp_path / "in.jsonl").write_bytes(lines(*(f"row-{n}" for n in range(300))))
    emulator.script(JobScript(lifecycle=Lifecycle.at_once()))
    job = gem.create(MODEL, gem.upload(tmp_path / "in.jsonl"))
    return str(gem.get(job.name).output.file_name)


def test_a_generated_file_is_downloaded(gem: Any, output: str) -> None:
    assert gem.download(output).count(b"\n") == 300


@pytest.mark.parametrize(
    "faults",
    [
        [Fault.truncated()],
        [Fault.drop()],
        [Fault.error(503)],
        [Fault.html(502)],
        [Fault.error(429, retry_after=5)],
        [Fault.truncated(), Fault.error(500), Fault.drop(), Fault.truncated()],
    ],
    ids=lambda faults: "+".join(fault.kind for fault in faults),
)
def test_a_download_that_breaks_off_ends_with_the_same_bytes(
    emulator: Emulator, gem: Any, output: str, faults: list[Fault]
) -> None:
    whole = gem.download(output)
    for fault in faults:
        emulator.faults.add("files.download", fault)
    assert gem.download(output) == whole


def test_a_download_that_was_taken_up_again_has_no_chunk_without_bytes(
    emulator: Emulator, gem: Any, output: str
) -> None:
    whole = gem.chunks(output)
    emulator.faults.add("files.download", Fault.truncated())
    again = gem.chunks(output)
    assert b"".join(again) == b"".join(whole)
    assert all(again)


def test_a_download_that_never_gets_on_is_given_up(
    emulator: Emulator, gem: Any, output: str, naps: list[float]
) -> None:
    emulator.faults.add("files.download", Fault.drop(times=TRIES))
    with pytest.raises(TransportError) as caught:
        gem.download(output)
    assert caught.value.method == "files.download"
    assert len(naps) == TRIES - 1


def test_a_download_does_not_wait_an_hour_because_it_was_asked_to(
    emulator: Emulator, gem: Any, output: str, naps: list[float]
) -> None:
    emulator.faults.add("files.download", Fault.error(429, retry_after=3600))
    with pytest.raises(QuotaExceeded):
        gem.download(output)
    assert naps == []


def test_an_uploaded_file_cannot_be_downloaded(gem: Any, tmp_path: Any) -> None:
    (tmp_path / "in.jsonl").write_bytes(b"x")
    with pytest.raises(PreconditionFailed, match="not generated"):
        gem.download(gem.upload(tmp_path / "in.jsonl"))


def test_a_file_that_is_gone_is_not_asked_for_twice(emulator: Emulator, gem: Any) -> None:
    with pytest.raises((NotFound, PermissionDenied)):
        gem.download("files/batch-gone")
    assert len(emulator.requests) == 1


def test_a_download_that_comes_back_shorter_is_no_download(connect: Any, emulator: Emulator) -> None:
    from airflow_provider_genai_batch.client.storage.downloads import Resumed

    resumed = Resumed(connect(gemini_config(emulator)).calls.download_file("files/a"))
    resumed.again()
    assert resumed.take(b"0123456789") == b"0123456789"
    resumed.again()
    assert resumed.take(b"0123") == b""
    with pytest.raises(TransportError, match="6 bytes before"):
        resumed.end()


def test_a_redirect_to_another_host_goes_without_the_key(connect: Any, emulator: Emulator) -> None:
    with RawServer(lambda request: answer(request, 200, DATA)) as other:
        client = connect(gemini_config(emulator))
        emulator.faults.add("files.download", Fault.redirect(f"{other.url}/signed"))
        assert client.download("files/batch-a") == DATA
        (verb, path, headers) = other.seen[0]
    assert (verb, path) == ("GET", "/signed")
    assert "x-goog-api-key" not in headers
    assert KEY not in str(headers)


def test_a_redirect_on_the_same_host_keeps_the_key(connect: Any) -> None:
    def handle(request: Any) -> None:
        if request.path.startswith("/moved"):
            answer(request, 200, DATA)
        else:
            answer(request, 307, b"", Location="/moved")

    with RawServer(handle) as server:
        fake = type("Place", (), {"url": server.url})
        assert connect(gemini_config(fake)).download("files/batch-a") == DATA
        assert [headers.get("x-goog-api-key") for _, _, headers in server.seen] == [KEY, KEY]


def test_a_token_and_its_quota_project_stay_home_too(connect: Any, emulator: Emulator) -> None:
    body = b'{"name": "projects/1/locations/us-central1/batchPredictionJobs/1"}'
    with RawServer(lambda request: answer(request, 200, body)) as other:
        client = connect(vertex_config(emulator, google={"quota_project": "who-pays"}))
        emulator.faults.add("batchPredictionJobs.get", Fault.redirect(other.url))
        client.get("1")
        headers = other.seen[0][2]
    assert not {"authorization", "x-goog-user-project"} & set(headers)


def test_a_token_that_expires_is_renewed_in_a_download(
    on_vertex: Either, connect: Any, cloud_storage: Any
) -> None:
    refused: list[str] = []

    def handle(request: Any) -> None:
        token = request.headers["authorization"]
        if not refused:
            refused.append(token)
            answer(request, 401)
        elif token == refused[0]:
            answer(request, 500)
        else:
            answer(request, 200, DATA)

    with RawServer(handle) as storage:
        client = connect(vertex_config(on_vertex.emulator, storage_endpoint=storage.url))
        assert client.download("gs://bucket/object") == DATA
        assert len(storage.seen) == 2


async def test_a_download_that_is_left_early_gives_its_connection_back(emulator: Emulator) -> None:
    body = DATA * 64

    with RawServer(lambda request: _quietly(request, body)) as server:
        fake = type("Place", (), {"url": server.url})
        client = AsyncGenAIBatchClient(gemini_config(fake))
        for _ in range(30):  # more than the pool holds
            chunks = client.download("files/batch-a")
            async for _chunk in chunks:
                break
            await chunks.aclose()  # type: ignore[attr-defined]  # an async generator
        await client.close()
        assert len(server.seen) == 30


def test_rows_are_read_as_they_come(emulator: Emulator, gem: Any, output: str) -> None:
    iterator: Iterator[Any] = iter(gem.rows(gem.list()[0].name))
    assert next(iterator).key.startswith("row-")


def test_lines_that_are_no_rows_are_told(
    connect: Any, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    from airflow_provider_genai_batch.models import BatchJob, JobOutput
    from airflow_provider_genai_batch.models.base import Backend

    body = b'{"key": "a", "response": {}}\nnot json\n[]\n{"key": "b"'
    with RawServer(lambda request: answer(request, 200, body)) as server:
        fake = type("Place", (), {"url": server.url})
        job = BatchJob(name="batches/a", backend=Backend.GEMINI, output=JobOutput(file_name="files/batch-a"))
        rows = connect(gemini_config(fake)).rows(job)
    assert [row.key for row in rows] == ["a"]
    assert "Lines of batches/a that are not rows: 3" in caplog.text


def _quietly(request: Any, body: bytes) -> None:
    with suppress(OSError):  # the reader left
        answer(request, 200, body)
