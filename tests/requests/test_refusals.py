from __future__ import annotations

import pytest

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.requests.preflight import Preflight

GEMINI, VERTEX = Backend.GEMINI, Backend.VERTEX
ASK = '{"contents":[{"parts":[{"text":"hi"}]}]}'
JSON_SCHEMA = '"generationConfig":{"responseJsonSchema":{"y":[{"z":1},{"z":"1"}]}}'
GOOD = f'{{"key":"good","request":{ASK}}}\n'.encode()


def refusal(
    line: str | bytes, backend: Backend, task: Task = Task.GENERATE, model: str = "m"
) -> RequestError:
    raw = line.encode() if isinstance(line, str) else line
    good = b'{"content":"x"}\n' if model.startswith("text-") else GOOD
    if task is Task.EMBED and not model.startswith("text-"):
        good = b'{"key":"good","request":{"content":{"parts":[{"text":"x"}]}}}\n'
    with pytest.raises(RequestError) as caught:
        list(Preflight(backend, task, model, name="in.jsonl").lines([good, raw + b"\n", good]))
    assert caught.value.where == "line 2 of in.jsonl"
    assert caught.value.remedy
    assert str(caught.value).startswith("line 2 of in.jsonl: ")
    return caught.value


@pytest.mark.parametrize("backend", [GEMINI, VERTEX])
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"key": "a"', "not JSON (EOF while parsing an object at column 11)"),
        ("hello", "not JSON (expected value at column 1)"),
        ('{"key":"a"} {"key":"b"}', "not JSON (trailing characters at column 13)"),
        (
            b'{"key":"a\xff","request":{"contents":[{}]}}',
            "not JSON (invalid unicode code point at column 10)",
        ),
        ('{"key":"a","request":{"contents":[{"x":NaN}]}}', "not JSON (expected value at column 40)"),
        ('{"key":"a","request":{"contents":[{"x":-Infinity}]}}', "not JSON (invalid number at column 41)"),
        ('{"key":"\\ud800","request":{"contents":[{}]}}', "not JSON (unexpected end of hex escape"),
        ("[1]", "a JSON array, not an object"),
        ('"hi"', "a JSON string, not an object"),
        ("5", "a JSON number, not an object"),
        ("null", "a JSON null, not an object"),
        ("true", "a JSON boolean, not an object"),
        ("{}", "it has no request, and is not a request itself: there is nothing"),
        ('{"foo":1,"bar":2}', "it has no request, and is not a request itself: there is bar, foo"),
        ('{"custom_id":"a","method":"POST","body":{}}', "unknown field 'custom_id'"),
        (f'{{"key":"a","config":{{}},"request":{ASK}}}', "unknown field 'config'"),
        ('{"contents":"hi","config":{"temprature":1}}', "unknown field 'temprature'"),
        ('{"contents":"hi","config":{},"labels":{}}', "labels stands beside config"),
        ('{"contents":[{}],"temperature":1}', "temperature stands beside contents"),
        ('{"contents":[{}],"key":"a"}', "contents[0].parts is empty"),
        ('{"request":5}', "request is not an object"),
        ('{"request":{}}', "request has no contents"),
        ('{"request":{"contents":[]}}', "request has no contents"),
        ('{"key":"a","request":{"contents":5}}', "contents: a prompt cannot be of type int"),
        ('{"key":"a","request":{"contents":[["hi",5]]}}', "contents[0][1]: a prompt cannot be of type int"),
        ('{"key":"a","request":{"contents":[{"x":"a\rb"}]}}', "not JSON (control character"),
        (f'\f{{"key":"a","request":{ASK}}}', "not JSON (expected value at column 1)"),
        (f'{{"key":"a","request":{ASK}}}\v', "not JSON (trailing characters at column 63)"),
        ("\v", "not JSON (expected value at column 1)"),
        (
            '{"key":"a","request":{"contents":[{}],"config":{}}}',
            "config inside request is the SDK's spelling",
        ),
        (f'{{"key":5,"request":{ASK}}}', "key is 5, not a string"),
        (f'{{"key":"","request":{ASK}}}', "key is empty"),
        (f'{{"key":"{"x" * 513}","request":{ASK}}}', "key has 513 characters, more than 512"),
    ],
)
def test_a_bad_line_is_refused_with_its_number_and_a_remedy(line: str, said: str, backend: Backend) -> None:
    assert said in refusal(line, backend).reason


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ('{"custom_id":"a","body":{}}', "It is called key here"),
        (f'{{"custom_id":"a","request":{ASK}}}', "It is called key here"),
        (f'{{"body":{{}},"request":{ASK}}}', "It is called request here"),
        (f'{{"config":{{}},"request":{ASK}}}', "It belongs into request"),
        (f'{{"row":1,"request":{ASK}}}', "Only key, request and"),
        ("{}", 'Write {"key": …, "request": {"contents": …}}.'),
    ],
)
def test_the_remedy_says_how_it_is_spelled_here(line: str, remedy: str) -> None:
    assert remedy in refusal(line, GEMINI).remedy


