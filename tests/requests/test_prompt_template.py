"""Prompts with columns in them."""

from __future__ import annotations

import base64
import json
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_genai_batch.exceptions import InputError, RequestError
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.requests.frames import TOGETHER
from airflow_provider_genai_batch.requests.tables.prompt_template import Prompt
from airflow_provider_genai_batch.requests.tables.rows import dict_rows
from airflow_provider_genai_batch.requests.tables.write import TableWriter
from airflow_provider_genai_batch.requests.write import request_lines

MODEL = "gemini-2.5-flash"
GEMINI, VERTEX = Backend.GEMINI, Backend.VERTEX
BACKENDS = pytest.mark.parametrize("backend", list(Backend), ids=str)


def written(
    template: Any, rows: list[Any], backend: Backend = GEMINI, task: Task = Task.GENERATE, **settings: Any
) -> list[bytes]:
    model = settings.pop("model", MODEL)
    writer = TableWriter(Prompt(template), backend, task, model, **settings)
    blocks = [*writer.blocks(dict_rows(rows))]
    lines = b"".join(blocks).splitlines(keepends=True)
    one_by_one = TableWriter(Prompt(template), backend, task, model, **settings)
    assert lines == [*map(one_by_one.line, rows)]
    return lines


def parts(template: Any, row: dict[str, Any], backend: Backend = GEMINI) -> list[dict[str, Any]]:
    (line,) = written(template, [row], backend)
    (turn,) = json.loads(line)["request"]["contents"]
    return turn["parts"]


def text(template: str, **row: Any) -> str:
    (part,) = parts(template, row)
    return part["text"]


@BACKENDS
def test_a_row_becomes_what_its_filled_in_prompt_is_as_a_request(backend: Backend) -> None:
    rows = [{"who": 'Anna "A"', "text": "Grüße\n100% {text} \\"}, {"who": "Bob", "text": "€ {{ ds }}"}]
    defaults = {"temperature": 0, "system_instruction": "Answer {who} in 100 %"}
    lines = written("{who} says: {text}. {{Good}} or bad, {who}?", rows, backend, defaults=defaults)
    prompts = [f"{r['who']} says: {r['text']}. {{Good}} or bad, {r['who']}?" for r in rows]
    asked = request_lines(prompts, backend, Task.GENERATE, MODEL, defaults)
    assert lines == [line for _, line in asked]


@given(
    st.lists(
        st.fixed_dictionaries({"a": st.text().filter(str.strip), "b": st.integers() | st.booleans()}),
        min_size=1,
        max_size=4,
    )
)
def test_any_text_is_written_as_a_request_with_it_is(rows: list[dict[str, Any]]) -> None:
    told = [f"{row['a']}%s{json.dumps(row['b'])}" for row in rows]
    asked = request_lines(told, GEMINI, Task.GENERATE, MODEL)
    assert written("{a}%s{b}", rows) == [line for _, line in asked]


@BACKENDS
def test_parts_are_filled_in_wherever_they_have_a_string(backend: Backend) -> None:
    template = ["Describe {title}", {"file_data": {"file_uri": "{uri}", "mime_type": "image/{kind}"}}]
    uri = "gs://b/1.png" if backend is VERTEX else "https://h.example/v1beta/files/abc"
    assert parts(template, {"title": "it", "uri": uri, "kind": "png"}, backend) == [
        {"text": "Describe it"},
        {"fileData": {"fileUri": uri, "mimeType": "image/png"}},
    ]


def test_parts_may_be_objects_of_the_sdk() -> None:
    template = [
        types.Part.from_uri(file_uri="{uri}", mime_type="image/png"),
        types.Part(text="What is {title}?"),
    ]
    uri = "https://h.example/v1beta/files/abc"
    assert parts(template, {"title": "it", "uri": uri}) == [
        {"fileData": {"fileUri": uri, "mimeType": "image/png"}},
        {"text": "What is it?"},
    ]


def test_bytes_of_a_column_are_sent_inline() -> None:
    template = ["What is it?", {"inline_data": {"data": "{image}", "mime_type": "image/png"}}]
    sent = parts(template, {"image": b"\xff\x00\xfe"})
    assert base64.b64decode(sent[1]["inlineData"]["data"]) == b"\xff\x00\xfe"


PICTURE = ["What is it?", {"inline_data": {"data": "{image}", "mime_type": "image/png"}}]
CLAUDE = "publishers/anthropic/models/claude-sonnet-4-6"


