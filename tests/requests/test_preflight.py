from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_genai_batch.exceptions import InputError, RequestError
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.requests.preflight import Preflight
from airflow_provider_genai_batch.wire.keys import read_key, stamp

GEMINI, VERTEX = Backend.GEMINI, Backend.VERTEX
ASK = '{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}'
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)


def run(data: str | bytes, backend: Backend = GEMINI, **options: Any) -> tuple[list[bytes], Preflight]:
    task = options.pop("task", Task.GENERATE)
    check = Preflight(backend, task, options.pop("model", "gemini-2.5-flash"), **options)
    raw = data.encode() if isinstance(data, str) else data
    lines = list(check.lines([raw[:7], raw[7:]]))
    assert check.rows == len(lines)
    assert check.bytes == sum(map(len, lines))
    assert check.unchanged == (b"".join(lines) == raw)
    return lines, check


def keyed(key: str, request: str = ASK) -> str:
    return f'{{"key":{json.dumps(key)},"request":{request}}}\n'


@pytest.mark.parametrize("backend", [GEMINI, VERTEX])
def test_lines_that_are_right_pass_byte_for_byte(backend: Backend) -> None:
    data = (
        f'{{ "request" : {ASK[:-1]}, "generationConfig": {{"temperature": 1.00e0}}}} , "key":"a"}}\n'
        + keyed("b")
    )
    lines, check = run(data, backend)
    assert b"".join(lines) == data.encode()
    assert (check.unchanged, check.keyless) == (True, 0)


@given(st.lists(TEXT, min_size=1, unique=True), st.sampled_from([GEMINI, VERTEX]))
def test_every_row_keeps_its_key_and_its_request(texts: list[str], backend: Backend) -> None:
    rows = [(f"k{text}", {"contents": [{"parts": [{"text": text}]}]}) for text in texts]
    lines, _ = run("".join(keyed(key, json.dumps(request)) for key, request in rows), backend)
    back = [json.loads(line) for line in lines]
    assert [(read_key(row["key"]), row["request"]) for row in back] == rows


def test_a_missing_key_is_stamped_with_the_rows_index_and_nothing_else_is_touched() -> None:
    lines, check = run(f'\n{keyed("a")}{{"request":{ASK}, "x":0}}\n'.replace(', "x":0', ""))
    assert lines[1] == f'{{"key":"{stamp(1)}","request":{ASK}}}\n'.encode()
    assert (check.keyless, check.unchanged) == (1, False)


@pytest.mark.parametrize("backend", [GEMINI, VERTEX])
def test_a_key_that_is_null_counts_as_missing(backend: Backend) -> None:
    lines, check = run(f'{{"key":null,"request":{ASK}}}', backend)
    assert [json.loads(line) for line in lines] == [{"key": "r00000000", "request": json.loads(ASK)}]
    assert check.keyless == 1


@pytest.mark.parametrize("backend", [GEMINI, VERTEX])
def test_a_bare_request_is_wrapped(backend: Backend) -> None:
    number = (
        '{"contents":[{"parts":[{"text":"hi"}]}],"generation_config":{"temperature":0.10000000000000000001}}'
    )
    lines, check = run(number, backend)
    assert lines == [f'{{"key":"r00000000","request":{number}}}\n'.encode()]
    assert check.keyless == 1


def test_a_key_that_vertex_would_take_for_a_number_is_marked() -> None:
    lines, check = run(keyed("0042"), VERTEX)
    row = json.loads(lines[0])
    assert row["key"] == "key=0042"
    assert read_key(row["key"]) == "0042"
    assert check.keyless == 0


def test_vertex_echoes_single_values_so_they_may_stand_beside_the_request() -> None:
    beside = '"customer":"x","year":2026,"new":true,"note":null,"metadata":{"custom_id":"b"}'
    data = f'{{"key":"a",{beside},"request":{ASK}}}\n'
    assert run(data, VERTEX)[1].unchanged


