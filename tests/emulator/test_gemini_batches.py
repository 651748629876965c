"""Batches of the Gemini API, as the live service shows them."""

from __future__ import annotations

import json

import pytest

from airflow_provider_genai_batch.emulator import Emulator, JobScript
from tests.emulator.talk import MODEL, Gemini, good, keyed, lines, question, refused

CREATE = f"/v1beta/models/{MODEL}:batchGenerateContent"


def test_an_inline_batch_answers_its_rows_twice_in_the_order_asked(api: Gemini):
    created = api.inline("a", "b", "c", displayName="three")
    assert "done" not in created
    assert created["metadata"]["batchStats"] == {"requestCount": "3", "pendingRequestCount": "3"}
    assert "inputConfig" not in created["metadata"]
    ended = api.ended(created["name"])
    rows = ended["response"]["inlinedResponses"]["inlinedResponses"]
    assert [row["metadata"]["key"] for row in rows] == ["row-0", "row-1", "row-2"]
    assert ended["metadata"]["output"]["inlinedResponses"]["inlinedResponses"] == rows
    assert ended["done"] is True
    assert ended["metadata"]["batchStats"] == {"requestCount": "3", "successfulRequestCount": "3"}
    assert ended["name"] == ended["metadata"]["name"]
    assert len(ended["name"]) == len("batches/") + 36


def test_done_is_absent_while_it_runs(api: Gemini):
    name = api.inline("a")["name"]
    running = api.get(name)
    assert running["metadata"]["state"] == "BATCH_STATE_RUNNING"
    assert "done" not in running
    assert "response" not in running


def test_a_file_batch_counts_its_rows_at_create_and_shuffles_its_output(api: Gemini):
    given = keyed(30)
    created = api.from_file(api.upload(lines(given)))
    assert created["metadata"]["batchStats"]["requestCount"] == "30"
    assert created["metadata"]["inputConfig"]["fileName"].startswith("files/")
    ended = api.ended(created["name"])
    keys = [row["key"] for row in api.rows(ended)]
    assert sorted(keys) == sorted(row["key"] for row in given)
    assert keys != [row["key"] for row in given]
    assert ended["response"]["responsesFile"] == "files/batch-" + ended["name"].removeprefix("batches/")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"{not json", "line 2"),
        (b'["a list"]', "line 2"),
        (b'{"key": "x"}', "line 2"),
        (b'{"key": 7, "request": {"contents": []}}', "line 2"),
        (b'{"key": "x", "request": {"contents": []}, "config": {}}', "line 2"),
    ],
)
def test_one_malformed_row_refuses_the_call_and_creates_nothing(
    api: Gemini, emulator: Emulator, line: bytes, says: str
):
    name = api.upload(lines(keyed(1)) + line + b"\n")
    reply = api.http.post(CREATE, json={"batch": {"inputConfig": {"fileName": name}}})
    assert refused(reply) == (400, "INVALID_ARGUMENT")
    assert says in reply.json()["error"]["message"]
    assert emulator.jobs == []
    assert api.list() == {}


def test_a_row_that_is_only_wrong_inside_fails_alone(api: Gemini):
    bad = {"key": "bad", "request": {"contents": [{"role": "assistant", "parts": [{"text": "hi"}]}]}}
    ended = api.ended(api.from_file(api.upload(lines([*keyed(1), bad])))["name"])
    rows = {row["key"]: row for row in api.rows(ended)}
    assert rows["bad"]["error"]["code"] == 3
    assert "response" in rows["row-0"]
    assert ended["metadata"]["state"] == "BATCH_STATE_SUCCEEDED"
    assert ended["metadata"]["batchStats"]["failedRequestCount"] == "1"


