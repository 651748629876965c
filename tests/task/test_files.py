"""Rows are published whole or not at all, by however many writers, and nothing is left behind."""

from __future__ import annotations

import io
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import fsspec
import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath
from airflow.sdk.io import attach
from fsspec import AbstractFileSystem

from airflow_provider_genai_batch.client import ClientConfig, GenAIBatchClient
from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage
from airflow_provider_genai_batch.exceptions import ConfigurationError, InputError
from airflow_provider_genai_batch.hooks.genai_batch import GenAIBatchHook
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.task.files.drafts import ABANDONED_AFTER
from airflow_provider_genai_batch.task.files.files import check_writable, published, read_chunks

WRITERS = 2
pytestmark = pytest.mark.filterwarnings("ignore:UPath 'inplace' filesystem")


class InPlace(AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
    """A store that shows what has been written of an object, a piece at a time, also while it copies."""

    protocol = "inplace"
    store: ClassVar[dict[str, Any]] = {}
    refuses_to_replace = False
    keeps_everything = False

    def _open(self, path: str, mode: str = "rb", **_: Any) -> Any:
        path = self._strip_protocol(path)
        if mode == "rb":
            return io.BytesIO(bytes(self.store[path]) if path in self.store else self._absent(path))
        self.store[path] = Growing()
        return self.store[path]

    def _absent(self, path: str) -> bytes:
        raise FileNotFoundError(path)

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        path = self._strip_protocol(path)
        if path in self.store:
            return {"name": path, "size": len(bytes(self.store[path])), "type": "file"}
        if any(name.startswith(f"{path}/") for name in self.store):
            return {"name": path, "size": 0, "type": "directory"}
        raise FileNotFoundError(path)

    def cp_file(self, path1: str, path2: str, **_: Any) -> None:
        source, target = self._strip_protocol(path1), self._strip_protocol(path2)
        if self.refuses_to_replace and target in self.store:
            raise FileExistsError(target)
        data = bytes(self.store[source])
        self.store[target] = copy = Growing()
        for begin in range(0, len(data), 1000):
            copy.write(data[begin : begin + 1000])
            time.sleep(0)  # let another writer come between

    def rm_file(self, path: str) -> None:
        if self.keeps_everything:
            raise PermissionError(path)
        del self.store[self._strip_protocol(path)]

    _rm = rm_file


class Growing(io.RawIOBase):
    """What was written so far."""

    def __init__(self) -> None:
        self._data = bytearray()

    def __bytes__(self) -> bytes:
        return bytes(self._data)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._data += data
        return len(data)


@pytest.fixture(autouse=True)
def in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    fsspec.register_implementation("inplace", InPlace, clobber=True)
    attach("inplace", fs=InPlace())
    monkeypatch.setattr(InPlace, "store", {})
    ObjectStoragePath("inplace://bucket")  # the first one makes the scheme's class, which is not to be a race


@pytest.fixture
def client() -> Iterator[GenAIBatchClient]:
    with GenAIBatchClient(ClientConfig(Backend.GEMINI, api_key="any")) as opened:
        yield opened


def publish(uri: str, data: bytes, client: GenAIBatchClient) -> None:
    with published(uri, client) as draft:
        assert draft.stream is not None
        for begin in range(0, len(data), 777):
            draft.stream.write(data[begin : begin + 777])


def rows(seed: int) -> bytes:
    chance = random.Random(seed)
    return b"".join(f"{chance.random()}\n".encode() for _ in range(chance.randrange(200, 400)))


def at_once(*deeds: Any) -> list[BaseException]:
    """Do things at the same time, and return what went wrong."""
    begin, troubles = threading.Barrier(len(deeds)), list[BaseException]()

    def do(deed: Any) -> None:
        begin.wait()
        try:
            deed()
        except BaseException as error:  # noqa: BLE001 - handed to who asked
            troubles.append(error)

    threads = [threading.Thread(target=do, args=(deed,)) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return troubles


@pytest.mark.parametrize("store", ["inplace://bucket/folder", "local"])
def test_two_writers_of_the_same_rows_both_succeed_and_publish_them_whole(
    client: GenAIBatchClient, tmp_path: Path, store: str
) -> None:
    folder = str(tmp_path) if store == "local" else store
    for number in range(20):
        uri, data = f"{folder}/{number}.jsonl", rows(number)
        assert at_once(*[lambda uri=uri, data=data: publish(uri, data, client)] * WRITERS) == []
    if store == "local":
        there = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    else:
        there = {name.rpartition("/")[2]: bytes(data) for name, data in InPlace.store.items()}
    assert there == {f"{number}.jsonl": rows(number) for number in range(20)}


def test_writers_of_other_rows_leave_those_of_one_of_them(client: GenAIBatchClient, tmp_path: Path) -> None:
    out, choices = tmp_path / "rows.jsonl", [rows(1), rows(2), rows(3)]
    for _ in range(10):
        assert at_once(*(lambda data=data: publish(str(out), data, client) for data in choices)) == []
        assert out.read_bytes() in choices
        assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


@pytest.mark.parametrize("same", [True, False])
def test_where_a_store_replaces_nothing_the_loser_fails_only_if_other_rows_are_there(
    client: GenAIBatchClient, monkeypatch: pytest.MonkeyPatch, *, same: bool
) -> None:
    monkeypatch.setattr(InPlace, "refuses_to_replace", True)
    publish("inplace://bucket/rows.jsonl", rows(1), client)
    if same:
        publish("inplace://bucket/rows.jsonl", rows(1), client)
    else:
        with pytest.raises(OSError, match=r"rows\.jsonl"):
            publish("inplace://bucket/rows.jsonl", rows(2), client)
    assert {name: bytes(data) for name, data in InPlace.store.items()} == {"bucket/rows.jsonl": rows(1)}


def test_what_is_streamed_to_a_store_needs_no_disk_and_may_be_begun_anew(
    client: GenAIBatchClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "there is no such folder"))
    with published("inplace://bucket/rows.jsonl", client) as draft:
        assert draft.stream is not None
        draft.stream.write(rows(1))
        draft.stream.seek(0)
        draft.stream.truncate()
        draft.stream.write(rows(2))
    assert {name: bytes(data) for name, data in InPlace.store.items()} == {"bucket/rows.jsonl": rows(2)}


@pytest.mark.parametrize("end", ["published", "bad", "failed"])
def test_what_goes_to_the_connections_bucket_in_parts_appears_whole_or_not_at_all(
    vertex: Emulator, cloud_storage: CloudStorage, end: str
) -> None:
    uri, block = f"gs://emulator-staging/{uuid4().hex}/rows.jsonl", random.Random(1).randbytes(3_000_001)
    with (
        GenAIBatchHook().get_conn() as opened,
        pytest.raises(KeyError) if end == "failed" else nullcontext(),
        published(uri, opened) as draft,
    ):
        assert draft.stream is not None
        draft.stream.write(b"begun once")
        draft.stream.seek(0)
        for _ in range(6):
            draft.stream.write(block)
        assert [*cloud_storage.list(uri)] == []
        draft.good = end != "bad"
        if end == "failed":
            raise KeyError
    with GenAIBatchHook().get_conn() as opened:
        if end == "published":
            assert b"".join(read_chunks(uri, opened)) == block * 6
        else:
            assert [*cloud_storage.list(uri)] == []


@pytest.mark.parametrize("good", [True, False])
def test_what_is_not_streamed_to_its_end_leaves_nothing(client: GenAIBatchClient, *, good: bool) -> None:
    with (
        nullcontext() if not good else pytest.raises(KeyError),
        published("inplace://bucket/rows.jsonl", client) as draft,
    ):
        assert draft.stream is not None
        draft.stream.write(rows(1))
        draft.good = good
        if good:
            raise KeyError
    assert InPlace.store == {}


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_the_umask_says_who_may_read_a_file(
    client: GenAIBatchClient, tmp_path: Path, umask: int, mode: int
) -> None:
    before = os.umask(umask)
    try:
        publish(str(tmp_path / "rows.jsonl"), b"a\n", client)
    finally:
        os.umask(before)
    assert (tmp_path / "rows.jsonl").stat().st_mode & 0o777 == mode


WRITER = """
import sys, time
from pathlib import Path
from airflow_provider_genai_batch.task.files.drafts import draft_of
part, stream = draft_of(Path(sys.argv[1]))
stream.write(b"half a row")
stream.flush()
print(part, flush=True)
time.sleep(600)
"""


@contextmanager
def writing(out: Path, *, long_ago: bool = True) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Have a process that writes a draft and does not come to its end."""
    command = [sys.executable, "-c", WRITER, str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            part = Path(process.stdout.readline().strip())
            when = time.time() - (2 * ABANDONED_AFTER if long_ago else 0)
            os.utime(part, (when, when))
            yield process, part
        finally:
            process.kill()


def test_what_a_process_left_that_died_is_taken_away_and_what_one_writes_is_not(
    client: GenAIBatchClient, tmp_path: Path
) -> None:
    out = tmp_path / "rows.jsonl"
    others = tmp_path / ".genai-batch-notes.part"
    others.write_bytes(b"somebody's own")
    with writing(out) as (_, its):
        with writing(out) as (_, left), writing(out, long_ago=False) as (_, young):
            pass
        publish(str(out), b"a\n", client)
        assert {*tmp_path.iterdir()} == {out, others, its, young}
        assert left not in {*tmp_path.iterdir()}
    publish(str(out), b"a\n", client)
    assert {*tmp_path.iterdir()} == {out, others, young}


def test_what_a_process_left_that_died_while_it_wrote_to_a_store_is_taken_away(
    client: GenAIBatchClient,
) -> None:
    store = fsspec.filesystem("memory")
    attach("memory", fs=store)
    folder = f"/{uuid4().hex}"
    old, young = (f"{folder}/rows.jsonl.{uuid4().hex}.part" for _ in range(2))
    others = [f"{folder}/other.jsonl.{uuid4().hex}.part", f"{folder}/rows.jsonl.mine.part"]
    for path in (old, young, *others):
        store.pipe(path, b"a")
    for path in (old, *others):
        store.store[path].modified -= timedelta(seconds=2 * ABANDONED_AFTER)
    publish(f"memory:/{folder}/rows.jsonl", b"a\n", client)
    assert {*store.ls(folder, detail=False)} == {f"{folder}/rows.jsonl", young, *others}


def test_a_name_may_be_as_long_as_the_file_system_takes(client: GenAIBatchClient, tmp_path: Path) -> None:
    out = tmp_path / f"{'n' * (os.pathconf(tmp_path, 'PC_NAME_MAX') - 6)}.jsonl"
    check_writable(str(out), client)
    publish(str(out), b"a\n", client)
    assert [*tmp_path.iterdir()] == [out]


def local_trouble(folder: Path, kind: str) -> str:
    if kind == "a folder":
        (folder / "rows.jsonl").mkdir()
    if kind == "below a file":
        (folder / "file").write_bytes(b"")
        return str(folder / "file" / "deep" / "rows.jsonl")
    if kind == "too long":
        return str(folder / "new" / f"{'n' * 300}.jsonl")
    if kind == "no right":
        return f"/proc/self/{uuid4().hex}.jsonl"  # which not even root may write to
    return str(folder / "rows.jsonl")


@pytest.mark.parametrize("kind", ["a folder", "below a file", "too long", "no right"])
def test_a_place_that_cannot_be_written_is_found_beforehand(
    client: GenAIBatchClient, tmp_path: Path, kind: str
) -> None:
    uri = local_trouble(tmp_path, kind)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ConfigurationError, match=r"cannot be written to results_uri .*nothing is billed"):
        check_writable(uri, client)
    assert sorted(tmp_path.rglob("*")) == before


def test_looking_whether_a_place_can_be_written_leaves_nothing_there(
    client: GenAIBatchClient, tmp_path: Path
) -> None:
    check_writable(str(tmp_path / "new" / "deep" / "rows.jsonl"), client)
    check_writable("inplace://bucket/rows.jsonl", client)
    assert [*tmp_path.iterdir()] == []
    assert InPlace.store == {}


def test_a_store_from_which_nothing_can_be_taken_away_is_found_beforehand(
    client: GenAIBatchClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(InPlace, "keeps_everything", True)
    with pytest.raises(ConfigurationError, match="cannot be written"):
        check_writable("inplace://bucket/rows.jsonl", client)


def test_an_error_of_a_providers_own_says_that_the_input_cannot_be_read(
    client: GenAIBatchClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    class ProviderError(Exception):
        """An error as each provider has its own."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise ProviderError("no such bucket")

    monkeypatch.setattr(InPlace, "_open", refuse)
    with pytest.raises(InputError, match=r"inplace://bucket/in\.jsonl cannot be read: no such bucket"):
        b"".join(read_chunks("inplace://bucket/in.jsonl", client))


def test_a_folder_of_a_store_is_no_place_for_rows(client: GenAIBatchClient) -> None:
    publish("inplace://bucket/rows.jsonl/below", b"a\n", client)
    with pytest.raises(ConfigurationError, match="it is a folder"):
        check_writable("inplace://bucket/rows.jsonl", client)


def test_a_bucket_is_asked_without_putting_anything_there(
    vertex: Emulator, cloud_storage: CloudStorage
) -> None:
    place = f"gs://emulator-staging/{uuid4().hex}"
    with GenAIBatchHook().get_conn() as client:
        check_writable(f"{place}/rows.jsonl", client)
        assert [*cloud_storage.list(place)] == []
        with pytest.raises(ConfigurationError, match="no-such-bucket"):
            check_writable(f"gs://no-such-bucket-{uuid4().hex}/rows.jsonl", client)
