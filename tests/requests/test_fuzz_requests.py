"""Request files that were damaged: each bad line is refused by its number, and no good one is refused or changed.

``FUZZ_REQUESTS`` sets the number of cases; each has a seed, which the failure names.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from airflow_provider_genai_batch.client import ClientConfig, GenAIBatchClient
from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.emulator.emulator import STAGING_BUCKET as BUCKET
from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage
from airflow_provider_genai_batch.exceptions import InputError, RequestError
from airflow_provider_genai_batch.models import BatchSource
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.requests.preflight import Preflight
from airflow_provider_genai_batch.requests.write import request_lines
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.task.inputs.read import read_input
from airflow_provider_genai_batch.wire.keys import MASK, key_digest, stamp
from tests.client.places import vertex_config
from tests.requests.request_files import (
    BOM,
    RequestFile,
    as_floats,
    expected,
    is_usable,
    request_file,
    with_defaults,
    written,
)

CASES = int(os.environ.get("FUZZ_REQUESTS", "1200"))
PARTS = 8
PATHS, OBJECTS = 20, 100
"""One case in so many is read from a path, and one from objects in Cloud Storage."""
PLACE = re.compile(r"line (\d+)(?: of (\S+))?")
OTHER = re.compile(r"(?:the one of|in) (line \d+(?: of [^\s,]+)?)")
_NUMBERS = count()


class Uploaded(NamedTuple):
    """What goes to the service, and what is known of it."""

    lines: list[bytes]
    rows: int
    sha256: str
    stamped: int
    key_sum: int
    unchanged: bool


class Door:
    """Reads a file out of memory."""

    def read(self, file: RequestFile) -> Uploaded:
        check = Preflight(file.backend, file.task, file.model, defaults=file.defaults)
        lines = list(check.lines(file.chunks()))
        assert check.bytes == sum(map(len, lines))
        whole = hashlib.sha256(b"".join(lines)).hexdigest()
        return Uploaded(lines, check.rows, whole, check.keys.stamped, check.keys.key_sum, check.unchanged)

    def number(self, place: str, file: RequestFile) -> int:
        """Return the number, from 0, of the line that a place names."""
        found = PLACE.fullmatch(place)
        assert found, place
        return (int(found[1]) - 1) // max(1, file.end.count(b"\n"))


class ByPath(Door):
    """Reads a file by its path."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "in.jsonl"

    def read(self, file: RequestFile) -> Uploaded:
        self._path.write_bytes(file.data)
        source = BatchSource(path=str(self._path))
        config = ClientConfig(backend=file.backend, api_key="k", project="p")
        with (
            GenAIBatchClient(config) as client,
            read_input(client, source, model=file.model, request_defaults=file.defaults) as prepared,
        ):
            return uploaded(prepared, file.data)


class Objects(Door):
    """Reads a file that was cut into objects in Cloud Storage."""

    def __init__(self, client: GenAIBatchClient, storage: CloudStorage) -> None:
        self._client, self._storage = client, storage
        self._begins: dict[str, int] = {}

    def read(self, file: RequestFile) -> Uploaded:
        chance = random.Random(file.seed)
        whole = [number for number in range(1, len(file.lines)) if not file.lines[number].startswith(BOM)]
        cuts = sorted(chance.sample(whole, chance.randint(0, 2)))
        self._begins, place = {}, f"gs://{BUCKET}/fuzz-{next(_NUMBERS)}"
        for begin, end in zip([0, *cuts], [*cuts, len(file.lines)], strict=True):
            uri = f"{place}/{begin}.jsonl"
            self._begins[uri] = begin
            bom = BOM if file.bom and (begin == 0 or chance.random() < 0.5) else b""
            self._storage.write(uri, [bom, file.joined(begin, end), file.end * file.closed])
        with read_input(self._client, BatchSource(gcs_uri=tuple(self._begins)), model=file.model) as prepared:
            there = b"".join(
                b"".join(self._storage.read(uri)).removesuffix(b"\n") + b"\n" for uri in self._begins
            )
            return uploaded(prepared, there)

    def number(self, place: str, file: RequestFile) -> int:
        found = PLACE.fullmatch(place)
        assert found, place
        return self._begins[found[2]] + super().number(place, file)


def uploaded(prepared: PreparedInput, given: bytes) -> Uploaded:
    """Say what an input is; one that is read in place is what is there."""
    assert prepared.lines is not None
    prepared.lines.seek(0)
    data = prepared.lines.read()
    assert data == given or not prepared.in_place
    lines = data.splitlines(keepends=True)
    keys = list(prepared.keys())
    assert len(keys) == (prepared.requests if prepared.keyed else 0)
    key_sum = sum(map(key_digest, keys)) & MASK
    are_stamps = keys == [*map(stamp, range(len(keys)))]
    assert prepared.key_sum == (None if are_stamps else key_sum)
    assert prepared.requests is not None
    return Uploaded(lines, prepared.requests, prepared.content, prepared.stamped, key_sum, data == given)


