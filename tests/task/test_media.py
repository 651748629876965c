"""Media as files: named by what they are, whole or not there, the same for whoever writes them."""

from __future__ import annotations

import os
import wave
from base64 import b64encode
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from airflow.sdk.io import attach
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.exceptions import ConfigurationError
from airflow_provider_genai_batch.hooks.genai_batch import GenAIBatchHook
from airflow_provider_genai_batch.task.files.drafts import ABANDONED_AFTER, draft_of
from airflow_provider_genai_batch.task.landing.media import MediaFolder, check_media_writable

PICTURE = os.urandom(300_000)
DATA = b64encode(PICTURE).decode()


def folder(uri: object, client: Any = None, **settings: Any) -> MediaFolder:
    return MediaFolder(str(uri), client, **settings)


def test_a_row_says_where_its_file_is_and_what_it_is(tmp_path: Path) -> None:
    media = folder(f"{tmp_path}/out/")
    said = media("a/b", 0, 1, "image/png", DATA)
    digest = sha256(PICTURE).hexdigest()
    path = tmp_path / "out" / f"a=2Fb-0-1-{digest[:16]}.png"
    assert said == {"mime_type": "image/png", "bytes": 300_000, "sha256": digest, "uri": str(path)}
    assert path.read_bytes() == PICTURE
    assert [path] == [*path.parent.iterdir()], "a draft was left"


def test_a_file_uri_and_a_relative_path_lead_to_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert folder(f"file://{tmp_path}/a%20b")("k", 0, 0, "image/png", DATA)["uri"].startswith("file://")
    assert len([*(tmp_path / "a b").iterdir()]) == 1
    assert Path(folder("here")("k", 0, 0, "image/png", DATA)["uri"]).read_bytes() == PICTURE


def test_sound_without_a_header_is_measured_as_it_is_written(tmp_path: Path) -> None:
    said = folder(tmp_path)("k", 0, 0, "audio/L16;codec=pcm;rate=24000", DATA)
    path = Path(said["uri"])
    assert (path.suffix, said["mime_type"]) == (".wav", "audio/wav")
    assert said["bytes"] == path.stat().st_size == len(PICTURE) + 44
    assert said["sha256"] == sha256(path.read_bytes()).hexdigest()
    with wave.open(str(path)) as sound:
        assert sound.readframes(sound.getnframes()) == PICTURE


def test_tasks_with_the_same_keys_take_no_file_from_each_other(tmp_path: Path) -> None:
    """Mapped tasks stamp the same keys, and so does each night's run."""
    others = b64encode(os.urandom(10)).decode()
    uris = {folder(tmp_path)("r00000000", 0, 0, "image/png", data)["uri"] for data in (DATA, others)}
    uris |= {folder(tmp_path)("R00000000", 0, 0, "image/png", others)["uri"]}
    assert len({uri.lower() for uri in uris}) == 2, "one content has one name, on any file system"
    assert sorted(Path(uri).stat().st_size for uri in uris) == [10, 10, 300_000]


def test_a_file_that_is_there_is_not_written_again_and_half_a_one_is(tmp_path: Path) -> None:
    path = Path(folder(tmp_path)("k", 0, 0, "image/png", DATA)["uri"])
    first = path.stat().st_ino
    folder(tmp_path)("k", 0, 0, "image/png", DATA)
    assert path.stat().st_ino == first
    path.write_bytes(PICTURE[:1000])
    folder(tmp_path)("k", 0, 0, "image/png", DATA)
    assert path.read_bytes() == PICTURE


def test_a_folder_can_say_what_is_there_without_writing(tmp_path: Path) -> None:
    said = folder(tmp_path / "out", write=False)("k", 0, 0, "image/png", DATA)
    assert not (tmp_path / "out").exists()
    assert said == folder(tmp_path / "out")("k", 0, 0, "image/png", DATA)


def test_what_dead_writers_left_is_taken_away_after_a_day(tmp_path: Path) -> None:
    drafts = []
    for age in (0.0, ABANDONED_AFTER + 60):
        draft, stream = draft_of(tmp_path / "media")
        stream.close()
        os.utime(draft, (draft.stat().st_mtime - age,) * 2)
        drafts.append(draft)
    folder(tmp_path)("k", 0, 0, "image/png", DATA)
    assert [draft.exists() for draft in drafts] == [True, False]


def test_data_that_is_no_base64_is_kept_as_it_came(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    broken = DATA[:200_000] + "?" + DATA[200_001:]
    said = folder(tmp_path)("k", 0, 0, "image/png", broken)
    assert (said["mime_type"], said["bytes"]) == ("text/plain", len(broken))
    assert Path(said["uri"]).suffix == ".txt"
    assert Path(said["uri"]).read_text() == broken
    assert "image/png of row k is kept as the text in which it arrived" in caplog.text


def test_a_full_or_closed_place_is_told_with_the_address_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match=r"file/k-0-0-\w+\.png: "):
        folder(tmp_path / "file")("k", 0, 0, "image/png", DATA)
    with pytest.raises(ConfigurationError, match=r"Pictures and sound cannot be written to media_uri"):
        check_media_writable(str(tmp_path / "file"), None)  # type: ignore[arg-type]
    check_media_writable(str(tmp_path / "new" / "folder"), None)  # type: ignore[arg-type]
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("conn_id", ["genai_batch_vertex", None], ids=["by the connection", "by Airflow"])
def test_object_storage_takes_each_file_once(request: pytest.FixtureRequest, conn_id: str | None) -> None:
    if conn_id is None:
        uri, store = f"memory://media{uuid4().hex}/out/", MemoryFileSystem()
        attach("memory", fs=store)
        request.getfixturevalue("gemini")
        with _client() as client:
            said = folder(uri, client)("ä", 0, 0, "image/png", DATA)
            assert store.cat_file(said["uri"]) == PICTURE
            created = store.created(said["uri"])
            assert folder(uri, client)("ä", 0, 0, "image/png", DATA) == said
        assert store.created(said["uri"]) == created
        assert [*map(Path, store.find(uri))] == [Path(said["uri"].removeprefix("memory:/"))]
        return
    request.getfixturevalue("vertex")
    uri = f"gs://emulator-staging/{uuid4().hex}/"
    with _client() as client:
        said = folder(uri, client)("ä b", 0, 0, "image/png", DATA)
        assert b"".join(client.download(said["uri"])) == PICTURE
        generation = client.perform(client.calls.get_object(said["uri"])).generation
        assert folder(uri, client)("ä b", 0, 0, "image/png", DATA) == said
        assert client.perform(client.calls.get_object(said["uri"])).generation == generation
        check_media_writable(uri, client)


def test_a_folder_of_a_store_is_looked_through_once_for_what_dead_writers_left(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, place = MemoryFileSystem(), f"/media{uuid4().hex}"
    attach("memory", fs=store)
    dead, young = (f"{place}/media.{digit * 32}.part" for digit in "01")
    for left in (dead, young):
        store.pipe_file(left, b"half")
    store.store[dead].modified -= timedelta(seconds=2 * ABANDONED_AFTER)
    asked: list[str] = []
    tell = store.modified
    monkeypatch.setattr(store, "modified", lambda path: asked.append(path) or tell(path))
    with _client() as client:
        media = folder(f"memory:/{place}", client)
        uris = [media(str(number), 0, 0, "image/png", DATA)["uri"] for number in range(4)]
    assert asked == [uris[0].removeprefix("memory:/"), dead, young]
    assert sorted(store.find(place)) == sorted([young, *(uri.removeprefix("memory:/") for uri in uris)])


def _client() -> Any:
    return GenAIBatchHook().get_conn()