def test_gemini_takes_nothing_but_the_key_beside_the_request() -> None:
    said = refusal(f'{{"key":"a","team":"x","request":{ASK}}}', GEMINI)
    assert said.reason == "unknown field 'team' beside request"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            f'{{"key":"a","team":["x"],"request":{ASK}}}',
            "the field 'team' beside request is not a single value",
        ),
        (
            f'{{"key":"a","team":{{"x":[1]}},"request":{ASK}}}',
            "the field 'team' beside request is not a single value",
        ),
        (f'{{"key":"a","metadata":{{}},"request":{ASK}}}', "metadata is an empty object"),
        (f'{{"key":"a","status":"","request":{ASK}}}', "the field 'status' is one of Vertex AI's output"),
        (f'{{"key":"a","error":"","request":{ASK}}}', "the field 'error' is one of Vertex AI's output"),
        (
            f'{{"key":"a","processed_time":"","request":{ASK}}}',
            "'processed_time' is one of Vertex AI's output",
        ),
        (f'{{"key":"a","contents":"x","request":{ASK}}}', "unknown field 'contents'"),
        (
            '{"key":"a","request":{"contents":[{"parts":[{"text":"x"}]}],"tools":[{"googleSearch":{}}]}}',
            "request.tools[].googleSearch is an empty object",
        ),
        (
            f'{{"key":"a","request":{ASK[:-1]},"labels":{{"a":"b"}},{JSON_SCHEMA}}}}}',
            "z is a string here and a number in line 2",
        ),
        (f'{{"key":"42","x":1e999,"request":{ASK}}}', "x is inf, which JSON cannot represent"),
    ],
)
def test_what_vertex_cannot_import_is_refused(line: str, said: str) -> None:
    assert said in refusal(line, VERTEX).reason


@pytest.mark.parametrize(
    ("line", "model", "backend", "said"),
    [
        ('{"key":"a","request":{"contents":[]}}', "gemini-embedding-001", GEMINI, "request has no content"),
        ('{"key":"a","request":{"content":{}}}', "gemini-embedding-001", GEMINI, "request has no content"),
        (
            '{"generationConfig":{}}',
            "gemini-embedding-001",
            GEMINI,
            "it has no request, and is not a request itself: there is generationConfig",
        ),
        (
            '{"content":{"parts":[{"text":"x"}]},"dims":3}',
            "gemini-embedding-001",
            GEMINI,
            "unknown field 'dims' in an embedding request",
        ),
        (
            '{"content":"x","key":"a"}',
            "text-embedding-005",
            VERTEX,
            "takes lines with content and nothing else",
        ),
        ('{"content":5}', "text-embedding-005", VERTEX, "takes lines with content and nothing else"),
    ],
)
def test_a_bad_line_to_embed_is_refused(line: str, model: str, backend: Backend, said: str) -> None:
    assert said in refusal(line, backend, Task.EMBED, model).reason


def test_a_prompt_is_never_repeated_in_a_message() -> None:
    for secret in ('{"contents":[{"parts":[{"text":["secret"]}]}]}', '{"contents":"x","labels":"secret"}'):
        assert "secret" not in str(refusal(f'{{"key":"a","request":{secret}}}', GEMINI))
