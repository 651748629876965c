"""Batches of the Gemini API as it answers them."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given

from airflow_provider_genai_batch.exceptions import UnreadableAnswer
from airflow_provider_genai_batch.models import JobCounts, JobState
from airflow_provider_genai_batch.wire.services import gemini
from airflow_provider_genai_batch.wire.services.http import HttpAnswer
from tests.wire.anything import JSON

RUNNING: dict[str, Any] = {
    "name": "batches/0ab1",
    "metadata": {
        "@type": "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch",
        "model": "models/gemini-2.5-flash",
        "displayName": "nightly-42",
        "inputConfig": {"fileName": "files/abc123"},
        "createTime": "2026-09-01T10:00:00.123456789Z",
        "updateTime": "2026-09-01T10:00:05.123456789Z",
        "batchStats": {"requestCount": "3", "pendingRequestCount": "3"},
        "state": "BATCH_STATE_RUNNING",
        "name": "batches/0ab1",
    },
}
FINISHED: dict[str, Any] = {
    "name": "batches/0ab1",
    "metadata": {
        **RUNNING["metadata"],
        "output": {"responsesFile": "files/batch-0ab1"},
        "endTime": "2026-09-01T10:09:00.123456789Z",
        "batchStats": {"requestCount": "3", "successfulRequestCount": "2", "failedRequestCount": "1"},
        "state": "BATCH_STATE_SUCCEEDED",
    },
    "done": True,
    "response": {"@type": "…EmbedContentBatchOutput", "responsesFile": "files/batch-0ab1"},
}


def test_a_running_job_is_read() -> None:
    job = gemini.read_job(RUNNING)
    assert (job.name, job.model, job.display_name) == (
        "batches/0ab1",
        "models/gemini-2.5-flash",
        "nightly-42",
    )
    assert (job.state, job.raw_state, job.done) == (JobState.RUNNING, "BATCH_STATE_RUNNING", False)
    assert job.counts == JobCounts(total=3, succeeded=0, failed=0, pending=3)
    assert job.create_time is not None
    assert job.create_time.microsecond == 123456
    assert job.source is not None
    assert job.source.file_name == "files/abc123"
    assert job.output.place is None


def test_a_finished_job_is_read() -> None:
    job = gemini.read_job(FINISHED)
    assert job.done
    assert job.counts == JobCounts(total=3, succeeded=2, failed=1, pending=0)
    assert job.output.file_name == "files/batch-0ab1"


def test_a_job_without_counters_counts_nothing() -> None:
    meta = {name: value for name, value in RUNNING["metadata"].items() if name != "batchStats"}
    assert gemini.read_job({"name": "batches/a", "metadata": meta}).counts == JobCounts()


def test_nulls_that_are_echoed_count_as_absent() -> None:
    echoed = {
        "name": "batches/a",
        "done": None,
        "error": None,
        "response": None,
        "metadata": dict.fromkeys(RUNNING["metadata"]),
    }
    job = gemini.read_job(echoed)
    assert (job.state, job.done, job.problem, job.create_time) == (JobState.UNSPECIFIED, False, None, None)


def test_a_bare_batch_in_snake_case_is_read_too() -> None:
    job = gemini.read_job(
        {
            "name": "batches/a",
            "display_name": "n",
            "state": "JOB_STATE_PENDING",
            "batch_stats": {"request_count": "1"},
        }
    )
    assert (job.display_name, job.state, job.counts.total) == ("n", JobState.PENDING, 1)


@pytest.mark.parametrize(
    ("more", "state"),
    [
        ({"done": True, "error": {"code": 13, "message": "m"}}, JobState.FAILED),
        ({"done": True, "response": {}}, JobState.SUCCEEDED),
        ({"done": True}, JobState.SUCCEEDED),
        ({"done": False}, JobState.UNSPECIFIED),
        ({}, JobState.UNSPECIFIED),
    ],
)
def test_a_finished_operation_outranks_a_state_that_nobody_has_heard_of(more: Any, state: JobState) -> None:
    job = gemini.read_job({"name": "batches/a", "metadata": {"state": "BATCH_STATE_HIBERNATING"}, **more})
    assert (job.state, job.raw_state) == (state, "BATCH_STATE_HIBERNATING")


def test_done_does_not_outrank_a_state_that_has_ended() -> None:
    payload = {
        "name": "batches/a",
        "metadata": {"state": "BATCH_STATE_CANCELLED"},
        "done": True,
        "error": {"code": 13},
    }
    job = gemini.read_job(payload)
    assert job.state is JobState.CANCELLED
    assert job.problem is not None
    assert job.problem.code == 13


@pytest.mark.parametrize(
    "payload",
    [
        {"response": {"inlinedResponses": {"inlinedResponses": [{"a": 1}]}}},
        {"metadata": {"output": {"inlinedResponses": {"inlinedResponses": [{"a": 1}]}}}},
        {"response": {"inlinedResponses": [{"a": 1}, None, 5]}},
        {"response": {"output": {"inlinedResponses": [{"a": 1}]}}},
        {"response": {"inlined_responses": {"inlined_responses": [{"a": 1}]}}},
    ],
)
def test_inline_rows_are_found_wherever_they_were_seen(payload: dict[str, Any]) -> None:
    assert gemini.inline_rows(payload) == [{"a": 1}]


@pytest.mark.parametrize("body", [b"", b"{}", b'{"metadata": {}}', b'{"name": null}'])
def test_an_answer_that_names_no_job_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableAnswer, match="names no job"):
        gemini.read_created(HttpAnswer(200, {}, body))


def test_a_list_without_jobs_may_have_a_next_page() -> None:
    assert gemini.read_list(HttpAnswer(200, {}, b'{"nextPageToken": "t"}')) == ([], "t")
    assert gemini.read_list(HttpAnswer(200, {}, b'{"nextPageToken": null}')) == ([], "")
    jobs, token = gemini.read_list(HttpAnswer(200, {}, json.dumps({"operations": [RUNNING]}).encode()))
    assert ([job.name for job in jobs], token) == (["batches/0ab1"], "")


@given(JSON)
def test_no_job_is_so_strange_that_only_a_readable_error_comes_of_it(value: Any) -> None:
    for payload in ({"metadata": value}, {"response": value, "error": value, "metadata": {"output": value}}):
        gemini.inline_rows(payload)
        with suppress(
            TypeError, ValueError, AttributeError, KeyError
        ):  # the client makes them unreadable answers
            gemini.read_job({"name": "batches/a", **payload})
