"""Uploads to Cloud Storage under a name that stands for the content: whole once, and never twice."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import httpx
import pytest

from airflow_provider_genai_batch.emulator.storage.sessions import GRANULE
from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage
from airflow_provider_genai_batch.exceptions import InputError, NotFound, PreconditionFailed, TransportError
from tests.client.places import Either, vertex_config

_NUMBERS = count()
DATA = b"0123456789abcde\n" * (2 * GRANULE // 16) + b"end\n"
"""Three chunks."""
THEIRS = b"x" * len(DATA)
"""Somebody else's bytes of the same size."""


@pytest.fixture(scope="module", params=[True, False], ids=["start refuses", "end refuses"])
def storage(request: pytest.FixtureRequest) -> Iterator[CloudStorage]:
    with CloudStorage(check_at_start=request.param) as running:
        running.create_bucket("repeat")
        yield running


@pytest.fixture
def uri() -> str:
    return f"gs://repeat/{next(_NUMBERS)}.jsonl"


class Watched:
    """A client whose calls are noted, and between whose calls something happens."""

    def __init__(self, client: Any) -> None:
        self.client, self.calls = client, client.calls
        self.did: list[str] = []
        self.before: dict[str, list[Callable[[Any], Any]]] = {}
        self._act = client.client.act
        client.client.act = self._step

    def upload(self, data: bytes, uri: str, **settings: Any) -> Any:
        return self.client.upload(io.BytesIO(data), uri, **{"reuse": True, **settings})

    def on(self, what: str, *happens: Callable[[Any], Any]) -> None:
        """Let these happen before the calls of that kind, one each; what they return replaces the call."""
        self.before[what] = list(happens)

    def _step(self, step: Any) -> Any:
        if hasattr(step, "request"):
            self.did.append(_kind(step))
            if self.before.get(self.did[-1]):
                step = self.before[self.did[-1]].pop(0)(step) or step
        return self._act(step)


def _kind(call: Any) -> str:
    if call.method != "objects.insert":
        return {"objects.get": "look"}[call.method]
    if call.request.verb == "POST":
        return "start"
    span = dict(call.request.headers)["Content-Range"]
    if span.endswith("*/*"):
        return "ask"
    return "chunk" if span.endswith("*") else "last"


@pytest.fixture
def client(
    on_vertex: Either, storage: CloudStorage, connect: Any, naps: list[float], monkeypatch: pytest.MonkeyPatch
) -> Watched:
    monkeypatch.setattr("airflow_provider_genai_batch.client.storage.uploads.CHUNK_BYTES", GRANULE)
    return Watched(connect(vertex_config(on_vertex.emulator, storage_endpoint=storage.url)))


def _stored(storage: CloudStorage, uri: str) -> bytes:
    return b"".join(storage.read(uri))


def _lost(call: Any) -> Any:
    """Let the service act, and its reply get lost."""

    def read(_: Any) -> None:
        raise TransportError("the reply was lost")

    return replace(call, read=read)


def _first_granule(call: Any) -> Any:
    """Let the service have the first granule of a chunk only."""
    headers = (("Content-Range", f"bytes 0-{GRANULE - 1}/*"),)
    return replace(call, request=call.request._replace(headers=headers, body=call.request.body[:GRANULE]))


def _forget(call: Any) -> None:
    """Let the service forget the session."""
    httpx.delete(call.request.url, trust_env=False, timeout=120)


def test_a_new_object_is_uploaded(client: Watched, storage: CloudStorage, uri: str) -> None:
    assert client.upload(DATA, uri) == uri
    assert client.did == ["look", "start", "chunk", "chunk", "last"]
    assert _stored(storage, uri) == DATA


def test_an_object_that_is_there_whole_is_used_again_without_a_byte(
    client: Watched, storage: CloudStorage, uri: str
) -> None:
    storage.write(uri, [THEIRS])
    assert client.upload(DATA, uri) == uri
    assert client.did == ["look"]
    assert _stored(storage, uri) == THEIRS


