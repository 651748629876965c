"""Whatever happens to the chunks of an upload, in any order: the bytes arrive, or the upload says that it failed."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.client.attempts import TRIES
from airflow_provider_genai_batch.client.uploads import Read, upload_file
from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.exceptions import TransportError
from airflow_provider_genai_batch.wire.files import File, UploadStatus
from tests.client.places import gemini_config


def simulate(  # noqa: C901 - a server in one piece
    flow: Any, script: list[tuple[str, float]]
) -> tuple[File, bytes]:
    """Be the server of an upload; each chunk takes the next of `script`: what happens, how much of it stays."""
    received, final = bytearray(), False
    step, result, error = next(flow), None, None
    try:
        while True:
            result, error = None, None
            if isinstance(step, Read):
                result = step.bytes()
            elif getattr(step, "method", "") == "files.start":
                result = "https://upload.example/?upload_id=1"
            elif getattr(step, "method", "") == "files.query":
                result = UploadStatus("final" if final else "active", len(received), None)
            elif getattr(step, "method", "") == "files.get":
                error = TransportError("no")
                if final:
                    result, error = File("files/x", len(received), "ACTIVE", None, None, None, ""), None
            elif getattr(step, "method", "") == "files.upload":
                sent = dict(step.request.headers)
                assert int(sent["X-Goog-Upload-Offset"]) == len(received)
                kind, share = script.pop(0) if script else ("fine", 1.0)
                keep = int(len(step.request.body) * share) if kind == "part" else len(step.request.body)
                if kind != "refused":
                    received += step.request.body[:keep]
                    whole = keep == len(step.request.body)
                    final = final or (whole and "finalize" in sent["X-Goog-Upload-Command"])
                if kind == "fine":
                    done = File("files/x", len(received), "ACTIVE", None, None, None, "") if final else None
                    result = UploadStatus("final" if final else "active", len(received), done)
                elif kind == "mute":
                    result = UploadStatus("", None, None)
                else:
                    error = TransportError(kind)
            step = flow.throw(error) if error else flow.send(result)
    except StopIteration as end:
        return end.value, bytes(received)


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
    monkeypatch.setattr("airflow_provider_genai_batch.client.uploads.CHUNK_BYTES", chunk)
    data = bytes(range(100, 100 + size))
    calls = GenAIBatchClient(gemini_config(emulator)).calls
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
