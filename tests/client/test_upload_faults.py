"""Whatever happens to the chunks of an upload, in any order: the bytes arrive, or the upload says that it failed."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_genai_batch.client.calls import Calls
from airflow_provider_genai_batch.client.storage.uploads import Read, upload_file, upload_object
from airflow_provider_genai_batch.client.transport.retries import TRIES
from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.exceptions import ApiError, NotFound, PreconditionFailed, TransportError
from airflow_provider_genai_batch.flows.drive import drive
from airflow_provider_genai_batch.wire.services.storage import Object
from tests.client.places import gemini_config
from tests.client.upload_server import simulate


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    size=st.integers(0, 60),
    chunk=st.integers(1, 25),
    script=st.lists(
        st.tuples(st.sampled_from(["fine", "part", "lost", "mute", "refused"]), st.floats(0, 1)), max_size=12
    ),
)
def test_whatever_happens_to_chunks_the_bytes_arrive_whole_and_in_order(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, size: int, chunk: int, script: list[Any]
) -> None:
    monkeypatch.setattr("airflow_provider_genai_batch.client.storage.uploads.CHUNK_BYTES", chunk)
    data = bytes(range(100, 100 + size))
    calls = Calls(gemini_config(emulator))
    flow = upload_file(calls, io.BytesIO(data), size, name="files/x")
    stuck = max((len(run) for run in _runs(script)), default=0) >= TRIES
    try:
        file, received = simulate(flow, list(script))
    except TransportError:
        assert stuck
        return
    assert (received, file.size_bytes) == (data, size)


def _runs(script: list[tuple[str, float]]) -> list[list[Any]]:
    """Return the runs of trouble without a clear answer in between."""
    runs: list[list[Any]] = [[]]
    for kind, share in script:
        if kind == "fine":
            runs.append([])
        else:
            runs[-1].append((kind, share))
    return runs


class _Bucket:
    """A bucket of one object; at each call the next of `script` happens, to the object, the session or the reply."""

    def __init__(self, script: list[str], size: int) -> None:
        self.script, self.size = script, size
        self.object: tuple[int, bytes] | None = None
        self.session: tuple[int, bytearray] | None = None
        self.replaced_unseen = False
        self.seen: int | None = None
        self.writes = 0

    def act(self, step: Any) -> Any:
        if isinstance(step, Read):
            return step.bytes()
        if not hasattr(step, "request"):
            return None
        happens = self.script.pop(0) if self.script else "fine"
        if happens in ("whole", "half"):
            self.write(b"x" * self.size if happens == "whole" else b"x" * (self.size + 1))
        if happens == "forgotten":
            self.session = None
        if happens == "refused":
            raise TransportError(happens)
        result = self.answer(step)
        if happens == "lost":
            raise TransportError(happens)
        return result

    def write(self, data: bytes) -> None:
        self.writes += 1
        self.object = (self.writes, data)

    def answer(self, step: Any) -> Any:
        there = self.object[0] if self.object else 0
        if step.method == "objects.get":
            self.seen = there
            if self.object is None:
                raise NotFound("no", code=404)
            return Object("gs://b/x", len(self.object[1]), str(there))
        if step.request.verb == "POST":
            self.session = (int(dict(step.request.query)["ifGenerationMatch"]), bytearray())
            return "https://upload.example/?upload_id=1"
        if self.session is None:
            raise NotFound("no such session", code=404)
        wanted, data = self.session
        span, _, total = dict(step.request.headers)["Content-Range"].removeprefix("bytes ").partition("/")
        if span != "*":
            assert int(span.partition("-")[0]) == len(data)
        data += step.request.body
        if total == "*" or len(data) < int(total):
            return len(data)
        if wanted != there:
            raise PreconditionFailed("no", code=412)
        self.replaced_unseen |= there != self.seen
        self.write(bytes(data))
        self.session = None
        return None


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    size=st.integers(0, 40),
    chunk=st.integers(1, 25),
    script=st.lists(
        st.sampled_from(["fine", "fine", "lost", "refused", "forgotten", "whole", "half"]), max_size=25
    ),
)
def test_whatever_happens_to_an_object_it_is_whole_when_its_upload_says_so(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, size: int, chunk: int, script: list[str]
) -> None:
    monkeypatch.setattr("airflow_provider_genai_batch.client.storage.uploads.CHUNK_BYTES", chunk)
    data, bucket = bytes(range(100, 100 + size)), _Bucket(list(script), size)
    calls = Calls(gemini_config(emulator))
    try:
        drive(upload_object(calls, "gs://b/x", io.BytesIO(data), size, reuse=True), bucket.act)
    except (ApiError, TransportError):
        assert set(script) - {"fine"}
    else:
        assert bucket.object is not None
        assert bucket.object[1] == data or (len(bucket.object[1]) == size and "whole" in script)
    assert not bucket.replaced_unseen