@pytest.mark.parametrize(
    "there", [b"", DATA[: len(DATA) // 2], DATA + b"more"], ids=["empty", "half", "longer"]
)
def test_an_object_of_another_size_is_replaced(
    client: Watched, storage: CloudStorage, uri: str, there: bytes
) -> None:
    storage.write(uri, [there])
    client.upload(DATA, uri)
    assert _stored(storage, uri) == DATA


def test_an_upload_that_is_not_to_be_reused_replaces_what_is_there(
    client: Watched, storage: CloudStorage, uri: str
) -> None:
    storage.write(uri, [THEIRS])
    client.upload(DATA, uri, reuse=False)
    assert "look" not in client.did
    assert _stored(storage, uri) == DATA


@pytest.mark.parametrize("moment", ["start", "last"])
@pytest.mark.parametrize("first", [b"", b"first"], ids=["nothing there", "another there"])
def test_an_object_that_another_writer_finished_in_between_is_used(
    client: Watched, storage: CloudStorage, uri: str, moment: str, first: bytes
) -> None:
    if first:
        storage.write(uri, [first])
    client.on(moment, lambda _: storage.write(uri, [THEIRS]))
    assert client.upload(DATA, uri) == uri
    assert client.did[-1] == "look"
    assert client.did.count("start") == 1
    assert _stored(storage, uri) == THEIRS


@pytest.mark.parametrize("moment", ["start", "last"])
def test_half_an_object_that_came_in_between_is_replaced(
    client: Watched, storage: CloudStorage, uri: str, moment: str
) -> None:
    client.on(moment, lambda _: storage.write(uri, [b"half"]))
    client.upload(DATA, uri)
    assert client.did.count("start") == 2
    assert _stored(storage, uri) == DATA


def test_an_object_that_keeps_changing_is_given_up(client: Watched, storage: CloudStorage, uri: str) -> None:
    client.on("start", *([lambda _: storage.write(uri, [b"x" * next(_NUMBERS)])] * 9))
    with pytest.raises(PreconditionFailed):
        client.upload(DATA, uri)
    assert client.did.count("start") == 3
    assert _stored(storage, uri).strip(b"x") == b""


def test_a_lost_last_reply_costs_no_second_upload(client: Watched, storage: CloudStorage, uri: str) -> None:
    client.on("last", _lost)
    assert client.upload(DATA, uri) == uri
    assert client.did[-2:] == ["last", "ask"]
    assert _stored(storage, uri) == DATA


def test_a_lost_last_reply_of_a_session_that_is_gone_is_found_in_the_object(
    client: Watched, storage: CloudStorage, uri: str
) -> None:
    client.on("last", _lost)
    client.on("ask", _forget)
    assert client.upload(DATA, uri) == uri
    assert client.did[-3:] == ["last", "ask", "look"]
    assert client.did.count("start") == 1


@pytest.mark.parametrize("moment", ["chunk", "last"])
def test_an_upload_whose_session_is_gone_begins_anew_where_its_stream_began(
    client: Watched, storage: CloudStorage, uri: str, moment: str
) -> None:
    client.on(moment, _forget)
    stream = io.BytesIO(b"skipped" + DATA)
    stream.seek(7)
    assert client.client.upload(stream, uri, reuse=True) == uri
    assert client.did.count("start") == 2
    assert _stored(storage, uri) == DATA


def test_a_session_that_is_always_gone_is_given_up(client: Watched, storage: CloudStorage, uri: str) -> None:
    client.on("chunk", *([_forget] * 9))
    with pytest.raises(NotFound):
        client.upload(DATA, uri)
    assert client.did.count("start") == 3


def test_a_bucket_that_is_not_there_is_said_to_be_missing(client: Watched) -> None:
    with pytest.raises(NotFound):
        client.upload(DATA, "gs://no-such-bucket/x")
    assert client.did == ["look", "start"]


@pytest.mark.parametrize("reuse", [True, False])
@pytest.mark.parametrize(("moment", "granules"), [("chunk", 2), ("last", 4)])
def test_a_server_that_keeps_less_than_it_was_sent_gets_the_rest(
    client: Watched,
    storage: CloudStorage,
    uri: str,
    monkeypatch: pytest.MonkeyPatch,
    reuse: bool,
    moment: str,
    granules: int,
) -> None:
    monkeypatch.setattr("airflow_provider_genai_batch.client.storage.uploads.CHUNK_BYTES", granules * GRANULE)
    client.on(moment, _first_granule)
    client.upload(DATA, uri, reuse=reuse)
    assert _stored(storage, uri) == DATA


def test_nothing_is_reused_in_the_files_api_without_a_name(on_gemini: Either) -> None:
    with pytest.raises(InputError, match="name"):
        on_gemini.client.upload(io.BytesIO(b"x"), reuse=True)
    assert on_gemini.client.upload(io.BytesIO(b"x"), name="files/mine", reuse=True) == "files/mine"
