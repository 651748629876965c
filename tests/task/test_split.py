"""Parts of an input: what is asked again, and what becomes several jobs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.exceptions import InputError, RequestError
from airflow_provider_genai_batch.hooks.genai_batch import GenAIBatchHook
from airflow_provider_genai_batch.models.jobs.identity import Identity
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.task.inputs.read import read_input
from airflow_provider_genai_batch.task.inputs.split import split
from airflow_provider_genai_batch.task.inputs.subset import subset
from airflow_provider_genai_batch.wire.keys import MASK, key_digest, stamp
from airflow_provider_genai_batch.wire.parameters.sources import read_source
from airflow_provider_genai_batch.wire.services.http import json_body

MODEL = "gemini-2.5-flash"
STAGING = "gs://emulator-staging/pieces"
Read = Callable[..., PreparedInput]


@pytest.fixture(params=["gemini", "vertex"])
def service(request: pytest.FixtureRequest) -> Iterator[GenAIBatchClient]:
    request.getfixturevalue(request.param)
    with GenAIBatchHook().get_conn() as client:
        yield client


@pytest.fixture
def on_vertex(vertex: Emulator) -> Iterator[GenAIBatchClient]:
    with GenAIBatchHook().get_conn() as client:
        yield client


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def read(
    stack: ExitStack, client: GenAIBatchClient, src: Any, *, model: str = MODEL, **settings: Any
) -> PreparedInput:
    return stack.enter_context(read_input(client, read_source(src), model=model, **settings))


def keyed(names: list[str]) -> list[dict[str, Any]]:
    return [{"key": name, "contents": f"Say {name}"} for name in names]


def jsonl(names: list[str | None]) -> bytes:
    rows = [
        {**({} if name is None else {"key": name}), "request": {"contents": [{"parts": [{"text": "Hi"}]}]}}
        for name in names
    ]
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def sources(folder: Path) -> dict[str, Callable[[list[str | None]], Any]]:
    def a_file(names: list[str | None]) -> str:
        path = folder / f"{uuid4().hex}.jsonl"
        path.write_bytes(jsonl(names))
        return str(path)

    return {"a list": lambda names: [{"key": n, "contents": "Hi"} for n in names], "a file": a_file}


def consistent(piece: PreparedInput) -> None:
    """Check that the numbers are those of the requests."""
    keys = list(piece.keys())
    assert piece.requests == len(keys)
    stamps = keys == [stamp(piece.first + index) for index in range(len(keys))]
    assert piece.key_sum == (None if stamps else sum(map(key_digest, keys)) & MASK)
    assert piece.stamped == sum(key == stamp(piece.first + i) for i, key in enumerate(keys))
    if piece.lines is not None:
        piece.lines.seek(0)
        assert piece.content == hashlib.sha256(piece.lines.read()).hexdigest()


@pytest.mark.parametrize("kind", ["a list", "a file"])
def test_requests_that_are_asked_again_keep_their_keys_and_order(
    service: GenAIBatchClient, stack: ExitStack, tmp_path: Path, kind: str
) -> None:
    whole = read(stack, service, sources(tmp_path)[kind](["a", "0042", "key=c", "d"]))
    part = subset(whole, lambda key, place: key in ("0042", "key=c") and place is None)
    assert part is not None
    assert list(part.keys()) == ["0042", "key=c"]
    consistent(part)
    assert part.content != whole.content
    assert list(whole.keys()) == ["a", "0042", "key=c", "d"]


@pytest.mark.parametrize("kind", ["a list", "a file"])
def test_requests_without_keys_of_their_own_are_chosen_by_place(
    service: GenAIBatchClient, stack: ExitStack, tmp_path: Path, kind: str
) -> None:
    whole = read(stack, service, sources(tmp_path)[kind]([None] * 9))
    part = subset(whole, lambda key, place: key == stamp(place or 0) and place in (3, 4, 5, 8))
    assert part is not None
    assert list(part.keys()) == [stamp(place) for place in (3, 4, 5, 8)]
    assert (part.stamps, part.first, part.stamped) == (True, 3, 3)
    consistent(part)
    again = subset(part, lambda _, place: place == 8)
    assert again is not None
    assert list(again.keys()) == [stamp(8)]
    consistent(again)


def test_a_key_that_only_looks_stamped_tells_no_place(service: GenAIBatchClient, stack: ExitStack) -> None:
    whole = read(stack, service, keyed(["r00000001", "b"]))
    places: list[int | None] = []
    subset(whole, lambda _, place: not places.append(place))
    assert places == [None, None]


def test_the_same_choice_is_the_same_content(service: GenAIBatchClient, stack: ExitStack) -> None:
    whole = read(stack, service, keyed(["a", "b", "c"]))
    parts = [subset(whole, lambda key, _: key != "b") for _ in range(2)]
    assert parts[0] is not None
    assert parts[1] is not None
    assert parts[0].content == parts[1].content


def test_nothing_wanted_is_nothing_to_ask(service: GenAIBatchClient, stack: ExitStack) -> None:
    with pytest.raises(InputError, match="nothing to submit"):
        subset(read(stack, service, ["a"]), lambda *_: False)


def test_part_of_an_object_in_place_is_staged(on_vertex: GenAIBatchClient, stack: ExitStack) -> None:
    uri = f"{STAGING}/{uuid4().hex}.jsonl"
    put(on_vertex, uri, jsonl(["a", "b", "c"]))
    whole = read(stack, on_vertex, uri)
    assert whole.in_place
    part = subset(whole, lambda key, _: key == "b")
    assert part is not None
    assert not part.in_place
    placed = part.place(on_vertex, Identity("k" * 64, uuid4().hex * 2, 1), STAGING)
    assert placed is not None
    assert b"".join(on_vertex.download(placed.gcs_uri[0])) == jsonl(["b"])


def test_what_cannot_be_read_cannot_be_taken_apart(on_vertex: GenAIBatchClient, stack: ExitStack) -> None:
    table = read(stack, on_vertex, "bq://project.dataset.table")
    assert subset(table, lambda *_: True) is None
    assert split(table, 1, 1) == [table]


def test_texts_that_go_without_a_key_cannot_be_taken_apart(
    on_vertex: GenAIBatchClient, stack: ExitStack
) -> None:
    assert subset(read(stack, on_vertex, ["a", "b"], model="text-embedding-005"), lambda *_: True) is None


# ---------------------------------------------------------------- several jobs


@pytest.mark.parametrize("kind", ["a list", "a file"])
def test_an_input_is_cut_into_consecutive_pieces_by_rows(
    service: GenAIBatchClient, stack: ExitStack, tmp_path: Path, kind: str
) -> None:
    whole = read(stack, service, sources(tmp_path)[kind]([None] * 8))
    pieces = split(whole, max_requests=3)
    assert [(piece.first, piece.requests, piece.stamped) for piece in pieces] == [
        (0, 3, 3),
        (3, 3, 3),
        (6, 2, 2),
    ]
    assert list(chain.from_iterable(piece.keys() for piece in pieces)) == list(whole.keys())
    for piece in pieces:
        consistent(piece)
    assert len({piece.content for piece in pieces}) == 3


def test_pieces_keep_within_so_many_bytes(
    service: GenAIBatchClient, stack: ExitStack, tmp_path: Path
) -> None:
    whole = read(stack, service, sources(tmp_path)["a file"]([f"key-{i}" for i in range(20)]))
    assert whole.lines is not None
    most = 250
    pieces = split(whole, max_bytes=most)
    sizes = [piece.lines.seek(0, 2) for piece in pieces if piece.lines is not None]
    assert max(sizes) <= most
    assert all(size + len(jsonl(["key-0"])) > most for size in sizes[:-1])
    whole.lines.seek(0)
    assert b"".join(lines_of(piece) for piece in pieces) == whole.lines.read()


def lines_of(piece: PreparedInput) -> bytes:
    assert piece.lines is not None
    piece.lines.seek(0)
    return piece.lines.read()


def test_pieces_are_read_side_by_side(service: GenAIBatchClient, stack: ExitStack, tmp_path: Path) -> None:
    names = [f"key-{i}" for i in range(4)]
    one, other = split(read(stack, service, sources(tmp_path)["a file"](names)), max_requests=2)
    assert list(zip(one.keys(), other.keys(), strict=True)) == [
        ("key-0", "key-2"),
        ("key-1", "key-3"),
    ]


def test_a_piece_can_be_cut_and_chosen_from_again(
    service: GenAIBatchClient, stack: ExitStack, tmp_path: Path
) -> None:
    whole = read(stack, service, sources(tmp_path)["a file"]([None] * 10))
    second = split(whole, max_requests=5)[1]
    smaller = split(second, max_requests=2)
    assert [(piece.first, piece.requests) for piece in smaller] == [(5, 2), (7, 2), (9, 1)]
    chosen = subset(smaller[1], lambda _, place: place == 8)
    assert chosen is not None
    assert list(chosen.keys()) == [stamp(8)]
    for piece in (second, *smaller, chosen):
        consistent(piece)


def test_a_piece_is_uploaded_alone(service: GenAIBatchClient, stack: ExitStack, tmp_path: Path) -> None:
    sent: dict[str, bytes] = {}
    pieces = split(read(stack, service, sources(tmp_path)["a file"](["a", "b", "c"])), max_requests=2)
    for piece in pieces:
        placed = piece.place(service, Identity("k" * 64, str(piece.content)), STAGING)
        assert placed is not None
        sent[str(placed)] = lines_of(piece)
        if placed.gcs_uri:
            assert b"".join(service.download(placed.gcs_uri[0])) == lines_of(piece)
    assert len(sent) == 2


def test_an_input_within_the_limits_is_its_own_piece(service: GenAIBatchClient, stack: ExitStack) -> None:
    whole = read(stack, service, ["a", "b"])
    assert split(whole) == [whole]
    assert split(whole, 2, 10_000)[0] is whole


def test_one_request_that_is_too_large_is_named(service: GenAIBatchClient, stack: ExitStack) -> None:
    whole = read(stack, service, ["a", "b" * 1000])
    with pytest.raises(RequestError, match="request 2: it alone has"):
        split(whole, max_bytes=500)


def test_more_than_one_job_takes_is_read_where_there_may_be_several(
    on_vertex: GenAIBatchClient, stack: ExitStack, tmp_path: Path
) -> None:
    path = tmp_path / "many.jsonl"
    path.write_bytes(b'{"content": "Hi"}\n' * 30_001)
    ask = partial(read, stack, on_vertex, str(path), model="text-embedding-005")
    with pytest.raises(RequestError, match="more than 30000 requests"):
        ask()
    assert [piece.requests for piece in split(ask(several_jobs=True))] == [30_000, 1]


# ---------------------------------------------------------------- objects that the service reads in place


def put(client: GenAIBatchClient, uri: str, data: bytes) -> None:
    import io

    client.upload(io.BytesIO(data), uri)


@pytest.fixture
def objects(on_vertex: GenAIBatchClient) -> Callable[[list[bytes]], list[str]]:
    def make(several: list[bytes]) -> list[str]:
        folder = f"{STAGING}/{uuid4().hex}"
        uris = [f"{folder}/{number}.jsonl" for number in range(len(several))]
        for uri, data in zip(uris, several, strict=True):
            put(on_vertex, uri, data)
        return uris

    return make


def test_whole_objects_are_grouped_and_read_in_place(
    on_vertex: GenAIBatchClient, stack: ExitStack, objects: Callable[[list[bytes]], list[str]]
) -> None:
    uris = objects([jsonl([f"o{i}a", f"o{i}b"]).rstrip(b"\n") for i in range(5)])
    pieces = split(read(stack, on_vertex, uris), max_requests=5)
    assert [piece.source.gcs_uri for piece in pieces] == [tuple(uris[:2]), tuple(uris[2:4]), tuple(uris[4:])]
    assert [list(piece.keys()) for piece in pieces][2] == ["o4a", "o4b"]
    assert all(piece.in_place for piece in pieces)
    for piece in pieces:
        consistent(piece)


def test_an_object_that_is_too_large_is_staged_in_pieces_and_its_neighbours_are_not(
    on_vertex: GenAIBatchClient, stack: ExitStack, objects: Callable[[list[bytes]], list[str]]
) -> None:
    uris = objects([jsonl(["a"]), jsonl(["b", "c", "d"]), jsonl(["e"])])
    pieces = split(read(stack, on_vertex, uris), max_requests=2)
    assert [(piece.in_place, list(piece.keys())) for piece in pieces] == [
        (True, ["a"]),
        (False, ["b", "c"]),
        (False, ["d"]),
        (True, ["e"]),
    ]
    for piece in pieces:
        consistent(piece)


def test_a_slice_of_a_closed_input_reads_no_other_file(service: GenAIBatchClient, tmp_path: Path) -> None:
    with ExitStack() as stack:
        pieces = split(read(stack, service, sources(tmp_path)["a file"](["a", "b"])), max_requests=1)
    with (tmp_path / "other").open("wb+"), pytest.raises(ValueError, match="closed"):
        list(pieces[1].keys())


def test_pieces_of_a_list_keep_within_so_many_bytes_with_all_that_parts_them(
    gemini: Emulator, stack: ExitStack
) -> None:
    most, short = 10_000, {"max_output_tokens": 100}  # longer answers would make a file of the list
    with GenAIBatchHook().get_conn() as client:
        pieces = split(read(stack, client, ["x"] * 1000, request_defaults=short), max_bytes=most)
    sizes = [len(json_body(piece.entries)) for piece in pieces]
    assert max(sizes) <= most + len("[]")
    assert min(sizes[:-1]) > most - 200
