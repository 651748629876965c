"""Whatever a request holds, the job is refused at create or its rows come back; no look at it ever breaks."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_genai_batch.emulator import Emulator
from tests.emulator.talk import MODEL, Gemini, Vertex, lines, question

VALUES: list[Any] = [
    None,
    5,
    -1.5,
    True,
    "x",
    "\ud800",
    [],
    [None],
    {},
    {"a": 1},
    [[]],
    {"type": "string"},
    10**400,
]
PLACES: dict[str, Callable[[Any], dict[str, Any]]] = {
    "JSON schema": lambda value: {"responseJsonSchema": value},
    "a type": lambda value: {"responseJsonSchema": {"type": value}},
    "properties": lambda value: {"responseJsonSchema": {"type": "object", "properties": value}},
    "a property": lambda value: {"responseJsonSchema": {"type": "object", "properties": {"a": value}}},
    "required": lambda value: {"responseJsonSchema": {"type": "object", "required": value}},
    "items": lambda value: {"responseJsonSchema": {"type": "array", "items": value}},
    "an enum": lambda value: {"responseJsonSchema": {"enum": value}},
    "a choice": lambda value: {"responseJsonSchema": {"anyOf": value}},
    "all of": lambda value: {"responseJsonSchema": {"allOf": [value]}},
    "a reference": lambda value: {"responseJsonSchema": {"$ref": value}},
    "the least": lambda value: {"responseJsonSchema": {"type": "integer", "minimum": value}},
    "the most": lambda value: {"responseJsonSchema": {"type": "string", "maxLength": value}},
    "how many": lambda value: {"responseJsonSchema": {"type": "array", "minItems": value}},
    "steps": lambda value: {"responseJsonSchema": {"type": "number", "multipleOf": value}},
    "Google's schema": lambda value: {"responseSchema": value},
    "Google's example": lambda value: {"responseSchema": {"type": "STRING", "example": value}},
    "a limit": lambda value: {"maxOutputTokens": value},
    "thoughts": lambda value: {"thinkingConfig": value},
}
SHAPES = [
    question("hi", generationConfig=place(value))
    for place, value in itertools.product(PLACES.values(), VALUES)
]
SHAPES += [{name: value} for name, value in itertools.product(("contents", "systemInstruction"), VALUES)]
SHAPES += [{"contents": [{"parts": [value]}]} for value in VALUES]


def seen(api: Gemini) -> None:
    """Look at every job by name and in the list."""
    for entry in api.list(pageSize="1000").get("operations", []):
        api.get(entry["name"])
        api.ended(entry["name"])
    api.list(pageSize="1000")


def test_no_shape_of_a_request_breaks_a_create_a_get_or_a_list(api: Gemini, emulator: Emulator):
    assert len(SHAPES) > 216
    made = 0
    for request in SHAPES:
        body = {"batch": {"inputConfig": {"requests": {"requests": [{"request": request}]}}}}
        reply = api.http.post(f"/v1beta/models/{MODEL}:batchGenerateContent", content=lines([body]))
        assert reply.status_code in {200, 400}, (request, reply.text)
        made += reply.status_code == 200
    seen(api)
    assert len(emulator.jobs) == made > 100
    assert all(job["state"] == "SUCCEEDED" for job in emulator.jobs)


def test_no_shape_of_a_request_breaks_a_job_of_vertex(
    jobs: Vertex, put: Callable[..., str], place: str, vertex_emulator: Emulator
):
    for at, request in enumerate(SHAPES[::3]):
        name = jobs.create(put([{"request": request}], f"{at}.jsonl"), f"{place}/{at}")["name"]
        assert jobs.ended(name)["state"] in {"JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED"}
    assert len(jobs.list()["batchPredictionJobs"]) == len(vertex_emulator.jobs)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ANYTHING)
def test_no_answer_of_a_users_function_breaks_a_look(said: Any):
    with Emulator(answer=lambda _: said) as emulator, Gemini(emulator.url) as api:
        (row,) = api.ended(api.inline("hi")["name"])["response"]["inlinedResponses"]["inlinedResponses"]
        assert ("response" in row) != ("error" in row)
        assert emulator.jobs[0]["state"] == "SUCCEEDED"


def test_an_exception_of_a_users_function_is_an_error_of_its_row(api: Gemini):
    def answer(request: dict[str, Any]) -> str:
        return {"good": "fine"}[request["contents"][0]["parts"][0]["text"]]

    with Emulator(answer=answer) as emulator, Gemini(emulator.url) as client:
        ended = client.ended(client.inline("good", "bad")["name"])
        good, bad = ended["response"]["inlinedResponses"]["inlinedResponses"]
    assert good["response"]["candidates"][0]["content"]["parts"][0]["text"] == "fine"
    assert bad["error"] == {"code": 13, "message": "Internal error. KeyError: 'bad'"}
    assert ended["metadata"]["batchStats"] == {
        "requestCount": "2",
        "successfulRequestCount": "1",
        "failedRequestCount": "1",
    }


@pytest.mark.parametrize("depth", [99, 101, 400, 5000])
def test_nesting_has_an_end(api: Gemini, depth: int):
    deep = '{"a":' * depth + "1" + "}" * depth
    line = f'{{"request":{{"contents":[{{"parts":[{{"text":"hi"}}]}}]}},"metadata":{deep}}}'
    body = f'{{"batch":{{"inputConfig":{{"requests":{{"requests":[{line}]}}}}}}}}'
    inline = api.http.post(f"/v1beta/models/{MODEL}:batchGenerateContent", content=body)
    from_file = api.http.post(
        f"/v1beta/models/{MODEL}:batchGenerateContent",
        json={"batch": {"inputConfig": {"fileName": api.upload(line.encode())}}},
    )
    assert inline.status_code == from_file.status_code == (200 if depth < 99 + 1 else 400)
    seen(api)
