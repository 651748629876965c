"""Uploads to the Files API: every byte once, through whatever happens to a chunk."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.client.storage.uploads import Read, upload_file
from airflow_provider_genai_batch.client.transport.retries import TRIES
from airflow_provider_genai_batch.emulator import Emulator, Fault
from airflow_provider_genai_batch.exceptions import (
    AlreadyExists,
    ConfigurationError,
    InputError,
    ServerError,
    TransportError,
)
from airflow_provider_genai_batch.wire.services.files import CHUNK_BYTES, File
from tests.client.places import BUCKET, uploaded
from tests.client.upload_server import simulate

MIB = 1024 * 1024


def _stored(emulator: Emulator, name: str) -> bytes:
    """Read an uploaded file where the emulator keeps it: the API gives uploads to nobody."""
    world = emulator._world
    return Path(world.blobs / world.files[name].blob).read_bytes()


def _chunks(emulator: Emulator) -> list[tuple[str, str, int]]:
    return [
        (one["headers"]["x-goog-upload-command"], one["headers"]["x-goog-upload-offset"], one["body_size"])
        for one in emulator.requests
        if one["method"] == "files.upload"
    ]


def _bytes(size: int) -> bytes:
    return (b"0123456789abcde\n" * (size // 16 + 1))[:size]


@pytest.mark.parametrize(
    ("size", "chunks"),
    [
        (0, [("upload, finalize", "0", 0)]),
        (5, [("upload, finalize", "0", 5)]),
        (8 * MIB, [("upload, finalize", "0", 8 * MIB)]),
        (
            16 * MIB + 5,
            [
                ("upload", "0", 8 * MIB),
                ("upload", str(8 * MIB), 8 * MIB),
                ("upload, finalize", str(16 * MIB), 5),
            ],
        ),
    ],
    ids=["empty", "small", "one whole chunk", "three chunks"],
)
def test_a_file_arrives_in_the_chunks_that_the_sdk_sends(
    emulator: Emulator, gem: Any, tmp_path: Path, size: int, chunks: list[Any]
) -> None:
    (tmp_path / "in.jsonl").write_bytes(_bytes(size))
    name = gem.upload(tmp_path / "in.jsonl", display_name="run 42")
    assert _chunks(emulator) == chunks
    assert _stored(emulator, name) == _bytes(size)
    file: File = gem.perform(gem.calls.get_file(name))
    assert (file.size_bytes, file.state) == (size, "ACTIVE")
    (shown,) = uploaded(emulator)
    assert (shown["displayName"], shown["mimeType"]) == ("run 42", "application/jsonl")


def test_the_bytes_travel_without_the_key(emulator: Emulator, gem: Any) -> None:
    gem.upload(io.BytesIO(b"x"))
    assert {one["method"]: one["has_api_key"] for one in emulator.requests} == {
        "files.start": True,
        "files.upload": False,
    }


def test_the_memory_of_an_upload_does_not_grow_with_the_file(gem: Any, tmp_path: Path) -> None:
    peaks = []
    for chunks in (3, 12):
        with (tmp_path / "big").open("wb") as stream:
            stream.truncate(chunks * CHUNK_BYTES)
        tracemalloc.start()
        gem.upload(tmp_path / "big")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # The server of the other end is in this process too, hence the difference that is allowed.
    assert abs(peaks[1] - peaks[0]) < 4 * CHUNK_BYTES


@pytest.mark.parametrize(
    "fault",
    [
        Fault.lost_chunk(),
        Fault.no_status_header(),
        Fault.lost_reply(),
        Fault.drop(),
        Fault.error(503),
        Fault.error(500, acted=True),
        Fault.html(502),
        Fault.error(429, retry_after=3),
        Fault.lost_chunk(times=TRIES - 1),
    ],
    ids=lambda fault: f"{fault.kind}{fault.status or ''}-{fault.times}",
)
def test_a_chunk_that_goes_wrong_goes_on_where_the_server_stands(
    emulator: Emulator, gem: Any, naps: list[float], fault: Fault
) -> None:
    data = _bytes(8 * MIB + 300_000)
    emulator.faults.add("files.upload", fault)
    name = gem.upload(io.BytesIO(data), name="files/mine")
    assert _stored(emulator, name) == data
    assert "files.query" in [one["method"] for one in emulator.requests]
    assert len(naps) == fault.times


def test_an_upload_that_never_gets_on_is_given_up(emulator: Emulator, gem: Any, naps: list[float]) -> None:
    emulator.faults.add("files.upload", Fault.error(503, times=TRIES))
    with pytest.raises(ServerError):
        gem.upload(io.BytesIO(b"x"))
    assert len(naps) == TRIES - 1


@pytest.mark.parametrize("fault", [Fault.lost_final_reply(), Fault.unreadable()], ids=lambda f: f.kind)
def test_a_lost_final_reply_is_found_by_the_name_that_was_chosen(
    emulator: Emulator, gem: Any, fault: Fault
) -> None:
    emulator.faults.add("files.upload", fault)
    assert gem.upload(io.BytesIO(b"abc"), name="files/mine") == "files/mine"
    assert len(_chunks(emulator)) == 1


def test_a_lost_final_reply_without_a_chosen_name_is_an_error(emulator: Emulator, gem: Any) -> None:
    emulator.faults.add("files.upload", Fault.lost_final_reply())
    with pytest.raises(TransportError, match="arrived whole"):
        gem.upload(io.BytesIO(b"abc"))


def test_a_session_that_the_service_forgot_is_found_by_name_too(emulator: Emulator, gem: Any) -> None:
    emulator.faults.add("files.upload", Fault.lost_final_reply())
    emulator.faults.add("files.query", Fault.error(404))
    assert gem.upload(io.BytesIO(b"abc"), name="files/mine") == "files/mine"


def test_a_refused_chunk_is_an_error_when_no_such_file_came_to_be(emulator: Emulator, gem: Any) -> None:
    emulator.faults.add("files.upload", Fault.error(400, "no"))
    with pytest.raises(Exception, match="400 INVALID_ARGUMENT: no"):
        gem.upload(io.BytesIO(b"abc"), name="files/mine")


def test_a_name_that_is_taken_by_the_same_size_is_used_again_without_a_byte(
    emulator: Emulator, gem: Any
) -> None:
    gem.upload(io.BytesIO(b"abc"), name="files/mine")
    emulator.clear_requests()
    assert gem.upload(io.BytesIO(b"abc"), name="files/mine") == "files/mine"
    assert [one["method"] for one in emulator.requests] == ["files.start", "files.get"]


def test_a_name_that_is_taken_by_another_size_is_replaced(emulator: Emulator, gem: Any) -> None:
    gem.upload(io.BytesIO(b"abc"), name="files/mine")
    assert gem.upload(io.BytesIO(b"abcd"), name="files/mine") == "files/mine"
    assert _stored(emulator, "files/mine") == b"abcd"


def test_a_file_that_goes_away_while_it_is_replaced_is_no_matter(emulator: Emulator, gem: Any) -> None:
    gem.upload(io.BytesIO(b"abc"), name="files/mine")
    emulator.faults.add("files.delete", Fault.error(403, acted=True))
    assert gem.upload(io.BytesIO(b"abcd"), name="files/mine") == "files/mine"


def test_a_taken_name_that_nobody_chose_is_an_error(emulator: Emulator, gem: Any) -> None:
    emulator.faults.add("files.start", Fault.error(409))
    with pytest.raises(AlreadyExists):
        gem.upload(io.BytesIO(b"abc"))


def test_a_stream_is_uploaded_from_where_it_stands(emulator: Emulator, gem: Any) -> None:
    stream = io.BytesIO(b"skipped,kept")
    stream.seek(8)
    assert _stored(emulator, gem.upload(stream)) == b"kept"


def test_an_input_that_shrinks_is_no_upload(emulator: Emulator, gem: Any) -> None:
    flow = upload_file(gem.calls, io.BytesIO(b"abc"), 10 * MIB)
    with pytest.raises(TransportError, match="ended at 3"):
        simulate(flow, [])


def test_a_stream_that_gives_little_at_a_time_still_makes_whole_chunks() -> None:
    class Drip(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(size or 0, 3))

    assert Read(Drip(b"0123456789"), 8).bytes() == b"01234567"
    assert Read(Drip(b"0123456789"), 80).bytes() == b"0123456789"


def test_a_file_that_does_not_exist_is_named(gem: Any) -> None:
    with pytest.raises(InputError, match="no-such-file"):
        gem.upload("/no-such-file")


def test_vertex_without_a_place_to_stage_says_so(ver: Any) -> None:
    with pytest.raises(ConfigurationError, match="staging_uri"):
        ver.upload(io.BytesIO(b"x"))


def test_a_deleted_file_is_gone_and_the_others_stay(emulator: Emulator, gem: Any) -> None:
    first, *others = (gem.upload(io.BytesIO(b"x")) for _ in range(3))
    gem.perform(gem.calls.delete_file(first))
    assert {file["name"] for file in uploaded(emulator)} == set(others)


def test_a_bucket_and_a_name_are_needed_for_an_object(ver: Any) -> None:
    for uri in ("gs://", "gs:///x", "s3://b/x", "gs://b?x/y", f"{BUCKET}#/x"):
        with pytest.raises(InputError, match="not a gs://"):
            ver.upload(io.BytesIO(b"x"), uri)
