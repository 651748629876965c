"""A disk or a bucket that fills up while rows land: nothing is published, and the retry lands them without paying."""

from __future__ import annotations

import errno
import gzip
import io
import json
import random
import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow.parquet as pq
import pytest

from airflow_provider_genai_batch.emulator import Emulator, JobScript
from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage
from airflow_provider_genai_batch.exceptions import ResultsNotWritten
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.results.sinks import FORMS, Form, opened
from airflow_provider_genai_batch.results.write import spell
from airflow_provider_genai_batch.task.jobs import settler
from airflow_provider_genai_batch.task.landing.read_again import reread_columns
from airflow_provider_genai_batch.task.settings.order import read_order
from airflow_provider_genai_batch.wire.answers.results import missing_row
from airflow_provider_genai_batch.wire.keys import stamp
from tests.dags import Ran, run_dag
from tests.operators.scenes import MODEL, client
from tests.tampering import Tampering, Trouble

ROWS = 400
YESTERDAY = b"of yesterday"


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_genai_batch.client.transport.retries.backoff", lambda *_: 0.0)


def ask(emulator: Emulator, uri: str, **settings: Any) -> Ran:
    """Ask for rows that cannot be compressed to nothing, with one retry."""
    chance = random.Random(7)
    emulator.script(JobScript(answers={stamp(n): chance.randbytes(1000).hex() for n in range(ROWS)}))
    return run_dag(
        lambda: GenAIBatchOperator(
            task_id="ask",
            model=MODEL,
            src=[f"Say {n}" for n in range(ROWS)],
            results_uri=uri,
            poll_interval=0.05,
            retries=1,
            retry_delay=0,
            **settings,
        )
    )


def expect_one_failure_and_no_second_job(emulator: Emulator, ran: Ran, uri: str) -> None:
    (error,) = ran.errors
    assert isinstance(error, ResultsNotWritten)
    assert ran.state == "success"
    assert ran.tries["ask"] == 2
    (job,) = emulator.jobs
    assert error.job_names == (job["name"],)
    for words in (
        uri,
        job["name"],
        "they are still at the service",
        "reattaches to the same job and pays nothing",
    ):
        assert words in str(error)


def count(data: bytes, form: Form) -> int:
    if form == "parquet":
        return int(pq.read_table(io.BytesIO(data)).num_rows)
    return len((gzip.decompress(data) if form == "jsonl.gz" else data).splitlines())


@contextmanager
def small_files(size: int) -> Iterator[None]:
    """Let no file of this process grow over a size, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def at_first(
    monkeypatch: pytest.MonkeyPatch, trouble: AbstractContextManager[None], look: Callable[[], Any]
) -> list[Any]:
    """Let rows land in trouble for the first time; notes what `look` sees after that."""
    seen: list[Any] = []
    land_jobs = settler.land_jobs

    def land(*args: Any) -> Any:
        if seen:
            return land_jobs(*args)
        try:
            with trouble:
                return land_jobs(*args)
        finally:
            seen.append(look())

    monkeypatch.setattr(settler, "land_jobs", land)
    return seen


@pytest.mark.parametrize("size", [0, 100_000], ids=["full from the start", "full in the middle"])
@pytest.mark.parametrize("form", FORMS)
def test_a_disk_that_is_full_leaves_what_was_there_and_nothing_aside(
    gemini: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: Form, size: int
) -> None:
    out = tmp_path / f"rows.{form}"
    out.write_bytes(YESTERDAY)
    seen = at_first(
        monkeypatch,
        small_files(size),
        lambda: ({path.name for path in tmp_path.iterdir()}, out.read_bytes()),
    )
    ran = ask(gemini, str(out))
    expect_one_failure_and_no_second_job(gemini, ran, str(out))
    assert "File too large" in str(ran.errors[0])
    assert seen == [({out.name}, YESTERDAY)]
    assert count(out.read_bytes(), form) == ROWS
    assert {path.name for path in tmp_path.iterdir()} == {out.name}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_tells_that_there_is_no_space_left(form: Form) -> None:
    line = spell(missing_row("k" * 500, 1)) + b"\n"

    def fill() -> None:
        with Path("/dev/full").open("wb", buffering=0) as full, opened(full, form) as write:
            for _ in range(20_000):
                write(line)

    with pytest.raises(OSError, match="No space left") as caught:
        fill()
    assert caught.value.errno == errno.ENOSPC


def test_a_disk_without_room_for_the_columns_of_the_input_is_no_reason_to_land_without_them(
    gemini: Emulator, tmp_path: Path
) -> None:
    (path := tmp_path / "in.jsonl").write_bytes(
        b"".join(json.dumps({"text": f"{n} {'x' * 900}"}).encode() + b"\n" for n in range(300))
    )
    with client() as service:
        order = read_order(service.config, model=MODEL, src=str(path), prompt="Say {text}")
        with (
            small_files(100_000),
            pytest.raises(ResultsNotWritten, match=r"File too large.*they are still at the service"),
            reread_columns(service, lambda: order, "any"),
        ):
            pass


@pytest.fixture
def between(cloud_storage: CloudStorage) -> Iterator[Tampering]:
    with Tampering(cloud_storage.url) as running:
        yield running


@contextmanager
def refused(between: Tampering, request: str, **settings: Any) -> Iterator[None]:
    """Refuse requests, of which there is one at least."""
    trouble = Trouble(request, "refused", **settings)
    between.troubles.append(trouble)
    try:
        yield
    finally:
        between.troubles.remove(trouble)
        assert trouble.seen


def objects(storage: CloudStorage, place: str) -> dict[str, bytes]:
    return {
        uri.removeprefix(f"{place}/"): b"".join(storage.read(uri)) for uri, _ in storage.list(f"{place}/")
    }


@pytest.fixture
def behind(vertex: Emulator, between: Tampering, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Give Vertex AI with a connection whose Cloud Storage can be told to refuse."""
    connection = vertex.connection("vertex")
    connection["extra"]["storage_endpoint"] = between.url
    monkeypatch.setenv("AIRFLOW_CONN_GENAI_BATCH_DEFAULT", json.dumps(connection))
    monkeypatch.setattr("airflow_provider_genai_batch.task.files.streamed.CHUNK_BYTES", 256 * 1024)
    return vertex