@pytest.mark.parametrize("value", ["/data/cat.png", "gs://b/cat.png", "data:image/png;base64,aaaa", "a\nb"])
@pytest.mark.parametrize(
    ("backend", "model"),
    [(GEMINI, MODEL), (VERTEX, MODEL), (VERTEX, CLAUDE)],
    ids=["gemini", "vertex", "claude"],
)
def test_a_column_of_bytes_that_holds_something_else_is_refused_as_in_a_list_of_requests(
    backend: Backend, model: str, value: str
) -> None:
    rows = [{"image": "aaaa"}, {"image": value}]
    with pytest.raises(RequestError, match="row 2: column 'image' is not base64"):
        written(PICTURE, rows, backend, model=model)


def test_more_than_a_column_in_the_place_of_bytes_is_refused() -> None:
    template = [{"inline_data": {"data": "data:image/png;base64,{image}", "mime_type": "image/png"}}]
    with pytest.raises(RequestError, match="more than column 'image' in the data of a picture"):
        written(template, [{"image": "aaaa"}])


def test_a_column_named_as_data_that_holds_no_bytes_is_text() -> None:
    call = {"function_response": {"name": "look", "response": {"data": "{found} here"}}}
    (part,) = parts([call], {"found": "no base64!"})
    assert part["functionResponse"]["response"] == {"data": "no base64! here"}


@pytest.mark.parametrize("value", ["-_-_-w", b"\xfb\xff\xbf\xfb"])
def test_a_column_of_bytes_reaches_claude_in_the_alphabet_that_it_reads(value: str | bytes) -> None:
    (line,) = written(PICTURE, [{"image": value}], VERTEX, model=CLAUDE)
    assert json.loads(line)["request"]["messages"][0]["content"][1]["source"]["data"] == "+/+/+w=="


def test_names_of_enumerations_are_spelled_as_the_services_want_them() -> None:
    template = [{"text": "{t}", "media_resolution": {"level": "media_resolution_{level}"}}]
    assert parts(template, {"t": "Look", "level": "low"}) == [
        {"text": "Look", "mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"}}
    ]


def test_turns_are_filled_in_too() -> None:
    template = [
        {"role": "user", "parts": [{"text": "Hi"}]},
        {"role": "model", "parts": [{"text": "{answer}"}]},
        {"role": "user", "parts": [{"text": "{more}"}]},
    ]
    (line,) = written(template, [{"answer": "Yes?", "more": "Go on"}])
    turns = json.loads(line)["request"]["contents"]
    assert [(turn["role"], turn["parts"][0]["text"]) for turn in turns] == [
        ("user", "Hi"),
        ("model", "Yes?"),
        ("user", "Go on"),
    ]


@pytest.mark.parametrize(
    ("model", "backend", "request_"),
    [
        ("gemini-embedding-001", GEMINI, {"content": {"parts": [{"text": "a: b"}], "role": "user"}}),
        ("gemini-embedding-001", VERTEX, {"content": {"parts": [{"text": "a: b"}], "role": "user"}}),
    ],
)
def test_texts_to_embed_are_filled_in(model: str, backend: Backend, request_: dict[str, Any]) -> None:
    (line,) = written("{x}: {y}", [{"x": "a", "y": "b"}], backend, Task.EMBED, model=model)
    assert json.loads(line) == {"key": "r00000000", "request": request_}


def test_parts_to_embed_are_one_content() -> None:
    (line,) = written(
        ["{x}", "{y}"], [{"x": "a", "y": "b"}], GEMINI, Task.EMBED, model="gemini-embedding-001"
    )
    assert json.loads(line)["request"]["content"]["parts"] == [{"text": "a"}, {"text": "b"}]


def test_models_that_take_text_only_get_text_only() -> None:
    lines = written("{x} 100%", [{"x": "a"}, {"x": "b"}], VERTEX, Task.EMBED, model="text-embedding-005")
    assert lines == [b'{"content":"a 100%"}\n', b'{"content":"b 100%"}\n']


# ---------------------------------------------------------------- values


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("a {b} %s", "a {b} %s"),
        (7, "7"),
        (2.5, "2.5"),
        (True, "true"),
        (Decimal("12.50"), "12.50"),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, 3, 4, tzinfo=timezone.utc), "2026-01-02T03:04:00+00:00"),
        (timedelta(minutes=1.5), "90.0"),
        (["ä", 1], '["ä",1]'),
        ({"a": None}, '{"a":null}'),
    ],
)
def test_a_value_stands_in_a_prompt_as_text_or_as_json(value: Any, said: str) -> None:
    assert text("<{a}>", a=value) == f"<{said}>"


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_a_null_is_refused_with_row_and_column(value: Any) -> None:
    with pytest.raises(RequestError, match=r"^row 2 of in\.jsonl: column 'a' is null"):
        written("Say {a}", [{"a": "b"}, {"a": value}], name="in.jsonl")


def test_a_value_that_json_has_no_word_for_is_refused() -> None:
    with pytest.raises(RequestError, match="row 1: column 'a' has a value of type object"):
        written("Say {a}", [{"a": object()}])


