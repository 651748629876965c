"""Cloud Storage's JSON API, over a real server of it."""

from __future__ import annotations

import io
from itertools import count
from typing import Any

import pytest

from airflow_provider_genai_batch.client.storage.uploads import upload_object
from airflow_provider_genai_batch.exceptions import InputError, NotFound, TransportError, UnreadableAnswer
from airflow_provider_genai_batch.wire.services import storage
from airflow_provider_genai_batch.wire.services.files import CHUNK_BYTES
from airflow_provider_genai_batch.wire.services.http import HttpAnswer
from tests.client.places import BUCKET, Either, vertex_config
from tests.client.raw import RawServer, answer

_NUMBERS = count()
NAMES = [
    "plain.jsonl",
    "deep/er/in.jsonl",
    "prediction-model-2026-09-02T20:06:30.166279Z/predictions.jsonl",
    "with space.jsonl",
    "per%cent%2Fnot a slash.jsonl",
    "ha#sh?query&amp=1+2.jsonl",
    "größe-数据-🎉.jsonl",
    "~tilde'quote(1)!*;@=,$.jsonl",
]


@pytest.fixture
def place() -> str:
    return f"{BUCKET}/storage-{next(_NUMBERS)}"


@pytest.mark.parametrize("name", NAMES)
def test_an_object_of_any_name_is_written_listed_read_and_deleted(ver: Any, place: str, name: str) -> None:
    uri = f"{place}/{name}"
    assert ver.upload(io.BytesIO(b"some bytes\n"), uri) == uri
    objects, token = ver.perform(ver.calls.list_objects(f"{place}/"))
    assert [(one.uri, one.size) for one in objects] == [(uri, 11)]
    assert token == ""
    assert ver.perform(ver.calls.get_object(uri)).size == 11
    assert ver.download(uri) == b"some bytes\n"
    ver.perform(ver.calls.delete_object(uri))
    with pytest.raises(NotFound):
        ver.download(uri)


@pytest.mark.parametrize("name", NAMES)
def test_what_was_written_is_the_object_of_that_name_and_no_other(
    ver: Any, cloud_storage: Any, place: str, name: str
) -> None:
    uri = f"{place}/{name}"
    ver.upload(io.BytesIO(b"x"), uri)
    assert cloud_storage.list(f"{place}/") == [(uri, 1)]
    assert b"".join(cloud_storage.read(uri)) == b"x"


