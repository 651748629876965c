"""Claude jobs on Vertex AI: lines, Messages, refusals."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator, JobScript, Switches
from tests.emulator.bodies import CLAUDE, PERSON, claude, message
from tests.emulator.talk import PROJECT, Vertex, keyed, refused

Put = Callable[..., str]
Output = Callable[[dict[str, Any]], list[dict[str, Any]]]
TOOL = {"name": "person", "input_schema": PERSON}


@pytest.fixture
def rows(jobs: Vertex, put: Put, place: str, output: Output) -> Callable[..., dict[str, dict[str, Any]]]:
    def run(*given: dict[str, Any]) -> dict[str, dict[str, Any]]:
        ended = jobs.run(put(list(given)), place, model=CLAUDE)
        assert ended["state"] == "JOB_STATE_SUCCEEDED", ended["error"]
        return {row["custom_id"]: row for row in output(ended)}

    return run


def test_a_row_comes_back_as_clients_read_it(rows: Any):
    row = rows({**claude("r1", "Name a lake."), "key": "gone"})["r1"]
    assert list(row) == ["custom_id", "processed_time", "request", "status", "response"]
    assert (row["status"], row["request"]) == ("", message("Name a lake."))
    response = row["response"]
    assert re.fullmatch(r"msg_vrtx_01\w{22}", response.pop("id"))
    assert response == {
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-4-5@20251001",
        "content": [{"type": "text", "text": "Answer to: Name a lake."}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 3,
            "output_tokens": 6,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
        },
    }


def test_the_same_row_is_answered_the_same(rows: Any):
    first, second = rows(claude("a", "x", tools=[TOOL], tool_choice={"type": "any"}), claude("b", "y"))
    again = rows(claude("b", "y"), claude("a", "x", tools=[TOOL], tool_choice={"type": "any"}))
    found = rows(claude("a", "x", tools=[TOOL], tool_choice={"type": "any"}))
    assert (first, second) in {("a", "b"), ("b", "a")}
    assert found["a"]["response"] == again["a"]["response"]
    assert again["a"]["response"]["id"] != again["b"]["response"]["id"]


def test_other_siblings_come_back_by_script_only(vertex_emulator: Emulator, rows: Any):
    assert "note" not in rows({**claude("a"), "note": "x"})["a"]
    vertex_emulator.script(JobScript(siblings=True))
    assert rows({**claude("a"), "note": "x"})["a"]["note"] == "x"


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"max_tokens": None}, "max_tokens: Input should be a valid integer"),
        ({"model": "claude-sonnet-5"}, "model: Extra inputs are not permitted"),
        ({"stream": False}, "stream: Extra inputs are not permitted"),
        ({"anthropic_version": "2023-06-01"}, "anthropic_version: Input should be 'vertex-2023-10-16'"),
        ({"temperature": 2}, "temperature: range: 0..1"),
        ({"generationConfig": {}}, "generationConfig: Extra inputs are not permitted"),
        ({"messages": []}, "messages: List should have at least 1 item"),
        (
            {"messages": [{"role": "system", "content": "x"}]},
            "messages.0.role: Input should be 'user' or 'assistant'",
        ),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "x"}}]}
                ]
            },
            "messages.0.content.0.source: URL and file sources are not supported on Vertex AI",
        ),
        ({"system": [{"text": "x"}]}, "system.0: Unable to extract tag using discriminator 'type'"),
        (
            {"tools": [{"name": "a b", "input_schema": PERSON}]},
            "tools.0.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'",
        ),
        (
            {"tools": [{"name": "a", "input_schema": {"type": "array"}}]},
            "tools.0.input_schema: Input tag 'array'",
        ),
        ({"tools": [{"name": "a"}]}, "tools.0.input_schema: Field required"),
        (
            {"tool_choice": {"type": "tool", "name": "b"}, "tools": [TOOL]},
            "tool_choice.name: Tool 'b' not found",
        ),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": PERSON}}},
            "output_config.format: The feature",
        ),
        ({"tools": [{**TOOL, "strict": True}]}, "tools.0.strict: The feature is not enabled"),
        (
            {"tools": [{"type": "code_execution_20250825", "name": "x"}]},
            "tools.0: 'code_execution_20250825' is not",
        ),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, "`max_tokens` must be greater"),
    ],
)
def test_a_body_that_is_none_fails_its_row_with_400(rows: Any, wrong: dict[str, Any], why: str):
    body = {**message("hi"), **wrong}
    if body["max_tokens"] is None:
        body["max_tokens"] = "200"
    found = rows({"custom_id": "bad", "request": body}, claude("good"))
    bad = found["bad"]
    assert list(bad) == ["custom_id", "request", "status", "response"]
    assert bad["status"].startswith('Bad Request: {"error":{"code":400,"message":')
    assert json.loads(bad["status"].removeprefix("Bad Request: "))["error"]["message"].startswith(why)
    assert bad["response"] == {}
    assert found["good"]["status"] == ""


@pytest.mark.parametrize("missing", ["anthropic_version", "max_tokens", "messages"])
def test_what_is_required_is_missed(rows: Any, missing: str):
    body = message("hi")
    del body[missing]
    assert f"{missing}: Field required" in rows({"custom_id": "a", "request": body})["a"]["status"]


def test_a_forced_tool_is_used_with_input_that_fits(rows: Any):
    more = {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "person"}}
    found = rows(
        claude("a", **more), {"custom_id": "cut", "request": {**message("hi", **more), "max_tokens": 1}}
    )
    response = found["a"]["response"]
    (call,) = response["content"]
    assert (call["type"], call["name"], set(call["input"])) == ("tool_use", "person", {"name", "age"})
    assert response["stop_reason"] == "tool_use"
    assert found["cut"]["response"]["stop_reason"] == "max_tokens"


def test_structured_output_works_where_an_organisation_allows_it(vertex_emulator: Emulator, rows: Any):
    vertex_emulator.switches = Switches(partner_features=True)
    wanted = {"output_config": {"format": {"type": "json_schema", "schema": PERSON}}}
    text = rows(claude("a", **wanted))["a"]["response"]["content"][0]["text"]
    assert set(json.loads(text)) == {"name", "age"}


def test_thoughts_come_before_the_text_and_caches_beside_the_input(rows: Any):
    system = [
        {"type": "text", "text": "Be brief, be exact, be kind.", "cache_control": {"type": "ephemeral"}}
    ]
    thinking = {"max_tokens": 4000, "thinking": {"type": "enabled", "budget_tokens": 2000}}
    response = rows(claude("a", system=system, **thinking))["a"]["response"]
    assert [one["type"] for one in response["content"]] == ["thinking", "text"]
    usage = response["usage"]
    assert usage["cache_creation_input_tokens"] + usage["cache_read_input_tokens"] == 7
    assert usage["input_tokens"] == 1


def test_words_stop_an_answer(rows: Any):
    response = rows(claude("a", "one two", stop_sequences=["two"]))["a"]["response"]
    assert (response["stop_reason"], response["stop_sequence"]) == ("stop_sequence", "two")
    assert response["content"][0]["text"] == "Answer to: one "


def test_every_reason_to_stop_comes_by_script(vertex_emulator: Emulator, rows: Any):
    reasons = [
        "end_turn",
        "pause_turn",
        "model_context_window_exceeded",
        "max_tokens",
        "refusal",
        "brand_new",
    ]
    vertex_emulator.script(
        JobScript(finish_reasons={one: one for one in reasons} | {"bare": "end_turn", "said": "refusal"})
    )
    found = rows(*map(claude, [*reasons, "said"]))
    assert {key: row["response"]["stop_reason"] for key, row in found.items() if key in reasons} == {
        one: one for one in reasons
    }
    assert found["refusal"]["response"]["content"] == []
    assert found["refusal"]["response"]["stop_details"]["category"] == "general_harms"


def test_a_refusal_may_have_text_and_an_error_the_vendors_words(vertex_emulator: Emulator, rows: Any):
    error = {"type": "overloaded_error", "message": "Overloaded"}
    vertex_emulator.script(
        JobScript(
            finish_reasons={"a": "refusal"},
            content={"a": True, "d": False},
            row_errors={"b": error},
            blocked=["c"],
            failed_row_response="absent",
        )
    )
    found = rows(*map(claude, "abcd"))
    assert found["a"]["response"]["content"][0]["text"]
    assert (
        found["b"]["status"]
        == f"Overloaded: {json.dumps({'type': 'error', 'error': error}, separators=(',', ':'))}"
    )
    assert "response" not in found["b"]
    assert found["c"]["response"]["stop_reason"] == "refusal"
    assert found["d"]["response"]["content"] == []


@pytest.mark.parametrize("how", ["import", "row"])
def test_a_gemini_line_never_succeeds(
    jobs: Vertex, vertex_emulator: Emulator, put: Put, place: str, output: Output, how: str
):
    vertex_emulator.script(JobScript(foreign_lines=how))
    ended = jobs.run(put(keyed(1)), place, model=CLAUDE)
    if how == "import":
        assert (ended["state"], ended["error"]["code"]) == ("JOB_STATE_FAILED", 3)
        assert ended["error"]["message"].startswith("Failed to import data.")
    else:
        assert ended["state"] == "JOB_STATE_SUCCEEDED"
        (row,) = output(ended)
        assert row["status"].startswith("Bad Request: ")


@pytest.mark.parametrize("odd", [5, "text", [1], True])
def test_a_request_that_is_no_object_is_no_gemini_line(
    jobs: Vertex, vertex_emulator: Emulator, put: Put, place: str, odd: Any
):
    vertex_emulator.script(JobScript(foreign_lines="import"))
    ended = jobs.run(put([{"request": odd}]), place)
    assert (ended["state"], ended["error"]["code"]) == ("JOB_STATE_FAILED", 3)
    assert "Row 1: Missing or foreign request" in ended["error"]["message"]


@pytest.mark.parametrize("how", ["import", "row"])
def test_a_claude_line_is_no_gemini_line(
    jobs: Vertex, vertex_emulator: Emulator, put: Put, place: str, output: Output, how: str
):
    vertex_emulator.script(JobScript(foreign_lines=how))
    ended = jobs.run(put([claude("a")]), place)
    if how == "import":
        assert (ended["state"], ended["error"]["code"]) == ("JOB_STATE_FAILED", 3)
    else:
        assert output(ended)[0]["status"].startswith("Bad Request: ")


@pytest.mark.parametrize("number", [b"NaN", b"1e999"])
def test_what_is_no_number_of_json_fails_the_import(jobs: Vertex, put: Put, place: str, number: bytes):
    line = json.dumps({**claude("a"), "note": "?"}).encode().replace(b'"?"', number)
    ended = jobs.run(put(line + b"\n"), place, model=CLAUDE)
    assert "Row 1: Error while reading data, error message: JSON parsing error" in ended["error"]["message"]


def test_reserved_members_fail_the_import(jobs: Vertex, put: Put, place: str):
    ended = jobs.run(put([{**claude("a"), "status": ""}]), place, model=CLAUDE)
    assert "'status' is reserved" in ended["error"]["message"]


def test_a_fifth_job_at_once_is_refused_until_one_ends(
    jobs: Vertex, vertex_emulator: Emulator, put: Put, place: str
):
    body = jobs.body(put([claude("a")]), place, model=CLAUDE)
    names = [jobs.post(body).json()["name"] for _ in range(4)]
    assert refused(jobs.post(body)) == (429, "RESOURCE_EXHAUSTED")
    assert jobs.post(body, "/v1/projects/another/locations/us-east5").status_code == 200
    jobs.ended(names[0])
    assert jobs.post(body).status_code == 200
    assert jobs.post(body).status_code == 429
    vertex_emulator.switches = Switches(claude_jobs=None)
    assert jobs.post(body).status_code == 200


def test_switches_are_set_over_http(jobs: Vertex, vertex_emulator: Emulator):
    address = f"{vertex_emulator.url}/_emulator/switches"
    assert jobs.http.patch(address, json={"claude_jobs": 0}).json()["claude_jobs"] == 0
    assert vertex_emulator.switches == Switches(claude_jobs=0)
    assert jobs.http.patch(address, json={"colour": True}).status_code == 400
    assert jobs.http.patch(address, json={"speech": 1}).status_code == 400
    assert jobs.http.get(address).json()["claude_jobs"] == 0


def test_cancelled_rows_do_not_come(
    jobs: Vertex, vertex_emulator: Emulator, put: Put, place: str, output: Output
):
    vertex_emulator.script(JobScript(end="CANCELLED", served=0.5, unknown_keys=["stranger"]))
    ended = jobs.run(put([claude("a"), claude("b")]), place, model=CLAUDE)
    assert sorted(row["custom_id"] for row in output(ended)) == ["a", "stranger"]


def test_a_function_of_a_test_answers(jobs: Vertex, cloud_storage: Any, put: Put, place: str, output: Output):
    with (
        Emulator(
            storage=cloud_storage, answer=lambda request: f"{len(request['messages'])} of {PROJECT}"
        ) as emulator,
        Vertex(emulator.url) as client,
    ):
        (row,) = output(client.run(put([claude("a")]), place, model=CLAUDE))
    assert row["response"]["content"][0]["text"] == f"1 of {PROJECT}"