def test_half_of_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(RequestError, match="row 1: column 'a' holds half of a surrogate pair"):
        written("Say {a}", [{"a": "\ud800"}])


def test_a_column_that_is_not_there_is_refused_with_those_that_are() -> None:
    said = r"^row 2: there is no column 'text', which the prompt names\. The columns are: 'id', 'txt'"
    with pytest.raises(RequestError, match=said):
        written("Say {text}", [{"text": "a"}, {"id": 1, "txt": "b"}])


@pytest.mark.parametrize("empty", ["", " \n\t "])
def test_a_prompt_that_comes_out_empty_is_refused(empty: str) -> None:
    with pytest.raises(RequestError, match="row 2: column 'b' is empty, and nothing else stands"):
        written("{a}{b}", [{"a": "x", "b": ""}, {"a": "", "b": empty}])
    assert text("Say: {a}", a=empty) == f"Say: {empty}"


def test_a_file_that_the_service_cannot_read_is_refused_by_its_row() -> None:
    template = ["Describe it", {"file_data": {"file_uri": "{uri}", "mime_type": "image/png"}}]
    rows = [{"uri": "https://h.example/files/a"}, {"uri": "gs://b/2.png"}]
    with pytest.raises(RequestError, match=r"row 2: the Gemini Developer API cannot read gs://b/2\.png"):
        written(template, rows)


# ---------------------------------------------------------------- templates


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("Say hello", "prompt names no column, so every request would be the same"),
        ("{{text}}", "prompt names no column"),
        (["Say", {"text": "hello"}], "prompt names no column"),
        ("{a.b}", r"prompt has \{a\.b\}: only the name of a column can stand between braces"),
        ("{a[0]}", r"prompt has \{a\[0\]\}"),
        ("{a!r}", r"prompt has \{a!r\}"),
        ("{a:>9}", r"prompt has \{a:>9\}"),
        ("{a:{b}}", r"prompt has \{a:\{b\}\}"),
        ("{}", r"prompt has \{\}"),
        ('{"label": "{text}"}', r"Write \{\{ and \}\} for braces"),
        ("{text", "prompt cannot be read: .*Write {{ and }} for braces"),
        ("text}", "prompt cannot be read"),
        ("On {{ ds }}: {text}", r"prompt has \{\{ ds \}\}, but Jinja is not rendered in it"),
        ("{{ params.a | upper }} {text}", "Jinja is not rendered"),
        (7, "prompt is of type int"),
        (b"{text}", "prompt is of type bytes"),
    ],
)
def test_what_is_no_template_is_refused(template: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Prompt(template)


def test_braces_may_stand_around_anything() -> None:
    assert text('Write {{"label": "{a}"}} or {{x}}', a="b") == 'Write {"label": "b"} or {x}'


def test_any_name_of_a_column_may_be_used() -> None:
    assert Prompt("{Review Text} {0} {%} {ä-b}").columns == ("Review Text", "0", "%", "ä-b")
    assert text("{Review Text} {%}", **{"Review Text": "a", "%": "b"}) == "a b"


@BACKENDS
def test_a_part_that_cannot_be_sent_is_refused_before_any_row(backend: Backend) -> None:
    with pytest.raises(RequestError, match="prompt: unknown field 'txet' in a part"):
        Prompt([{"txet": "{a}"}]).writer(backend, Task.GENERATE, MODEL)


def test_what_the_importer_of_vertex_cannot_load_is_refused_before_any_row() -> None:
    with pytest.raises(RequestError, match=r"prompt: .*empty object"):
        Prompt("{a}").writer(VERTEX, Task.GENERATE, MODEL, {"tools": [{"google_search": {}}]})


# ---------------------------------------------------------------- rows


def test_rows_that_are_no_dicts_are_refused() -> None:
    with pytest.raises(RequestError, match="row 2: with prompt rows are dicts of columns, not str"):
        written("{a}", [{"a": "b"}, "c"])


def test_no_rows_are_nothing_to_ask() -> None:
    with pytest.raises(InputError, match=r"in\.csv holds no rows: there is nothing to ask"):
        written("{a}", [], name="in.csv")


@pytest.mark.parametrize("most", [{"max_requests": 2}, {"max_bytes": 250}])
def test_more_rows_than_one_job_takes_are_refused(most: dict[str, int]) -> None:
    with pytest.raises(RequestError, match=r"^row 3: .*Make several jobs of it"):
        written("{a}", [{"a": "b"}] * 3, **most)


def test_rows_are_read_as_their_lines_are_asked_for() -> None:
    taken: list[int] = []

    def rows() -> Any:
        for number in range(1000):
            taken.append(number)
            yield {"a": number}

    lines = TableWriter(Prompt("{a}"), GEMINI, Task.GENERATE, MODEL).blocks(dict_rows(rows()))
    next(lines)
    assert taken == [*range(TOGETHER)]