def test_both_spellings_of_every_field_are_understood(api: Gemini):
    row = {"request": question("hi", generation_config={"max_output_tokens": 1}), "metadata": {"key": "a"}}
    body = {"batch": {"display_name": "snake", "input_config": {"requests": {"requests": [row]}}}}
    created = good(api.http.post(CREATE, json=body))
    assert created["metadata"]["displayName"] == "snake"
    rows = api.ended(created["name"])["response"]["inlinedResponses"]["inlinedResponses"]
    assert rows[0]["response"]["candidates"][0]["finishReason"] == "MAX_TOKENS"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"batch": {}},
        {"batch": {"inputConfig": {"requests": {"requests": []}}}},
        {"batch": {"inputConfig": {"requests": [{"request": question("hi")}]}}},
        {"batch": {"inputConfig": {"fileName": "files/a", "requests": {"requests": []}}}},
        {"batch": {"inputConfig": {"fileName": "files/a"}, "displayname": "x"}},
        {"batch": {"inputConfig": {"requests": {"requests": [{"contents": []}]}}}},
        {"batch": {"displayName": "a", "display_name": "b", "inputConfig": {"fileName": "files/a"}}},
    ],
)
def test_a_create_body_that_google_would_not_parse_is_refused(api: Gemini, body: dict[str, object]):
    assert refused(api.http.post(CREATE, json=body)) == (400, "INVALID_ARGUMENT")


def test_a_body_over_the_limit_is_refused_with_the_limit(api: Gemini):
    padding = {"request": question("x" * 20971520)}
    reply = api.http.post(CREATE, json={"batch": {"inputConfig": {"requests": {"requests": [padding]}}}})
    assert refused(reply) == (400, "INVALID_ARGUMENT")
    assert "20971520" in reply.json()["error"]["message"]


def test_an_unknown_model_is_not_found_and_an_unknown_file_is_forbidden(api: Gemini):
    body = {"batch": {"inputConfig": {"fileName": "files/never-was"}}}
    unknown = api.http.post("/v1beta/models/gemini-no-such-model:batchGenerateContent", json=body)
    assert refused(unknown) == (404, "NOT_FOUND")
    assert refused(api.http.post(CREATE, json=body)) == (403, "PERMISSION_DENIED")


@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
def test_every_version_serves_the_same(api: Gemini, version: str):
    name = api.inline("a")["name"]
    assert good(api.http.get(f"/{version}/{name}"))["name"] == name


def test_an_unknown_version_or_path_answers_a_page_not_json(api: Gemini, emulator: Emulator):
    reply = api.http.get("/v2/batches")
    assert reply.status_code == 404
    assert reply.headers["content-type"].startswith("text/html")
    assert emulator.requests[-1]["method"] is None


def test_deleting_a_batch_removes_its_output(api: Gemini):
    ended = api.ended(api.from_file(api.upload(lines(keyed(2))))["name"])
    file = ended["response"]["responsesFile"]
    assert api.download(file).status_code == 200
    assert api.delete(ended["name"]).json() == {}
    assert refused(api.delete(ended["name"])) == (404, "NOT_FOUND")
    assert refused(api.download(file)) == (404, "NOT_FOUND")
    assert refused(api.http.get(f"/v1beta/{ended['name']}")) == (404, "NOT_FOUND")


def test_the_input_may_go_right_after_create(api: Gemini):
    name = api.upload(lines(keyed(2)))
    created = api.from_file(name)
    api.delete(name)
    assert len(api.rows(api.ended(created["name"]))) == 2


def test_embeddings_are_unit_vectors_of_the_length_asked(api: Gemini):
    rows = [
        {
            "request": {"content": {"parts": [{"text": text}]}, "outputDimensionality": 5},
            "metadata": {"key": text},
        }
        for text in ("a", "b", "a")
    ]
    body = {"batch": {"inputConfig": {"requests": {"requests": rows}}}}
    created = good(api.http.post("/v1beta/models/gemini-embedding-001:asyncBatchEmbedContent", json=body))
    answer = api.ended(created["name"])["response"]
    assert answer["@type"].endswith("EmbedContentBatchOutput")
    values = [
        row["response"]["embedding"]["values"] for row in answer["inlinedResponses"]["inlinedResponses"]
    ]
    assert [len(one) for one in values] == [5, 5, 5]
    assert all(abs(sum(number * number for number in one) - 1) < 1e-6 for one in values)
    assert values[0] == values[2] != values[1]


def test_unknown_query_parameters_are_refused_and_googles_own_pass(api: Gemini):
    assert refused(api.http.get("/v1beta/batches", params={"page_sice": "1"}))[0] == 400
    assert good(api.http.get("/v1beta/batches", params={"prettyPrint": "true", "quotaUser": "me"})) == {}