@pytest.mark.parametrize(
    ("form", "status", "request_", "after"),
    [
        ("jsonl", 507, "^PUT .*name=", 1),
        ("jsonl.gz", 403, "^PUT .*name=", 1),
        ("parquet", 429, "^PUT .*name=", 1),
        ("jsonl", 403, "^POST .*name=", 0),
    ],
)
def test_a_bucket_that_is_full_leaves_what_was_there(
    behind: Emulator,
    between: Tampering,
    cloud_storage: CloudStorage,
    monkeypatch: pytest.MonkeyPatch,
    form: Form,
    status: int,
    request_: str,
    after: int,
) -> None:
    place, name = f"gs://emulator-staging/{uuid4().hex}", f"rows.{form}"
    cloud_storage.write(f"{place}/rows/{name}", [YESTERDAY])
    seen = at_first(
        monkeypatch,
        refused(between, request_, status=status, after=after),
        lambda: objects(cloud_storage, f"{place}/rows"),
    )
    ran = ask(behind, f"{place}/rows/{name}", dest=f"{place}/out/")
    expect_one_failure_and_no_second_job(behind, ran, f"{place}/rows/{name}")
    assert "the bucket is over its quota" in str(ran.errors[0])
    assert seen == [{name: YESTERDAY}]
    landed = objects(cloud_storage, f"{place}/rows")
    assert landed.keys() == {name}
    assert count(landed[name], form) == ROWS


def test_a_disk_that_is_too_small_for_what_goes_to_a_bucket_leaves_what_was_there(
    vertex: Emulator, cloud_storage: CloudStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = f"gs://emulator-staging/{uuid4().hex}"
    cloud_storage.write(f"{place}/rows/rows.jsonl", [YESTERDAY])
    seen = at_first(monkeypatch, small_files(100_000), lambda: objects(cloud_storage, f"{place}/rows"))
    ran = ask(vertex, f"{place}/rows/rows.jsonl", dest=f"{place}/out/")
    expect_one_failure_and_no_second_job(vertex, ran, f"{place}/rows/rows.jsonl")
    assert seen == [{"rows.jsonl": YESTERDAY}]
    assert count(objects(cloud_storage, f"{place}/rows")["rows.jsonl"], "jsonl") == ROWS


@pytest.mark.parametrize("status", [507, 403])
@pytest.mark.parametrize(
    "request_", ["^POST /upload/.*part", "^POST .*part/(rewriteTo|copyTo|moveTo)/"], ids=["write", "move"]
)
@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_object_storage_of_airflows_own_that_is_full_leaves_what_was_there(
    gemini: Emulator,
    between: Tampering,
    cloud_storage: CloudStorage,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    request_: str,
    form: Form,
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", between.url)
    google = {"conn_type": "google_cloud_platform", "extra": {"is_anonymous": True, "project": "p"}}
    monkeypatch.setenv("AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT", json.dumps(google))
    place, name = f"gs://emulator-staging/{uuid4().hex}", f"rows.{form}"
    cloud_storage.write(f"{place}/{name}", [YESTERDAY])
    seen = at_first(
        monkeypatch, refused(between, request_, status=status), lambda: objects(cloud_storage, place)
    )
    ran = ask(gemini, f"{place}/{name}")
    expect_one_failure_and_no_second_job(gemini, ran, f"{place}/{name}")
    assert "the bucket is over its quota" in str(ran.errors[0])
    assert seen == [{name: YESTERDAY}], "something was left behind"
    landed = objects(cloud_storage, place)
    assert landed.keys() == {name}
    assert count(landed[name], form) == ROWS
