"""batchPredictionJobs: what is asked, shown, listed, cancelled and deleted."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator, Fault, JobScript, Lifecycle
from tests.emulator.talk import PARENT, Vertex, good, keyed, refused

HOUR = 3600
Put = Callable[..., str]


@pytest.fixture
def source(put: Put) -> str:
    return put(keyed(2))


def test_a_job_carries_the_projects_number_and_times_of_six_digits(jobs: Vertex, source: str, place: str):
    created = jobs.create(source, place, labels={"run": "r-42"})
    assert re.fullmatch(r"projects/\d+/locations/us-central1/batchPredictionJobs/\d+", created["name"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", created["createTime"])
    assert created["state"] == "JOB_STATE_PENDING"
    assert created["labels"] == {"run": "r-42"}
    assert "completionStats" not in created
    assert "outputInfo" not in created
    running = jobs.get(created["name"])
    assert running["state"] == "JOB_STATE_RUNNING"
    assert running["startTime"]
    ended = jobs.get(created["name"])
    assert ended["completionStats"] == {"successfulCount": "2"}
    assert ended["modelVersionId"] == "1"
    directory = f"{place}/prediction-model-{created['createTime']}"
    assert ended["outputInfo"] == {"gcsOutputDirectory": directory}
    assert running["outputInfo"] == ended["outputInfo"]


def test_a_job_is_found_by_project_id_and_number_but_only_in_its_own_place(
    jobs: Vertex, source: str, place: str
):
    name = jobs.create(source, place)["name"]
    number = name.rsplit("/", 1)[1]
    assert good(jobs.http.get(f"{PARENT}/batchPredictionJobs/{number}"))["name"] == name
    for other in (PARENT.replace("us-central1", "global"), PARENT.replace("emulator-project", "other")):
        assert refused(jobs.http.get(f"{other}/batchPredictionJobs/{number}")) == (404, "NOT_FOUND")
    assert good(jobs.http.get(f"/v1beta1/{name}"))["name"] == name


def without(body: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != name}


@pytest.mark.parametrize("missing", ["displayName", "model", "inputConfig", "outputConfig"])
def test_nothing_required_may_be_missing(jobs: Vertex, source: str, place: str, missing: str):
    assert refused(jobs.post(without(jobs.body(source, place), missing))) == (400, "INVALID_ARGUMENT")


@pytest.mark.parametrize(
    "wrong",
    [
        {"displayName": " "},
        {"displayName": "x" * 129},
        {"model": "gemini-2.5-flash"},
        {"unknownField": 1},
        {"labels": {"Upper": "x"}},
        {"labels": {"a": "UPPER"}},
        {"labels": {f"k{number}": "v" for number in range(65)}},
        {"labels": {"a": "x" * 64}},
        {"serviceAccount": "me@p.iam.gserviceaccount.com"},
        {"inputConfig": {"instancesFormat": "csv", "gcsSource": {"uris": ["gs://b/x"]}}},
        {"inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": []}}},
        {"inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": ["/tmp/x"]}}},
        {"inputConfig": {"instancesFormat": "jsonl", "bigquerySource": {"inputUri": "bq://p.d.t"}}},
        {"inputConfig": {"instancesFormat": "bigquery", "bigquerySource": {"inputUri": "bq://p.d"}}},
        {"outputConfig": {"predictionsFormat": "jsonl", "gcsDestination": {"outputUriPrefix": "b/x"}}},
        {"outputConfig": {"predictionsFormat": "bigquery", "bigqueryDestination": {"outputUri": "p.d.t"}}},
    ],
    ids=str,
)
def test_what_is_wrong_at_create_is_refused(jobs: Vertex, source: str, place: str, wrong: dict[str, Any]):
    assert refused(jobs.post({**jobs.body(source, place), **wrong})) == (400, "INVALID_ARGUMENT")


@pytest.mark.parametrize(
    "model", ["publishers/google/models/gemini-no-such-model", "publishers/endpoints/models/55"]
)
def test_an_unknown_model_is_not_found_at_create(jobs: Vertex, source: str, place: str, model: str):
    assert refused(jobs.post(jobs.body(source, place, model))) == (404, "NOT_FOUND")


def test_tuned_models_and_full_names_are_known(jobs: Vertex, source: str, place: str):
    for model in (
        "projects/p/locations/us-central1/models/55@2",
        f"{PARENT[4:]}/publishers/google/models/gemini-2.5-pro",
    ):
        assert jobs.create(source, place, model=model)["model"] == model


def test_both_spellings_and_a_bare_uri_are_understood(jobs: Vertex, source: str, place: str):
    body = {
        "display_name": "snake",
        "model": "publishers/google/models/gemini-2.5-flash",
        "input_config": {"instances_format": "jsonl", "gcs_source": {"uris": source}},
        "output_config": {"predictions_format": "jsonl", "gcs_destination": {"output_uri_prefix": place}},
    }
    created = good(jobs.post(body))
    assert created["displayName"] == "snake"
    assert created["inputConfig"]["gcsSource"]["uris"] == [source]


def test_enums_are_numbers_when_asked(jobs: Vertex, source: str, place: str):
    name = jobs.create(source, place)["name"]
    assert jobs.get(name, **{"$alt": "json;enum-encoding=int"})["state"] == 3


def test_replies_can_be_masked_and_list_entries_too(jobs: Vertex, source: str, place: str):
    name = jobs.create(source, place)["name"]
    assert jobs.get(name, fields="state,inputConfig/gcsSource") == {
        "state": "JOB_STATE_RUNNING",
        "inputConfig": {"gcsSource": {"uris": [source]}},
    }
    assert jobs.list(readMask="name,displayName") == {
        "batchPredictionJobs": [{"name": name, "displayName": "test"}]
    }
    assert refused(jobs.http.get(f"{PARENT}/batchPredictionJobs", params={"readMask": "colour"}))[0] == 400


def test_a_list_is_filtered_and_comes_in_pages_newest_first(jobs: Vertex, source: str, place: str):
    names = [jobs.create(source, place, labels={"run": f"r-{number % 2}"})["name"] for number in range(4)]
    jobs.ended(names[0])
    found = jobs.list(filter="labels.run=r-0 AND state=JOB_STATE_SUCCEEDED")["batchPredictionJobs"]
    assert [one["name"] for one in found] == [names[0]]
    first = jobs.list(filter="labels.run=r-1", pageSize="1")
    rest = jobs.list(filter="labels.run=r-1", pageSize="1", pageToken=first["nextPageToken"])
    assert [one["name"] for page in (first, rest) for one in page["batchPredictionJobs"]] == [
        names[3],
        names[1],
    ]


def test_a_cancelled_job_goes_through_cancelling_and_keeps_what_was_done(
    jobs: Vertex, put: Put, place: str, output: Callable[..., list[dict[str, Any]]]
):
    name = jobs.create(put(keyed(4)), place)["name"]
    assert jobs.get(name)["state"] == "JOB_STATE_RUNNING"
    assert good(jobs.http.post(f"/v1/{name}:cancel")) == {}
    assert jobs.get(name)["state"] == "JOB_STATE_CANCELLING"
    ended = jobs.get(name)
    assert ended["state"] == "JOB_STATE_CANCELLED"
    assert ended["error"]["code"] == 1
    assert ended["completionStats"] == {"successfulCount": "2", "incompleteCount": "2"}
    assert len(output(ended)) == 2
    assert refused(jobs.http.post(f"/v1/{name}:cancel")) == (400, "FAILED_PRECONDITION")


def test_a_job_cancelled_in_the_queue_has_neither_counts_nor_rows(jobs: Vertex, source: str, place: str):
    name = jobs.create(source, place)["name"]
    jobs.http.post(f"/v1/{name}:cancel", json={})
    ended = jobs.ended(name)
    assert ended["state"] == "JOB_STATE_CANCELLED"
    assert {"completionStats", "outputInfo", "startTime"}.isdisjoint(ended)


def test_only_an_ended_job_is_deleted_by_an_operation_and_its_output_stays(
    jobs: Vertex,
    source: str,
    place: str,
    output: Callable[..., list[dict[str, Any]]],
    vertex_emulator: Emulator,
):
    name = jobs.create(source, place)["name"]
    assert refused(jobs.http.delete(f"/v1/{name}")) == (400, "FAILED_PRECONDITION")
    ended = jobs.ended(name)
    operation = good(jobs.http.delete(f"/v1/{name}"))
    assert "done" not in operation
    # Google's REST clients look at operations below another root.
    assert good(jobs.http.get(f"/ui/{operation['name']}"))["done"] is True
    done = good(jobs.http.get(f"/v1/{operation['name']}"))
    assert done["done"] is True
    assert done["response"]["@type"].endswith("protobuf.Empty")
    assert refused(jobs.http.get(f"/v1/{name}")) == (404, "NOT_FOUND")
    assert len(output(ended)) == 2
    assert vertex_emulator.jobs[0]["deleted"] is True


def test_counters_move_while_a_job_runs(jobs: Vertex, source: str, place: str, vertex_emulator: Emulator):
    vertex_emulator.script(JobScript(lifecycle=Lifecycle.timed(pending=600, running=1000)))
    name = jobs.create(source, place)["name"]
    seen = []
    for seconds in (60, 1060, 600):
        vertex_emulator.clock.advance(seconds)
        seen.append(jobs.get(name).get("completionStats"))
    assert seen == [None, {"successfulCount": "1", "incompleteCount": "1"}, {"successfulCount": "2"}]


def test_a_list_may_ignore_its_filter(jobs: Vertex, source: str, place: str, vertex_emulator: Emulator):
    name = jobs.create(source, place, labels={"mine": "no"})["name"]
    vertex_emulator.faults.add("batchPredictionJobs.list", Fault.ignored_filter())
    assert jobs.list()["batchPredictionJobs"][0]["name"] == name
    assert jobs.list(filter="labels.mine=yes")["batchPredictionJobs"][0]["name"] == name
    assert jobs.list(filter="labels.mine=yes") == {}


def test_a_create_may_make_two_jobs_and_hide_them_at_first(
    jobs: Vertex, source: str, place: str, vertex_emulator: Emulator
):
    vertex_emulator.faults.add("batchPredictionJobs.create", Fault.twice())
    vertex_emulator.script(JobScript(get_lag=1))
    name = jobs.create(source, place)["name"]
    first, second = vertex_emulator.jobs
    assert name == second["name"]
    assert jobs.http.get(f"/v1/{first['name']}").status_code == 404
    assert jobs.ended(first["name"])["state"] == jobs.ended(name)["state"] == "JOB_STATE_SUCCEEDED"


@pytest.mark.parametrize("end", ["PAUSED", "PARTIALLY_SUCCEEDED", "JOB_STATE_DREAMING", "UPDATING"])
def test_the_rarer_states_are_reachable(
    jobs: Vertex, source: str, place: str, vertex_emulator: Emulator, end: str
):
    vertex_emulator.script(JobScript(end=end, states=["QUEUED"]))
    name = jobs.create(source, place)["name"]
    shown = [jobs.get(name)["state"] for _ in range(2)]
    assert shown == ["JOB_STATE_QUEUED", end if end.startswith("JOB") else f"JOB_STATE_{end}"]


@pytest.mark.parametrize(
    ("stuck", "hours", "end", "code"), [("QUEUED", 72, "EXPIRED", None), ("RUNNING", 24, "FAILED", 4)]
)
def test_the_services_own_limits_end_a_stuck_job(
    jobs: Vertex,
    source: str,
    place: str,
    vertex_emulator: Emulator,
    stuck: str,
    hours: int,
    end: str,
    code: int | None,
):
    vertex_emulator.script(JobScript(lifecycle=Lifecycle.stuck(stuck)))
    name = jobs.create(source, place)["name"]
    jobs.get(name)
    vertex_emulator.clock.advance((hours - 1) * HOUR)
    assert jobs.get(name)["state"] == f"JOB_STATE_{stuck}"
    vertex_emulator.clock.advance(2 * HOUR)
    ended = jobs.get(name)
    assert ended["state"] == f"JOB_STATE_{end}"
    assert ended.get("error", {}).get("code") == code


def test_an_emulator_without_stand_ins_says_so_at_create():
    with Emulator() as emulator, Vertex(emulator.url) as jobs:
        reply = jobs.post(jobs.body("gs://bucket/in.jsonl", "gs://bucket/out"))
        assert "without Cloud Storage" in reply.json()["error"]["message"]
        reply = jobs.post(jobs.body("bq://p.d.t", "bq://p.d"))
        assert "without BigQuery" in reply.json()["error"]["message"]