@pytest.mark.parametrize("size", [0, 1, 256 * 1024, CHUNK_BYTES, CHUNK_BYTES + 1])
def test_an_object_of_any_size_arrives_whole(ver: Any, cloud_storage: Any, place: str, size: int) -> None:
    data = (b"0123456789abcde\n" * (size // 16 + 1))[:size]
    ver.upload(io.BytesIO(data), f"{place}/in.jsonl")
    assert b"".join(cloud_storage.read(f"{place}/in.jsonl")) == data


def test_an_object_that_exists_is_replaced(ver: Any, place: str) -> None:
    for data in (b"first", b"second"):
        ver.upload(io.BytesIO(data), f"{place}/in.jsonl")
    assert ver.download(f"{place}/in.jsonl") == b"second"


def test_inputs_without_a_place_go_to_the_staging_prefix(
    on_vertex: Either, connect: Any, place: str, tmp_path: Any
) -> None:
    (tmp_path / "night.jsonl").write_bytes(b"x")
    client = connect(vertex_config(on_vertex.emulator, staging_uri=f"{place}/stage/"))
    assert client.upload(tmp_path / "night.jsonl") == f"{place}/stage/night.jsonl"
    assert client.upload(io.BytesIO(b"x")) == f"{place}/stage/requests.jsonl"


def test_a_bucket_that_is_not_there_is_said_to_be_missing(ver: Any) -> None:
    with pytest.raises(NotFound):
        ver.download("gs://no-such-bucket/x")


def test_every_shard_of_a_directory_is_read_and_nothing_else(on_vertex: Either) -> None:
    from airflow_provider_genai_batch.emulator import JobScript, Lifecycle

    script = JobScript(lifecycle=Lifecycle.at_once(), shards=3, extra_objects=("README.txt", "x.csv"))
    on_vertex.emulator.script(script)
    keys = [f"k{n}" for n in range(10)]
    job = on_vertex.create(*keys)
    assert sorted(row.key for row in on_vertex.client.rows(job.name)) == keys


def test_a_token_does_not_travel_with_the_bytes(connect: Any, on_vertex: Either) -> None:
    def handle(request: Any) -> None:
        if request.command == "POST":
            answer(request, 200, b"", Location=f"http://{request.headers['host']}/session?upload_id=s3cret")
        else:
            answer(request, 200)

    with RawServer(handle) as server:
        client = connect(vertex_config(on_vertex.emulator, storage_endpoint=server.url))
        client.upload(io.BytesIO(b"abc"), "gs://bucket/object")
        (_, _, start), (verb, path, put) = server.seen
    assert "authorization" in start
    assert (verb, path) == ("PUT", "/session?upload_id=s3cret")
    assert "authorization" not in put
    assert put["content-range"] == "bytes 0-2/3"


class _Bucket:
    """A bucket that takes so much of each chunk."""

    def __init__(self, *takes: int | None) -> None:
        self.takes, self.data, self.ranges = list(takes), bytearray(), []

    def act(self, step: Any) -> Any:
        if hasattr(step, "stream"):
            return step.bytes()
        if step.request.verb == "POST":
            return "https://upload.example/?upload_id=1"
        span = dict(step.request.headers)["Content-Range"]
        self.ranges.append(span)
        if not span.startswith("bytes */") or step.request.body:
            take = self.takes.pop(0) if self.takes else None
            body = step.request.body
            self.data += body if take is None else body[:take]
            if take is not None:
                msg = "lost"
                raise TransportError(msg)
        total = span.rpartition("/")[2]
        if total != "*" and len(self.data) == int(total):
            return step.read(HttpAnswer(200, {}, b"{}"))
        headers = {"range": f"bytes=0-{len(self.data) - 1}"} if self.data else {}
        return step.read(HttpAnswer(308, headers, b""))


@pytest.mark.parametrize(
    ("size", "takes"),
    [(10, (3,)), (10, (0, 0, 4)), (10, (10,)), (0, ()), (26, (None, 5, 5, 5)), (30, (10, 0, 10, 10))],
)
def test_an_object_whose_chunks_go_astray_arrives_whole(
    ver: Any, monkeypatch: pytest.MonkeyPatch, size: int, takes: tuple[int | None, ...]
) -> None:
    from airflow_provider_genai_batch.flows.drive import drive
    from airflow_provider_genai_batch.flows.steps import Sleep

    monkeypatch.setattr("airflow_provider_genai_batch.client.storage.uploads.CHUNK_BYTES", 10)
    data, bucket = bytes(range(size)), _Bucket(*takes)
    flow = upload_object(ver.calls, "gs://b/x", io.BytesIO(data), size)
    drive(flow, lambda step: None if isinstance(step, Sleep) else bucket.act(step))
    assert bytes(bucket.data) == data


def test_a_start_without_a_session_is_unreadable() -> None:
    with pytest.raises(UnreadableAnswer, match="Location"):
        storage.read_session(HttpAnswer(200, {}, b""))


@pytest.mark.parametrize(
    "uri", ["s3://a/b", "gs://", "gs:///x", "bucket/x", "gs://b?x/y", "gs://b#x", "gs://a b/x"]
)
def test_what_is_no_address_in_cloud_storage_is_refused(uri: str) -> None:
    with pytest.raises(InputError):
        storage.split_uri(uri)


def test_an_address_is_bucket_and_name() -> None:
    assert storage.split_uri("gs://bkt/a/b#c?d\n") == ("bkt", "a/b#c?d\n")
    assert storage.split_uri("gs://bkt") == ("bkt", "")


def test_a_bucket_that_does_not_exist_is_named_with_the_field_that_it_is_from(
    vertex_emulator: Any, connect: Any
) -> None:
    client = connect(vertex_config(vertex_emulator, staging_uri="gs://no-such-bucket/in/"))
    with pytest.raises(NotFound, match=r"'no-such-bucket'.*\"staging_uri\"") as caught:
        client.upload(io.BytesIO(b"x"))
    assert caught.value.method == "objects.insert"
    for reuse in (False, True):
        with pytest.raises(NotFound, match="'no-such-other'") as caught:
            client.upload(io.BytesIO(b"x"), "gs://no-such-other/x", reuse=reuse)
        assert "staging_uri" not in str(caught.value)
