"""The stand-in for Cloud Storage, by its own calls and by Google's client."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import google.cloud.storage as google_storage
import pytest
import requests
from google.api_core.exceptions import NotFound
from google.auth.credentials import AnonymousCredentials

from airflow_provider_genai_batch.emulator.processes.child import ChildFailedError
from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage, ObjectNotFoundError
from tests.waiting import wait_until_gone

OWNER = """
import sys, time
from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage
server = CloudStorage().start()
print(server.url, server._child.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[CloudStorage]:
    with CloudStorage() as running:
        running.create_bucket("shared")
        yield running


@pytest.fixture
def google(server: CloudStorage) -> Iterator[google_storage.Client]:
    # Its own session is not closed by its close().
    with requests.Session() as session:
        yield google_storage.Client(
            project="test",
            credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
            client_options={"api_endpoint": server.url},
            _http=session,
        )


def test_what_is_written_is_read_and_listed(server: CloudStorage) -> None:
    server.write("gs://shared/in/one.jsonl", [b"first\n", b"second\n"])
    assert b"".join(server.read("gs://shared/in/one.jsonl")) == b"first\nsecond\n"
    assert server.list("gs://shared/in/") == [("gs://shared/in/one.jsonl", 13)]


def test_the_id_of_an_object_holds_its_generation(
    server: CloudStorage, google: google_storage.Client
) -> None:
    blob = google.bucket("shared").blob("ids/a.txt")
    blob.upload_from_string(b"x")
    shown = google.bucket("shared").get_blob("ids/a.txt")
    (listed,) = google.list_blobs("shared", prefix="ids/")
    resumable = google.bucket("shared").blob("ids/b.txt", chunk_size=1 << 18)
    resumable.upload_from_string(b"y" * (1 << 19))
    for one in (blob, shown, listed, resumable):
        assert one.id == f"shared/{one.name}/{one.generation}"
    assert shown.download_as_bytes() == b"x"


def test_googles_client_reads_what_the_stand_in_wrote_and_the_reverse(
    server: CloudStorage, google: google_storage.Client
) -> None:
    bucket = google.bucket("shared")
    server.write("gs://shared/both/ours", [b"ours"])
    assert bucket.blob("both/ours").download_as_bytes() == b"ours"
    bucket.blob("both/theirs").upload_from_string(b"theirs")
    assert b"".join(server.read("gs://shared/both/theirs")) == b"theirs"


def test_a_name_with_slashes_spaces_and_percent_signs_is_kept(server: CloudStorage) -> None:
    uri = "gs://shared/a b/100%/ü?#.jsonl"
    server.write(uri, [b"x"])
    assert b"".join(server.read(uri)) == b"x"
    assert [found for found, _ in server.list("gs://shared/a b/")] == [uri]


def test_googles_client_renames_an_object(server: CloudStorage, google: google_storage.Client) -> None:
    bucket = google.bucket("shared")
    server.write("gs://shared/a move/of 100%", [b"moved"])
    moved = bucket.move_blob(bucket.blob("a move/of 100%"), "a move/to?#")
    assert (moved.name, moved.size) == ("a move/to?#", 5)
    assert server.list("gs://shared/a move/") == [("gs://shared/a move/to?#", 5)]
    with pytest.raises(NotFound):
        bucket.move_blob(bucket.blob("a move/of 100%"), "a move/again")


def test_every_page_of_a_listing_is_read(server: CloudStorage) -> None:
    names = [f"gs://shared/many/{number:04}" for number in range(30)]
    for name in names:
        server.write(name, [b"x"])
    assert [uri for uri, _ in server.list("gs://shared/many/", page_objects=7)] == names


def test_content_passes_in_pieces_both_ways(server: CloudStorage) -> None:
    server.write("gs://shared/large", (b"x" * (1 << 20) for _ in range(20)))
    sizes = [len(chunk) for chunk in server.read("gs://shared/large")]
    assert sum(sizes) == 20 << 20
    assert max(sizes) <= 1 << 20


def test_an_object_that_is_not_there_is_named(server: CloudStorage) -> None:
    with pytest.raises(ObjectNotFoundError, match="404"):
        b"".join(server.read("gs://shared/nothing"))
    with pytest.raises(ObjectNotFoundError):
        server.delete("gs://shared/nothing")


def test_a_deleted_object_is_gone(server: CloudStorage) -> None:
    server.write("gs://shared/short-lived", [b"x"])
    server.delete("gs://shared/short-lived")
    assert server.list("gs://shared/short-lived") == []


def test_no_bucket_comes_into_being_by_writing_to_it(
    server: CloudStorage, google: google_storage.Client
) -> None:
    with pytest.raises(ObjectNotFoundError):
        server.write("gs://never-created/x", [b"x"])
    assert not server.bucket_exists("never-created")
    assert server.bucket_exists("shared")
    with pytest.raises(ObjectNotFoundError):
        server.list("gs://never-created/")
    with pytest.raises(NotFound):
        google.bucket("never-created").blob("x").upload_from_string(b"x")


def test_objects_outlive_the_server_when_it_has_a_directory(tmp_path: Path) -> None:
    with CloudStorage(directory=tmp_path) as first:
        first.create_bucket("kept")
        first.write("gs://kept/a/b", [b"content"])
    with CloudStorage(directory=tmp_path) as second:
        assert second.list("gs://kept/") == [("gs://kept/a/b", 7)]
        assert b"".join(second.read("gs://kept/a/b")) == b"content"


def test_a_server_that_cannot_start_says_why(server: CloudStorage) -> None:
    port = int(server.url.rpartition(":")[2])
    with pytest.raises(ChildFailedError, match="something else serves"):
        CloudStorage(port=port).start()


def test_the_server_ends_with_its_owner_even_by_sigkill() -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    _, watch = owner.stdout.readline().split()
    children = Path(f"/proc/{watch}/task/{watch}/children").read_text().split()
    owner.kill()
    owner.wait()
    owner.stdout.close()
    for pid in [watch, *children]:
        wait_until_gone(pid)


def test_the_server_ends_when_its_watch_is_killed() -> None:
    with CloudStorage() as running:
        assert running._child is not None
        watch = running._child.pid
        (child,) = Path(f"/proc/{watch}/task/{watch}/children").read_text().split()
        os.kill(watch, signal.SIGKILL)
        wait_until_gone(child)