def repaired(file: RequestFile, door: Door) -> Uploaded:
    """Take out what is refused until nothing is; say what is uploaded then."""
    while True:
        try:
            return door.read(file)
        except InputError as error:
            file.given_up.add(refused(file, door, error))


def refused(file: RequestFile, door: Door, error: InputError) -> int:
    """Return the bad line that a refusal names; of two that contradict one another one may be good."""
    assert isinstance(error, RequestError), error
    assert error.remedy
    numbers = {door.number(place, file) for place in (error.where, *OTHER.findall(error.reason))}
    bad = (numbers & file.hurt) - file.given_up
    assert bad, f"a good line was refused: {error}"
    return min(bad)


def compare(file: RequestFile, sent: Uploaded) -> None:
    wanted = expected(file)
    assert len(sent.lines) == len(wanted) == sent.rows, "a row was lost"
    for line, (key, row, number) in zip(sent.lines, wanted, strict=True):
        assert line.endswith(b"\n")
        got_key, got, anew = written(line, file)
        assert got_key == key, "a key was changed"
        if number in file.hurt and got != row:
            assert as_floats(got) == as_floats(in_a_list(number, file)), "a row is not what it is in a list"
        elif not anew:
            assert got == row, "a row was changed"
        elif file.defaults is None:
            assert as_floats(got) == as_floats(row), "a row was changed"
        elif number not in file.hurt:
            assert as_floats(got) == as_floats(with_defaults(row)), "a row was changed"
    whole = b"".join(sent.lines)
    assert sent.sha256 == hashlib.sha256(whole).hexdigest()
    keys = [key for key, *_ in wanted if key is not None]
    assert len(set(keys)) == len(keys)
    assert sent.key_sum == sum(map(key_digest, keys)) & MASK
    keyless = sum(b'"key"' not in file.lines[number] for _, _, number in wanted if number not in file.hurt)
    stamps = sum(key == stamp(place) for place, (key, *_) in enumerate(wanted))
    assert keyless <= sent.stamped <= stamps or file.model.startswith("text-")


def in_a_list(number: int, file: RequestFile) -> dict[str, Any] | None:
    """Say what becomes of the object of a line when it stands in a list; None: it is refused, or no object."""
    row = parsed(file.unmarked(number))
    if row is None:
        return None
    try:
        ((_, line),) = request_lines([row], file.backend, file.task, file.model, file.defaults)
    except RequestError:
        return None
    _, got, _ = written(line, file)
    return got


def parsed(line: bytes) -> dict[str, Any] | None:
    """Read a line as any reader does."""
    try:
        row = json.loads(line.decode(), parse_constant=str)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def prove(seeds: range, door: Door, fits: Callable[[RequestFile], bool] = lambda _: True) -> None:
    for seed in seeds:
        file = request_file(seed)
        if not fits(file):
            continue
        try:
            sent = repaired(file, door)
            for number, line in enumerate(file.lines):
                bad = line.strip(b" \t\r") and not is_usable(file.unmarked(number), file)
                assert not bad or number in file.given_up, f"line {number + 1} is bad and was not named"
                # On Vertex AI a line may also contradict others, which it does not by itself.
                refused_alone = file.backend is Backend.GEMINI and file.hurt == {number}
                if refused_alone and number in file.given_up and parsed(file.unmarked(number)) is not None:
                    assert in_a_list(number, file) is None, f"line {number + 1} is taken in a list"
            compare(file, sent)
            assert type(door) is not Door or sent.unchanged == (b"".join(sent.lines) == file.data)
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise


@pytest.mark.parametrize("part", range(PARTS))
def test_a_bad_line_is_named_and_a_good_one_is_uploaded_as_it_is(part: int) -> None:
    prove(range(part, CASES, PARTS), Door())


def test_a_file_that_is_read_by_its_path_is_treated_alike(tmp_path: Path) -> None:
    prove(range(0, CASES, PATHS), ByPath(tmp_path))


@pytest.fixture
def client(cloud_storage: CloudStorage) -> Iterator[GenAIBatchClient]:
    with Emulator(storage=cloud_storage) as emulator, GenAIBatchClient(vertex_config(emulator)) as opened:
        yield opened


def test_objects_in_cloud_storage_are_treated_alike_and_a_line_is_named_by_its_object(
    client: GenAIBatchClient, cloud_storage: CloudStorage
) -> None:
    prove(
        range(0, CASES, OBJECTS),
        Objects(client, cloud_storage),
        lambda file: file.backend is Backend.VERTEX and file.defaults is None,
    )
