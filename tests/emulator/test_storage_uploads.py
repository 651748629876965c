"""Resumable uploads to the stand-in for Cloud Storage, by Google's client and by hand."""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import google.cloud.storage as google_storage
import httpx
import pytest
import requests
from google.api_core.exceptions import NotFound, PreconditionFailed
from google.auth.credentials import AnonymousCredentials

from airflow_provider_genai_batch.emulator.storage.sessions import GRANULE
from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage
from tests.emulator.talk import PLAIN

_NUMBERS = count()
BYTES = b"0123456789abcdef" * (GRANULE // 16) + b"end"


@pytest.fixture(
    scope="module", params=[True, False], ids=["checks at the start too", "checks at the end only"]
)
def server(request: pytest.FixtureRequest) -> Iterator[CloudStorage]:
    with CloudStorage(check_at_start=request.param) as running:
        running.create_bucket("uploads")
        yield running


@pytest.fixture
def google(server: CloudStorage) -> Iterator[google_storage.Client]:
    with requests.Session() as session:
        yield _google(server, session)


def _google(server: CloudStorage, session: requests.Session) -> google_storage.Client:
    return google_storage.Client(
        project="test",
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
        client_options={"api_endpoint": server.url},
        _http=session,
    )


@pytest.fixture
def blob(google: google_storage.Client) -> google_storage.Blob:
    """Give an object that Google's client uploads in a session, a granule at a time."""
    return google.bucket("uploads").blob(f"in/{next(_NUMBERS)}", chunk_size=GRANULE)


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(**PLAIN) as client:
        yield client


def _upload(blob: google_storage.Blob, data: bytes = BYTES, **settings: object) -> None:
    """Upload in a session, which the client opens when it is not told the size."""
    blob.upload_from_file(io.BytesIO(data), **settings)


def _session(server: CloudStorage, http: httpx.Client, name: str, **query: object) -> str:
    url = f"{server.url}/upload/storage/v1/b/uploads/o"
    reply = http.post(url, params={"uploadType": "resumable", "name": name, **query}, json={})  # type: ignore[dict-item]
    assert reply.status_code == 200, reply.text
    return reply.headers["location"]


def _put(http: httpx.Client, session: str, data: bytes, span: str) -> httpx.Response:
    return http.put(session, content=data, headers={"Content-Range": f"bytes {span}"})


def _reason(reply: httpx.Response) -> tuple[int, str]:
    error = reply.json()["error"]
    assert error["code"] == reply.status_code
    return reply.status_code, error["errors"][0]["reason"]


def test_an_upload_in_a_session_keeps_bytes_type_and_metadata(blob: google_storage.Blob) -> None:
    blob.metadata = {"colour": "blue"}
    _upload(blob, content_type="application/jsonl")
    blob.reload()
    assert (blob.size, blob.content_type, blob.metadata) == (
        len(BYTES),
        "application/jsonl",
        {"colour": "blue"},
    )
    assert blob.download_as_bytes() == BYTES


def test_a_new_object_is_written_once(blob: google_storage.Blob) -> None:
    _upload(blob, if_generation_match=0)
    with pytest.raises(PreconditionFailed, match="pre-conditions"):
        _upload(blob, BYTES + b"more", if_generation_match=0)
    assert blob.download_as_bytes() == BYTES


def test_an_upload_in_one_request_is_refused_for_the_same_reason(
    server: CloudStorage, blob: google_storage.Blob
) -> None:
    blob.upload_from_string(b"first", if_generation_match=0)
    with pytest.raises(PreconditionFailed, match="pre-conditions") as refused:
        blob.upload_from_string(b"second", if_generation_match=0)
    assert "conditionNotMet" in str(refused.value)
    assert blob.download_as_bytes() == b"first"


def test_an_object_is_replaced_only_in_the_generation_that_was_seen(blob: google_storage.Blob) -> None:
    _upload(blob)
    seen = blob.generation
    _upload(blob, b"second", if_generation_match=seen)
    with pytest.raises(PreconditionFailed):
        _upload(blob, b"third", if_generation_match=seen)
    assert blob.download_as_bytes() == b"second"


def test_a_generation_that_must_not_be_there_is_looked_at_too(blob: google_storage.Blob) -> None:
    _upload(blob)
    with pytest.raises(PreconditionFailed):
        _upload(blob, b"second", if_generation_not_match=blob.generation)
    _upload(blob, b"third", if_generation_not_match=1)
    assert blob.download_as_bytes() == b"third"


def test_a_session_is_refused_at_its_start_where_that_is_looked_at(
    server: CloudStorage, blob: google_storage.Blob
) -> None:
    _upload(blob)
    if server._check_at_start:
        with pytest.raises(PreconditionFailed):
            blob.create_resumable_upload_session(if_generation_match=0)
    else:
        assert "ifGenerationMatch=0" in blob.create_resumable_upload_session(if_generation_match=0)


def test_a_writer_in_between_is_noticed_at_the_last_byte_and_not_overwritten(
    server: CloudStorage, http: httpx.Client, blob: google_storage.Blob
) -> None:
    session = _session(server, http, blob.name, ifGenerationMatch=0)
    assert _put(http, session, BYTES[:GRANULE], f"0-{GRANULE - 1}/*").status_code == 308
    server.write(f"gs://uploads/{blob.name}", [b"theirs"])
    last = f"{GRANULE}-{len(BYTES) - 1}/{len(BYTES)}"
    assert _reason(_put(http, session, BYTES[GRANULE:], last)) == (412, "conditionNotMet")
    assert _reason(_put(http, session, b"", f"*/{len(BYTES)}")) == (412, "conditionNotMet")
    assert blob.download_as_bytes() == b"theirs"


def test_of_many_writers_of_a_new_object_one_succeeds(
    server: CloudStorage, http: httpx.Client, blob: google_storage.Blob
) -> None:
    sessions = [_session(server, http, blob.name, ifGenerationMatch=0) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        replies = list(
            pool.map(lambda one: _put(http, one, one.encode(), f"0-{len(one) - 1}/{len(one)}"), sessions)
        )
    assert sorted(reply.status_code for reply in replies) == [200] + [412] * 7
    (winner,) = (one for one, reply in zip(sessions, replies, strict=True) if reply.status_code == 200)
    assert blob.download_as_bytes() == winner.encode()


def test_a_question_how_far_an_upload_got_does_not_end_it(
    server: CloudStorage, http: httpx.Client, blob: google_storage.Blob
) -> None:
    session = _session(server, http, blob.name)
    asked = _put(http, session, b"", "*/*")
    assert (asked.status_code, "range" in asked.headers) == (308, False)
    _put(http, session, BYTES[:GRANULE], f"0-{GRANULE - 1}/*")
    assert _put(http, session, b"", "*/*").headers["range"] == f"bytes=0-{GRANULE - 1}"
    assert not blob.exists()
    assert _put(http, session, BYTES[GRANULE:], f"{GRANULE}-{len(BYTES) - 1}/{len(BYTES)}").status_code == 200
    assert _put(http, session, b"", "*/*").json()["size"] == str(len(BYTES))
    assert blob.download_as_bytes() == BYTES


def test_only_whole_granules_stay_of_a_chunk_that_is_not_the_last(
    server: CloudStorage, http: httpx.Client, blob: google_storage.Blob
) -> None:
    session = _session(server, http, blob.name)
    sent = _put(http, session, BYTES, f"0-{len(BYTES) - 1}/{len(BYTES) + 9}")
    assert (sent.status_code, sent.headers["range"]) == (308, f"bytes=0-{GRANULE - 1}")


def test_bytes_that_are_there_are_passed_over_and_a_gap_is_refused(
    server: CloudStorage, http: httpx.Client, blob: google_storage.Blob
) -> None:
    session = _session(server, http, blob.name)
    assert _reason(_put(http, session, b"end", f"{GRANULE}-{len(BYTES) - 1}/{len(BYTES)}")) == (
        400,
        "invalid",
    )
    for _ in range(2):
        _put(http, session, BYTES[:GRANULE], f"0-{GRANULE - 1}/{len(BYTES)}")
    assert _put(http, session, BYTES, f"0-{len(BYTES) - 1}/{len(BYTES)}").status_code == 200
    assert blob.download_as_bytes() == BYTES


@pytest.mark.parametrize("span", ["0-9/20", "5-3/20", "0-2/2", "a-b/c", "*/3"])
def test_a_range_that_does_not_fit_its_bytes_is_refused(
    server: CloudStorage, http: httpx.Client, blob: google_storage.Blob, span: str
) -> None:
    session = _session(server, http, blob.name)
    assert _reason(_put(http, session, b"abc", span)) == (400, "invalid")
    assert not blob.exists()


def test_a_session_that_was_cancelled_is_unknown(server: CloudStorage, http: httpx.Client) -> None:
    session = _session(server, http, "cancelled")
    assert http.delete(session).status_code == 499
    assert _reason(http.delete(session)) == (404, "notFound")
    assert _reason(_put(http, session, b"", "*/0")) == (404, "notFound")


def test_no_session_begins_for_a_bucket_that_is_not_there(google: google_storage.Client) -> None:
    with pytest.raises(NotFound):
        google.bucket("never-created").blob("x").create_resumable_upload_session()


def test_a_precondition_that_would_be_ignored_is_refused(
    server: CloudStorage, http: httpx.Client, blob: google_storage.Blob
) -> None:
    url = f"{server.url}/upload/storage/v1/b/uploads/o"
    media = {"uploadType": "media", "name": "x", "ifGenerationMatch": "0"}
    assert _reason(http.post(url, params=media, content=b"x")) == (501, "notImplemented")
    _upload(blob)
    path = f"{server.url}/storage/v1/b/uploads/o/{blob.name.replace('/', '%2F')}"
    assert _reason(http.delete(path, params={"ifGenerationMatch": "1"})) == (501, "notImplemented")
    assert blob.exists()


@pytest.mark.parametrize(
    ("query", "body"), [({"ifGenerationMatch": "none"}, b""), ({}, b"[1]"), ({}, b"7"), ({}, b"{")]
)
def test_a_start_that_cannot_be_read_is_refused(
    server: CloudStorage, http: httpx.Client, query: dict[str, str], body: bytes
) -> None:
    url = f"{server.url}/upload/storage/v1/b/uploads/o"
    reply = http.post(url, params={"uploadType": "resumable", "name": "x", **query}, content=body)
    assert _reason(reply) == (400, "invalid")


def test_preconditions_hold_for_objects_in_a_directory_too(tmp_path: Path) -> None:
    with CloudStorage(directory=tmp_path) as server, requests.Session() as session:
        server.create_bucket("uploads")
        blob = _google(server, session).bucket("uploads").blob("kept", chunk_size=GRANULE)
        _upload(blob, if_generation_match=0)
        seen = blob.generation
        with pytest.raises(PreconditionFailed):
            _upload(blob, b"second", if_generation_match=0)
        _upload(blob, b"third", if_generation_match=seen)
        assert blob.download_as_bytes() == b"third"