def test_defaults_are_merged_into_every_line_and_its_own_values_win() -> None:
    own = '{"contents":[{"parts":[{"text":"hi"}]}],"generation_config":{"top_p":1}}'
    lines, _ = run(keyed("a", own) + ASK, defaults={"top_p": 0, "seed": 3})
    assert [json.loads(line) for line in lines] == [
        {
            "key": "a",
            "request": {
                "contents": [{"parts": [{"text": "hi"}]}],
                "generationConfig": {"topP": 1, "seed": 3},
            },
        },
        {"key": "r00000001", "request": {**json.loads(ASK), "generationConfig": {"topP": 0, "seed": 3}}},
    ]


def test_defaults_leave_what_vertex_echoes() -> None:
    lines, _ = run(f'{{"key":"7","team":"x","request":{ASK}}}', VERTEX, defaults={"seed": 3})
    assert json.loads(lines[0]) == {
        "key": "key=7",
        "team": "x",
        "request": {**json.loads(ASK), "generationConfig": {"seed": 3}},
    }


def test_byte_order_mark_carriage_returns_and_blank_lines_are_taken_out() -> None:
    lines, check = run(
        b"\xef\xbb\xbf" + keyed("a").replace("\n", "\r\n\r\n  \r\n").encode() + keyed("b")[:-1].encode()
    )
    assert b"".join(lines).decode() == keyed("a") + keyed("b")
    assert not check.unchanged


def test_a_carriage_return_between_tokens_is_taken_out_for_not_every_reader_takes_it_for_a_space() -> None:
    lines, check = run(keyed("a").replace(",", ",\r").replace("\n", "\r\r\n"))
    assert (b"".join(lines).decode(), check.unchanged) == (keyed("a"), False)


@pytest.mark.parametrize(
    ("task", "model", "backend", "line"),
    [
        (
            Task.EMBED,
            "gemini-embedding-001",
            GEMINI,
            '{"key":"a","request":{"content":{"parts":[{"text":"x"}]}}}\n',
        ),
        (
            Task.EMBED,
            "gemini-embedding-001",
            VERTEX,
            '{"key":"a","request":{"content":{"parts":[{"text":"x"}]}}}\n',
        ),
        (Task.EMBED, "text-embedding-005", VERTEX, '{"content":"x"}\n'),
    ],
)
def test_embedding_lines_of_each_kind_pass(task: Task, model: str, backend: Backend, line: str) -> None:
    assert run(line, backend, task=task, model=model)[1].unchanged


def test_the_same_key_on_two_lines_names_both() -> None:
    with pytest.raises(RequestError) as caught:
        run(keyed("a") + "\n" + keyed("b") + keyed("a"), name="gs://b/in.jsonl")
    assert caught.value.where == "line 4 of gs://b/in.jsonl"
    assert caught.value.reason == "its key is the same as that of line 1"


def test_a_stamp_does_not_collide_unseen_with_a_key_of_the_file() -> None:
    with pytest.raises(RequestError, match="line 2: its key is the same as that of line 1"):
        run(keyed(stamp(1)) + f'{{"request":{ASK}}}\n')


@pytest.mark.parametrize("data", ["", "\n", "\r\n \n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(data: str | bytes) -> None:
    with pytest.raises(InputError, match=r"in\.jsonl holds no requests"):
        run(data, name="in.jsonl")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_requests": 2}, "line 3: more than 2 requests, which is what Vertex AI takes in one job"),
        ({"max_bytes": 200}, "line 3: the file is over 200 bytes, which is what Vertex AI takes in one file"),
    ],
)
def test_a_file_over_a_limit_is_refused(options: dict[str, int], said: str) -> None:
    with pytest.raises(RequestError, match=said):
        run(keyed("a") + keyed("b") + keyed("c"), VERTEX, **options)


def test_the_limits_are_the_services_own() -> None:
    from airflow_provider_genai_batch.wire.catalog.limits import limits_of

    assert limits_of(GEMINI, Task.GENERATE, "m")[:2] == (2147483648, None)
    assert limits_of(VERTEX, Task.GENERATE, "m")[:2] == (1073741824, 200_000)
    assert limits_of(VERTEX, Task.EMBED, "gemini-embedding-001").max_requests == 1_000_000
    assert limits_of(VERTEX, Task.EMBED, "text-embedding-005").max_requests == 30_000
