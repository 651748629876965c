"""Batch prediction jobs as Vertex AI answers them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_genai_batch.exceptions import UnreadableAnswer
from airflow_provider_genai_batch.models import JobCounts, JobState
from airflow_provider_genai_batch.wire.services import vertex
from airflow_provider_genai_batch.wire.services.http import HttpAnswer

NAME = "projects/123/locations/us-central1/batchPredictionJobs/456"
JOB: dict[str, Any] = {
    "name": NAME,
    "displayName": "nightly-42",
    "model": "publishers/google/models/gemini-2.5-flash",
    "inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": ["gs://b/in.jsonl"]}},
    "outputConfig": {"predictionsFormat": "jsonl", "gcsDestination": {"outputUriPrefix": "gs://b/out"}},
    "outputInfo": {"gcsOutputDirectory": "gs://b/out/prediction-model-2026-09-02T20:06:30.166279Z"},
    "state": "JOB_STATE_SUCCEEDED",
    "completionStats": {"successfulCount": "2", "failedCount": "1", "incompleteCount": "-1"},
    "createTime": "2026-09-02T20:06:30.166279Z",
    "startTime": "2026-09-02T20:08:00Z",
    "endTime": "2026-09-02T20:10:00Z",
    "labels": {"run": "r-42"},
    "partialFailures": [{"code": 3}],
}


def test_a_job_is_read() -> None:
    job = vertex.read_job(JOB)
    assert (job.name, job.display_name, job.labels) == (NAME, "nightly-42", {"run": "r-42"})
    assert job.state is JobState.SUCCEEDED
    assert job.counts == JobCounts(total=None, succeeded=2, failed=1, pending=None)
    assert job.source is not None
    assert job.source.gcs_uri == ("gs://b/in.jsonl",)
    assert job.destination is not None
    assert job.destination.gcs_uri == "gs://b/out"
    assert job.output.gcs_directory == JOB["outputInfo"]["gcsOutputDirectory"]
    assert job.start_time is not None


def test_states_may_come_as_numbers() -> None:
    assert vertex.read_job({**JOB, "state": 11}).state is JobState.PARTIALLY_SUCCEEDED


def test_counters_may_be_absent() -> None:
    assert vertex.read_job({**JOB, "completionStats": None}).counts == JobCounts()
    assert vertex.read_job({**JOB, "completionStats": {"successfulCount": "3"}}).counts == JobCounts(
        total=3, succeeded=3, failed=0, pending=0
    )


@pytest.mark.parametrize("uris", ["gs://b/in.jsonl", ["gs://b/in.jsonl"]])
def test_a_source_may_be_a_bare_string(uris: Any) -> None:
    job = vertex.read_job({**JOB, "inputConfig": {"gcsSource": {"uris": uris}}})
    assert job.source is not None
    assert job.source.gcs_uri == ("gs://b/in.jsonl",)


@pytest.mark.parametrize(
    ("info", "table"),
    [
        ({"bigqueryOutputDataset": "bq://p.d", "bigqueryOutputTable": "t"}, "bq://p.d.t"),
        ({"bigqueryOutputTable": "bq://p.d.t"}, "bq://p.d.t"),
        ({"bigqueryOutputTable": "p.d.t"}, "bq://p.d.t"),
        ({"bigqueryOutputDataset": "bq://p.d"}, "bq://p.d"),
        ({}, None),
    ],
)
def test_the_output_table_is_joined(info: dict[str, str], table: str | None) -> None:
    assert vertex.read_job({**JOB, "outputInfo": info}).output.bigquery_table == table


def test_an_error_with_objects_in_its_details_is_read() -> None:
    job = vertex.read_job({**JOB, "error": {"code": 9, "message": "m", "details": [{"x": {"y": 1}}]}})
    assert job.problem is not None
    assert job.problem.details == ({"x": {"y": 1}},)


def test_kinds_of_sources_that_nobody_asked_for_are_no_trouble() -> None:
    job = vertex.read_job(
        {"name": NAME, "inputConfig": {"vertexMultimodalDatasetSource": {"datasetName": "d"}}}
    )
    assert (job.source, job.destination) == (None, None)


@pytest.mark.parametrize("body", [b"", b"{}"])
def test_an_answer_that_names_no_job_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableAnswer, match="names no job"):
        vertex.read_created(HttpAnswer(200, {}, body))


def test_a_page_is_read() -> None:
    body = json.dumps({"batchPredictionJobs": [JOB], "nextPageToken": "t"}).encode()
    jobs, token = vertex.read_list(HttpAnswer(200, {}, body))
    assert ([job.name for job in jobs], token) == ([NAME], "t")
    assert vertex.read_list(HttpAnswer(200, {}, b"{}")) == ([], "")


@pytest.mark.parametrize(
    ("name", "location"),
    [
        (NAME, "us-central1"),
        ("projects/p/locations/global/operations/5", "global"),
        ("projects/example.com:p/locations/eu/batchPredictionJobs/5", "eu"),
        ("456", None),
        ("projects/p/locations/evil.example#/batchPredictionJobs/5", None),
        ("projects/p/locations/us-central1/batchPredictionJobs/5/../../x", None),
    ],
)
def test_a_location_is_read_from_good_names_only(name: str, location: str | None) -> None:
    assert vertex.location_of(name) == location


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("gemini-2.5-flash", "publishers/google/models/gemini-2.5-flash"),
        ("meta/llama", "publishers/meta/models/llama"),
        ("projects/p/locations/l/models/5", "projects/p/locations/l/models/5"),
        ("models/55", "models/55"),
    ],
)
def test_a_model_has_its_path(model: str, path: str) -> None:
    assert vertex.model_path(model) == path
