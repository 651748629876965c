"""What the services refuse in a request, and when: the Gemini API at create, Vertex AI at the row."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator
from tests.emulator.talk import MODEL, Gemini, Vertex, keyed, lines, question

Put = Callable[..., str]
Output = Callable[[dict[str, Any]], list[dict[str, Any]]]
JSON_SCHEMA = {"responseMimeType": "application/json"}


def generation(**config: Any) -> dict[str, Any]:
    return question("hi", generationConfig=config)


def schema(value: Any) -> dict[str, Any]:
    return generation(**JSON_SCHEMA, responseSchema=value)


BODIES: dict[str, tuple[dict[str, Any], str]] = {
    "a field beside contents": (question("hi", thinking_config={"thinking_budget": 0}), "thinking_config"),
    "temperature beside contents": (question("hi", temperature=0), "temperature"),
    "a typo in the config": (generation(maxTokens=5), "maxTokens"),
    "a cache in the config": (generation(cachedContent="cachedContents/x"), "cachedContent"),
    "a list for an instruction": (question("hi", systemInstruction=["Be brief."]), "systemInstruction"),
    "text for parts": ({"contents": [{"role": "user", "parts": "hi"}]}, "parts"),
    "an object for text": ({"contents": [{"parts": [{"text": {"a": 1}}]}]}, "text"),
    "a number for text": ({"contents": [{"parts": [{"text": 5}]}]}, "text"),
    "contents of another service": ({"contents": [{"role": "user", "content": "Hi"}]}, "content"),
    "one field in both spellings": (
        question("hi", generationConfig={"temperature": 0}, generation_config={"topP": 1}),
        "generation_config",
    ),
    "a word for a number": (generation(temperature="hot"), "temperature"),
    "a broken number for a whole one": (generation(maxOutputTokens=1.5), "max_output_tokens"),
    "a number for a switch": (generation(responseLogprobs=1), "response_logprobs"),
    "no base64": ({"contents": [{"parts": [{"inlineData": {"data": "é", "mimeType": "a/b"}}]}]}, "data"),
    "a Python name in a schema": (schema({"type_": "OBJECT"}), "type_"),
    "a type nobody knows": (schema({"type": "STRINGS"}), "type"),
    "numbers in an enum": (schema({"type": "STRING", "enum": [60]}), "enum"),
    "a typo deep in a tool": (
        question("hi", tools=[{"functionDeclarations": [{"name": "f", "parameter": {"type": "OBJECT"}}]}]),
        "parameter",
    ),
}
"""Requests that no parser takes, and the name that the error has to hold."""


def create_file(api: Gemini, *rows: dict[str, Any], model: str = MODEL) -> Any:
    body = {"batch": {"inputConfig": {"fileName": api.upload(lines(rows))}}}
    method = "asyncBatchEmbedContent" if "embedding" in model else "batchGenerateContent"
    return api.http.post(f"/v1beta/models/{model}:{method}", json=body)


def create_inline(api: Gemini, *requests: dict[str, Any]) -> Any:
    rows = [{"request": request} for request in requests]
    body = {"batch": {"inputConfig": {"requests": {"requests": rows}}}}
    return api.http.post(f"/v1beta/models/{MODEL}:batchGenerateContent", json=body)


@pytest.mark.parametrize(("request_", "name"), BODIES.values(), ids=BODIES)
def test_gemini_refuses_a_file_with_a_line_for_each_bad_line_and_makes_nothing(
    api: Gemini, emulator: Emulator, request_: dict[str, Any], name: str
):
    good, bad = keyed(1)[0], {"key": "bad", "request": request_}
    reply = create_file(api, good, bad, good, bad)
    assert reply.status_code == 400
    first, second = reply.json()["error"]["message"].splitlines()
    assert first.startswith("Error on line 2: invalid JSON, near column ")
    assert second.startswith("Error on line 4: invalid JSON, near column ")
    assert emulator.jobs == []


@pytest.mark.parametrize(("request_", "name"), BODIES.values(), ids=BODIES)
def test_gemini_refuses_an_inline_request_with_field_violations_and_makes_nothing(
    api: Gemini, emulator: Emulator, request_: dict[str, Any], name: str
):
    reply = create_inline(api, question("fine"), request_)
    error = reply.json()["error"]
    assert (reply.status_code, error["status"]) == (400, "INVALID_ARGUMENT")
    (violation,) = error["details"][0]["fieldViolations"]
    assert violation["field"].startswith("batch.input_config.requests.requests[1].request")
    assert violation["description"] == error["message"]
    assert name in error["message"]
    assert emulator.jobs == []


@pytest.mark.parametrize(
    ("request_", "name"),
    [case for name, case in BODIES.items() if name != "text for parts"],
    ids=[name for name in BODIES if name != "text for parts"],
)
def test_vertex_fails_the_row_alone(
    jobs: Vertex, put: Put, place: str, output: Output, request_: dict[str, Any], name: str
):
    # The importer wants one type at every place, so nothing else is in the file.
    ended = jobs.run(put([{"key": "bad", "request": request_}]), place)
    assert ended["state"] == "JOB_STATE_SUCCEEDED"
    (row,) = output(ended)
    assert row["status"].startswith('Bad Request: {"error":{"code":400,"message":')
    assert name in json.loads(row["status"].split(": ", 1)[1])["error"]["message"]


def test_text_for_parts_ends_a_job_of_vertex_with_nothing_but_internal(jobs: Vertex, put: Put, place: str):
    ended = jobs.run(put([{"request": {"contents": [{"role": "user", "parts": "hi"}]}}]), place)
    assert ended["state"] == "JOB_STATE_FAILED"
    assert ended["error"] == {"code": 13, "message": "INTERNAL"}


def test_the_words_are_those_that_were_reported(api: Gemini):
    line = {"key": "a", "request": question("hi", thinking_config={})}
    raw = json.dumps(line)
    expected = raw.index('"thinking_config"') + 1
    assert create_file(api, line).json()["error"]["message"] == (
        f"Error on line 1: invalid JSON, near column {expected}: no such field: 'thinking_config'"
    )
    line = {"key": "a", "request": question("hi", systemInstruction=["Be brief."])}
    expected = json.dumps(line).index('["Be') + 1
    assert create_file(api, line).json()["error"]["message"] == (
        f"Error on line 1: invalid JSON, near column {expected}: unexpected character: '['; expected '{{'"
    )
    reply = create_inline(api, question("hi", generation_config={"thinkingConfig": {"a": 1}, "nope": 1}))
    where = "batch.input_config.requests.requests[0].request.generation_config"
    assert reply.json()["error"]["message"] == (
        f"Invalid JSON payload received. Unknown name \"a\" at '{where}.thinking_config': Cannot find field.\n"
        f"Invalid JSON payload received. Unknown name \"nope\" at '{where}': Cannot find field."
    )
    reply = create_inline(api, schema({"properties": {"a": {"type": "STRING"}, "b": {"const": 1}}}))
    where += ".response_schema.properties[1].value"
    assert f"Unknown name \"const\" at '{where}': Cannot find field." in reply.json()["error"]["message"]
    reply = create_inline(api, schema({"type": "STRING", "enum": ["a", 60]}))
    assert "enum[1]' (TYPE_STRING), 60" in reply.json()["error"]["message"]
    reply = create_inline(api, question("hi", systemInstruction=["Be brief."]))
    assert "Proto field is not repeating, cannot start list." in reply.json()["error"]["message"]


@pytest.mark.parametrize("text", ["", "  ", "\ufeff"])
def test_the_column_is_right_wherever_the_field_stands(api: Gemini, text: str):
    raw = '{ "key" : "é\\"}",  "request":{"contents":[{"parts":[{"text":"a{[\\"b"},{"text" : "c", "texts":"d"}]}]}}'
    name = api.upload(raw.encode())
    body = {"batch": {"inputConfig": {"fileName": name}}}
    reply = api.http.post(f"/v1beta/models/{MODEL}:batchGenerateContent", json=body)
    column = raw.index('"texts"') + 1
    assert f"near column {column}: no such field: 'texts'" in reply.json()["error"]["message"]


@pytest.mark.parametrize(
    "line",
    [
        *(b"{not json", b"[]", b'"text"', b"{}", b'{"request": 5}', b'{"request": NaN}', b"\xff"),
        b'{"request": {"contents": [], "generationConfig": {"temperature": 1e999}}}',
    ],
)
def test_a_line_that_is_no_request_is_refused_too(api: Gemini, emulator: Emulator, line: bytes):
    body = {"batch": {"inputConfig": {"fileName": api.upload(lines(keyed(1)) + line)}}}
    reply = api.http.post(f"/v1beta/models/{MODEL}:batchGenerateContent", json=body)
    assert reply.status_code == 400
    assert reply.json()["error"]["message"].startswith("Error on line 2: ")
    assert emulator.jobs == []


def test_embeddings_are_read_by_their_own_fields(api: Gemini):
    good = {"key": "a", "request": {"content": {"parts": [{"text": "x"}]}, "outputDimensionality": 8}}
    bad = {"key": "a", "request": {"content": {"parts": [{"text": "x"}]}, "taskTypo": "RETRIEVAL_DOCUMENT"}}
    model = "gemini-embedding-001"
    assert create_file(api, good, model=model).status_code == 200
    assert "no such field: 'taskTypo'" in create_file(api, bad, model=model).json()["error"]["message"]
    of_vertex = {**good, "request": {**good["request"], "autoTruncate": True}}
    assert create_file(api, of_vertex, model=model).status_code == 400


TAKEN: list[dict[str, Any]] = [
    generation(audioTranscriptionConfig={"languageCodes": ["de"], "wordTimestamp": True}),
    question("hi", continuationToken="AAAA"),
    question("hi", continuation_token="AP_-"),
    generation(temperature="0.5", maxOutputTokens="20", topK=40.0, seed=-1),
    generation(temperature=None, thinkingConfig={"thinkingBudget": 0}),
    schema({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"items": {}, "type": "ARRAY"}}}),
    schema({"type": 6, "properties": {"a": {"type": 1}}, "nullable": True}),
    generation(
        **JSON_SCHEMA, responseJsonSchema={"$defs": {"a": {}}, "additionalProperties": False, "enum": [1]}
    ),
    question("hi", tools=[{"googleSearch": {}}, {"codeExecution": {}}, {"urlContext": {}}]),
]


@pytest.mark.parametrize("request_", TAKEN)
def test_what_the_service_takes_is_taken_and_answered(api: Gemini, request_: dict[str, Any]):
    by_file = create_file(api, {"key": "a", "request": request_})
    assert by_file.status_code == 200, by_file.text
    (row,) = api.rows(api.ended(by_file.json()["name"]))
    assert row["response"]["candidates"][0]["content"]["parts"]
    inline = create_inline(api, request_)
    assert inline.status_code == 200, inline.text
    assert api.ended(inline.json()["name"])["metadata"]["batchStats"]["successfulRequestCount"] == "1"


def test_fields_of_vertex_alone_are_taken_there_and_refused_by_gemini(
    api: Gemini, jobs: Vertex, put: Put, place: str, output: Output
):
    requests = [
        generation(modelConfig={"featureSelectionPreference": "BALANCED"}),
        question("hi", outputConfig={"outputUriPrefix": "gs://b/o"}),
        schema({"type": "OBJECT", "additionalProperties": {"type": "STRING"}}),
        generation(imageConfig={"imageOutputOptions": {"mimeType": "image/png"}}),
    ]
    rows = [{"key": f"row-{at}", "request": request} for at, request in enumerate(requests)]
    assert [row["status"] for row in output(jobs.run(put(rows), place))] == [""] * 4
    for request in requests:
        assert create_inline(api, request).status_code == 400


RULES: dict[str, tuple[Any, str]] = {
    "an enum of another type": (
        {"type": "INTEGER", "enum": ["1"]},
        "response_schema.enum: only allowed for STRING",
    ),
    "an enum without a type": ({"enum": ["a"]}, "response_schema.enum: only allowed for STRING"),
    "an object without properties": ({"type": "OBJECT"}, "response_schema.properties: should be non-empty"),
    "a list without items": (
        {"type": "OBJECT", "properties": {"a": {"type": "array"}}},
        "response_schema.properties[a].items: missing field",
    ),
    "a choice of such": (
        {"anyOf": [{"type": "STRING"}, {"type": "ARRAY"}]},
        "response_schema.any_of[1].items: missing field",
    ),
}


@pytest.mark.parametrize(("value", "said"), RULES.values(), ids=RULES)
def test_a_schema_that_breaks_the_services_rules_fails_its_row(
    api: Gemini, jobs: Vertex, put: Put, place: str, output: Output, value: Any, said: str
):
    (row,) = api.rows(api.ended(create_file(api, {"key": "a", "request": schema(value)}).json()["name"]))
    assert row["error"]["code"] == 3
    assert said in row["error"]["message"]
    (row,) = output(jobs.run(put([{"key": "a", "request": schema(value)}]), place))
    assert said in row["status"]


def test_parameters_of_functions_go_by_the_same_rules(api: Gemini):
    tool = {"functionDeclarations": [{"name": "f", "parameters": {"type": "OBJECT"}}]}
    (row,) = api.rows(api.ended(create_file(api, {"request": question("hi", tools=[tool])}).json()["name"]))
    assert (
        "tools[0].function_declarations[0].parameters.properties: should be non-empty"
        in row["error"]["message"]
    )


@pytest.mark.parametrize("declared", [{"description": "adds"}, {"name": ""}])
def test_a_function_without_a_name_fails_its_row(api: Gemini, declared: dict[str, Any]):
    request = question("hi", tools=[{"functionDeclarations": [declared]}])
    (row,) = api.rows(api.ended(create_file(api, {"request": request}).json()["name"]))
    assert row["error"]["code"] == 3
    assert "tools[0].function_declarations[0].name" in row["error"]["message"]


def test_addresses_and_caches_of_the_other_service_fail_their_rows(
    api: Gemini, jobs: Vertex, put: Put, place: str, output: Output
):
    def file(uri: str) -> dict[str, Any]:
        return {"contents": [{"parts": [{"fileData": {"fileUri": uri, "mimeType": "image/png"}}]}]}

    (row,) = api.rows(api.ended(create_file(api, {"request": file("gs://b/a.png")}).json()["name"]))
    assert "gs://b/a.png" in row["error"]["message"]
    uri = "https://generativelanguage.googleapis.com/v1beta/files/abc"
    rows = [
        {"key": "file", "request": file(uri)},
        {"key": "cache", "request": question("hi", cachedContent="cachedContents/x")},
    ]
    status = {row["key"]: row["status"] for row in output(jobs.run(put(rows), place))}
    assert uri in status["file"]
    assert "ached content is not supported" in status["cache"]