def test_a_mask_leaves_the_doubled_results_out(api: Gemini):
    name = api.inline("a")["name"]
    api.ended(name)
    shown = api.get(name, fields="name,done,metadata(state,batchStats/requestCount)")
    assert shown == {
        "name": name,
        "done": True,
        "metadata": {"state": "BATCH_STATE_SUCCEEDED", "batchStats": {"requestCount": "1"}},
    }
    assert refused(api.http.get(f"/v1beta/{name}", params={"fields": "name,state"}))[0] == 400


def test_a_new_batch_may_not_be_found_by_its_name_at_first(api: Gemini, emulator: Emulator):
    emulator.script(JobScript(get_lag=2))
    name = api.inline("a")["name"]
    assert refused(api.http.get(f"/v1beta/{name}")) == (404, "NOT_FOUND")
    assert refused(api.http.post(f"/v1beta/{name}:cancel")) == (404, "NOT_FOUND")
    assert api.get(name)["metadata"]["state"] == "BATCH_STATE_RUNNING"
    emulator.script(JobScript(get_lag_seconds=600))
    name = api.inline("a")["name"]
    assert refused(api.http.get(f"/v1beta/{name}"))[0] == 404
    emulator.clock.advance(601)
    assert api.get(name)["name"] == name


def test_large_inline_results_may_be_more_than_a_get_can_carry(api: Gemini, emulator: Emulator):
    emulator.script(JobScript(large_results=True))
    name = api.inline("a")["name"]
    assert api.get(name)["metadata"]["state"] == "BATCH_STATE_RUNNING"
    for _ in range(2):
        assert refused(api.http.get(f"/v1beta/{name}")) == (503, "UNAVAILABLE")
    assert api.get(name, fields="done") == {"done": True}


def test_a_row_is_what_captures_show(api: Gemini):
    rows = api.rows(api.ended(api.from_file(api.upload(lines(keyed(30))))["name"]))
    signed = {"in the text": 0, "alone": 0, "not": 0}
    for row in rows:
        response = row["response"]
        (candidate,) = response["candidates"]
        assert set(candidate) == {"content", "finishReason", "index"}
        assert response["usageMetadata"]["serviceTier"] == "standard"
        first, *more = candidate["content"]["parts"]
        thought = "thoughtsTokenCount" in response["usageMetadata"]
        assert thought == ("thoughtSignature" in first or bool(more))
        signed["in the text" if "thoughtSignature" in first else "alone" if more else "not"] += 1
        assert all(set(part) == {"thoughtSignature"} for part in more)
    assert all(signed.values())


@pytest.mark.parametrize(
    ("model", "counted"), [("gemini-embedding-001", False), ("gemini-embedding-2", True)]
)
def test_rows_of_the_older_embedding_model_count_no_usage(api: Gemini, model: str, counted: bool):
    body = {
        "batch": {
            "inputConfig": {"requests": {"requests": [{"request": {"content": {"parts": [{"text": "x"}]}}}]}}
        }
    }
    created = good(api.http.post(f"/v1beta/models/{model}:asyncBatchEmbedContent", json=body))
    (row,) = api.ended(created["name"])["response"]["inlinedResponses"]["inlinedResponses"]
    assert ("usageMetadata" in row["response"]) is counted


def test_the_answer_is_what_the_users_function_says():
    def answer(request: dict[str, object]) -> str:
        return "I was asked: " + json.dumps(request)

    with Emulator(answer=answer) as emulator, Gemini(emulator.url) as api:
        rows = api.ended(api.inline("hello")["name"])["response"]["inlinedResponses"]["inlinedResponses"]
    text = rows[0]["response"]["candidates"][0]["content"]["parts"][0]["text"]
    assert text == "I was asked: " + json.dumps(question("hello"))


def test_an_empty_cancel_body_and_an_empty_object_both_pass(api: Gemini):
    name = api.inline("a")["name"]
    assert good(api.http.post(f"/v1beta/{name}:cancel")) == {}
    assert good(api.http.post(f"/v1beta/{name}:cancel", json={})) == {}
    assert refused(api.http.post(f"/v1beta/{name}:cancel", json={"why": "x"}))[0] == 400
