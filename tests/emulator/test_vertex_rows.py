"""Rows of Vertex jobs in Cloud Storage: what the importer refuses and what the output looks like."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator, JobScript, VirtualClock
from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage
from tests.emulator.talk import Vertex, keyed, question

Put = Callable[..., str]
Output = Callable[[dict[str, Any]], list[dict[str, Any]]]


def nest(depth: int) -> Any:
    value: Any = {"leaf": 1}
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    "row",
    [
        b"{not json\n",
        b'"text"\n',
        b'{"request": {"contents": []}, "x": NaN}\n',
        b'{"request": {"contents": []}, "x": 1e999}\n',
        {"request": question("x", tools=[{"googleSearch": {}}])},
        {
            "request": question(
                "x", generationConfig={"responseJsonSchema": {"$defs": {"a": {"type": "string"}}}}
            )
        },
        {"request": question("x", labels={"with space": "x"})},
        {"request": question("x", generationConfig={"responseSchema": {"required": ["a", None]}})},
        {"request": question("x"), "deep": nest(15)},
        {"request": {"contents": "text"}},
        {"request": question("x"), "key": 7},
    ],
    ids=[
        "json",
        "no object",
        "no number",
        "too large a number",
        "empty object",
        "dollar",
        "space",
        "null in required",
        "too deep",
        "type",
        "key type",
    ],
)
def test_one_row_the_importer_cannot_take_fails_the_whole_job(jobs: Vertex, put: Put, place: str, row: Any):
    data = "".join(json.dumps(one) + "\n" for one in keyed(1)).encode()
    data += row if isinstance(row, bytes) else json.dumps(row).encode()
    ended = jobs.run(put(data), place)
    assert ended["state"] == "JOB_STATE_FAILED"
    assert ended["error"]["code"] == 3
    begin = "Failed to import data. Please check 'Prepare input' section"
    assert ended["error"]["message"].startswith(begin)
    assert "Row " in ended["error"]["message"]


def test_nesting_to_the_limit_is_taken(jobs: Vertex, put: Put, place: str):
    assert (
        jobs.run(put([{"request": question("x"), "deep": nest(14)}]), place)["state"] == "JOB_STATE_SUCCEEDED"
    )


@pytest.mark.parametrize(
    ("source", "dest", "code"),
    [
        ("gs://no-such-bucket/in.jsonl", "gs://emulator-staging/out", 9),
        ("gs://emulator-staging/no-such-object.jsonl", "gs://emulator-staging/out", 3),
        (None, "gs://no-such-bucket/out", 9),
        (None, "gs://forbidden-bucket/out", 7),
    ],
)
def test_a_wrong_place_is_accepted_and_fails_later(
    jobs: Vertex, put: Put, cloud_storage: CloudStorage, source: str | None, dest: str, code: int
):
    if not cloud_storage.bucket_exists("forbidden-bucket"):
        cloud_storage.create_bucket("forbidden-bucket")
    ended = jobs.run(source or put(keyed(1)), dest)
    assert ended["state"] == "JOB_STATE_FAILED"
    assert ended["error"]["code"] == code


def test_an_output_row_is_what_captures_show(jobs: Vertex, put: Put, place: str, output: Output):
    (row,) = output(jobs.run(put([{"key": "k1", "request": question("hi")}]), place))
    assert list(row) == ["key", "request", "status", "response", "processed_time"]
    assert (row["key"], row["status"]) == ("k1", "")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", row["processed_time"])
    response = row["response"]
    assert list(response) == ["candidates", "createTime", "modelVersion", "responseId", "usageMetadata"]
    assert re.fullmatch(r".*T.*\.\d{6}Z", response["createTime"])
    (candidate,) = response["candidates"]
    assert set(candidate) == {"content", "finishReason", "score"}
    assert candidate["content"]["parts"] == [{"text": "Answer to: hi"}]
    usage = response["usageMetadata"]
    assert usage["trafficType"] == "ON_DEMAND"
    assert usage["billablePromptUsage"] == {"textCount": 2}
    assert usage["candidatesTokensDetails"] == [
        {"modality": "TEXT", "tokenCount": usage["candidatesTokenCount"]}
    ]


def test_an_echo_has_nulls_only_for_what_another_part_or_row_has(
    jobs: Vertex, put: Put, place: str, output: Output
):
    picture = {"fileData": {"fileUri": "gs://b/a.png", "mimeType": "image/png"}}
    looked = {"role": "user", "parts": [{"text": "look"}, picture]}
    given = [
        {"key": "a", "request": {"contents": [looked], "generationConfig": {"maxOutputTokens": 65000}}},
        {"key": "b", "request": question("hi", labels={"x": "y"})},
    ]
    rows = {row["key"]: row["request"] for row in output(jobs.run(put(given), place))}
    first, second = (rows["a"]["contents"][0]["parts"], rows["b"]["contents"][0]["parts"])
    assert first == [{"text": "look", "fileData": None}, {"fileData": picture["fileData"], "text": None}]
    assert second == [{"text": "hi", "fileData": None}]
    assert (rows["a"]["labels"], rows["b"]["generationConfig"]) == (None, None)
    assert "systemInstruction" not in rows["a"]
    assert type(rows["a"]["generationConfig"]["maxOutputTokens"]) is int


def test_a_list_beside_the_request_comes_back_empty(jobs: Vertex, put: Put, place: str, output: Output):
    given = {"request": question("hi"), "custom_id": "k1", "tags": ["x", "y"], "note": {"a": [1]}}
    (row,) = output(jobs.run(put([given]), place))
    assert (row["custom_id"], row["tags"], row["note"]) == ("k1", [], {"a": [1]})


def test_keys_that_look_like_numbers_become_numbers(jobs: Vertex, put: Put, place: str, output: Output):
    given = [{"request": question("hi"), "key": key} for key in ("007", "a7", "1.50")]
    keys = {json.dumps(row["key"]) for row in output(jobs.run(put(given), place))}
    assert keys == {"7", '"a7"', "1.5"}


def test_rows_come_shuffled_from_several_files(jobs: Vertex, put: Put, place: str, output: Output):
    uris = [
        put(keyed(20), "one.jsonl"),
        put([{**row, "key": f"x-{row['key']}"} for row in keyed(20)], "two.jsonl"),
    ]
    body = jobs.body(uris[0], place)
    for source in ({"uris": uris}, {"uris": [f"{place}/*.jsonl"]}):
        body["inputConfig"]["gcsSource"] = source
        keys = [row["key"] for row in output(jobs.ended(jobs.post(body).json()["name"]))]
        assert len(keys) == len(set(keys)) == 40
        assert keys != sorted(keys)


@pytest.mark.parametrize(("style", "response"), [("empty", {}), ("absent", None)])
def test_a_failed_row_says_so_in_its_status(
    jobs: Vertex, put: Put, place: str, output: Output, vertex_emulator: Emulator, style: str, response: Any
):
    vertex_emulator.script(JobScript(row_errors={"row-1": 8}, failed_row_response=style))
    ended = jobs.run(put(keyed(2)), place)
    row = next(row for row in output(ended) if row["status"])
    assert row["key"] == "row-1"
    assert row.get("response") == response
    assert row["status"].startswith('Too Many Requests: {"error":')
    assert json.loads(row["status"].split(": ", 1)[1])["error"]["code"] == 429
    assert ended["completionStats"] == {"successfulCount": "1", "failedCount": "1"}
    assert ended["partialFailures"][0]["code"] == 8


def test_output_comes_in_shards_beside_other_objects(
    jobs: Vertex, put: Put, place: str, output: Output, vertex_emulator: Emulator, cloud_storage: CloudStorage
):
    vertex_emulator.script(JobScript(shards=3, extra_objects=["_SUCCESS", "errors_0001.csv"]))
    ended = jobs.run(put(keyed(7)), place)
    directory = ended["outputInfo"]["gcsOutputDirectory"]
    found = [uri.removeprefix(directory + "/") for uri, _ in cloud_storage.list(directory + "/")]
    shards = ["000000000000.jsonl", "000000000001.jsonl", "000000000002.jsonl"]
    assert sorted(found) == [*shards, "_SUCCESS", "errors_0001.csv"]
    assert len(output(ended)) == 7


def test_shards_may_appear_one_by_one_after_the_end(
    jobs: Vertex, put: Put, place: str, output: Output, vertex_emulator: Emulator
):
    vertex_emulator.script(JobScript(shards=3, shard_looks=1, extra_objects=["_SUCCESS"]))
    ended = jobs.run(put(keyed(7)), place)
    assert ended["completionStats"] == {"successfulCount": "7"}
    seen = [len(output(ended))]
    for _ in range(3):
        jobs.get(ended["name"])
        seen.append(len(output(ended)))
    assert seen == [3, 6, 7, 7]
    assert len({row["key"] for row in output(ended)}) == 7


def test_shards_may_appear_as_time_goes(
    jobs: Vertex, put: Put, place: str, output: Output, vertex_emulator: Emulator
):
    vertex_emulator.script(JobScript(shards=3, late_seconds=600, shard_seconds=600))
    ended = jobs.run(put(keyed(7)), place)
    seen = []
    for _ in range(4):
        seen.append(len(output(ended)))
        vertex_emulator.clock.advance(601)
    assert seen == [0, 3, 6, 7]


def test_resuming_runs_only_what_was_not_answered(
    jobs: Vertex, put: Put, place: str, output: Output, vertex_emulator: Emulator, cloud_storage: CloudStorage
):
    vertex_emulator.script(JobScript(row_errors={"row-1": 13, "row-2": 8}))
    first = jobs.run(put(keyed(4)), place)
    (before,) = cloud_storage.list(first["outputInfo"]["gcsOutputDirectory"])
    vertex_emulator.script(JobScript(answers={f"row-{number}": "again" for number in range(4)}))
    rows = {row["key"]: row for row in output(jobs.run(before[0], place + "/second"))}
    texts = {
        key: row["response"]["candidates"][0]["content"]["parts"][0]["text"] for key, row in rows.items()
    }
    assert texts == {
        "row-0": "Answer to: say 0",
        "row-1": "again",
        "row-2": "again",
        "row-3": "Answer to: say 3",
    }
    assert all(row["status"] == "" for row in rows.values())


def test_gemini_embeddings_echo_the_key_and_count_in_text(jobs: Vertex, put: Put, place: str, output: Output):
    request = {
        "content": {"parts": [{"text": "hello"}]},
        "embed_content_config": {"output_dimensionality": 3},
    }
    ended = jobs.run(put([{"key": "id_1", "request": request}]), place, model="gemini-embedding-001")
    (row,) = output(ended)
    assert set(row) == {"key", "request", "response"}
    assert row["response"]["tokenCount"] == "2"
    assert len(row["response"]["embedding"]["values"]) == 3


def test_older_embeddings_are_instances_and_predictions(jobs: Vertex, put: Put, place: str, output: Output):
    (row,) = output(jobs.run(put([{"content": "hello"}]), place, model="text-embedding-005"))
    assert row["instance"] == {"content": "hello"}
    assert row["status"] == ""
    (prediction,) = row["predictions"]
    assert prediction["embeddings"]["statistics"] == {"token_count": 2, "truncated": False}
    assert len(prediction["embeddings"]["values"]) == 768


def test_the_output_may_be_late_by_looks(
    jobs: Vertex, put: Put, place: str, output: Output, vertex_emulator: Emulator
):
    vertex_emulator.script(JobScript(late_output=2))
    ended = jobs.run(put(keyed(1)), place)
    assert ended["state"] == "JOB_STATE_SUCCEEDED"
    assert output(ended) == []
    jobs.get(ended["name"])
    assert output(ended) == []
    jobs.get(ended["name"])
    assert len(output(ended)) == 1


def test_the_output_may_be_late_by_the_clock(
    cloud_storage: CloudStorage, put: Put, place: str, output: Output
):
    with Emulator(storage=cloud_storage, clock=VirtualClock()) as emulator, Vertex(emulator.url) as jobs:
        emulator.script(JobScript(late_seconds=3600))
        ended = jobs.run(put(keyed(1)), place)
        assert output(ended) == []
        emulator.clock.advance(3601)
        assert len(output(ended)) == 1


def test_a_job_that_failed_by_script_writes_the_rows_it_served(
    jobs: Vertex, put: Put, place: str, output: Output, vertex_emulator: Emulator
):
    vertex_emulator.script(JobScript(end="FAILED", error={"code": 13, "message": "x"}, served=0.5))
    ended = jobs.run(put(keyed(4)), place)
    assert ended["state"] == "JOB_STATE_FAILED"
    assert ended["error"] == {"code": 13, "message": "x"}
    assert len(output(ended)) == 2
