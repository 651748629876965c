"""Pages that are only looked over: the quick way and the lenient one read the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_genai_batch.models.jobs.job_status import JobStatus
from airflow_provider_genai_batch.wire.services import gemini, vertex
from airflow_provider_genai_batch.wire.services.http import HttpAnswer
from airflow_provider_genai_batch.wire.services.list_entries import entries_reader

JOBS = [{"name": "1", "state": "JOB_STATE_RUNNING"}, {"name": "2"}]


def read(page: Any, member: str) -> tuple[list[tuple[str, Any]], str]:
    entries, token = entries_reader(member)(HttpAnswer(200, {}, json.dumps(page).encode()))
    return [(entry.name, json.loads(entry.shown)) for entry in entries], token


@pytest.mark.parametrize(
    ("page", "token"),
    [
        ({"MEMBER": JOBS, "nextPageToken": "more"}, "more"),
        ({"MEMBER": JOBS}, ""),
        ({"MEMBER": JOBS, "nextPageToken": None}, ""),
        ({"MEMBER": JOBS, "next_page_token": "more"}, "more"),
    ],
    ids=["more", "the last", "null", "snake case"],
)
@pytest.mark.parametrize("member", ["operations", "batchPredictionJobs"])
def test_jobs_and_the_token_are_read_however_they_are_spelled(
    page: dict[str, Any], token: str, member: str
) -> None:
    page = {member if name == "MEMBER" else name: value for name, value in page.items()}
    assert read(page, member) == ([("1", JOBS[0]), ("2", JOBS[1])], token)


def test_vertex_ais_jobs_may_be_in_snake_case() -> None:
    assert read({"batch_prediction_jobs": JOBS}, "batchPredictionJobs")[0][0] == ("1", JOBS[0])


def test_a_job_without_a_name_takes_no_other_along() -> None:
    assert read({"operations": [{"state": "?"}, JOBS[1]]}, "operations")[0] == [
        ("", {"state": "?"}),
        ("2", JOBS[1]),
    ]


@pytest.mark.parametrize("page", [{}, {"operations": None}, {"operations": []}])
def test_an_empty_page_may_have_a_next_one(page: dict[str, Any]) -> None:
    assert read({**page, "nextPageToken": "more"}, "operations") == ([], "more")


def test_jobs_that_are_no_objects_are_refused() -> None:
    with pytest.raises(ValueError, match="other than objects"):
        read({"operations": ["one"]}, "operations")


COUNTER = st.none() | st.integers(-1, 9) | st.integers(0, 9).map(str) | st.text(max_size=3)
STATS = st.dictionaries(
    st.sampled_from(
        [
            "requestCount",
            "successfulRequestCount",
            "failed_request_count",
            "successfulCount",
            "failedCount",
            "incompleteCount",
        ]
    ),
    COUNTER,
)
SHOWN = {
    "name": st.just("batches/a"),
    "state": st.none() | st.integers(0, 12) | st.sampled_from(["BATCH_STATE_RUNNING", "JOB_STATE_ODD"]),
    "createTime": st.none() | st.just("2026-11-20T10:00:00.123456789Z") | st.text(max_size=4),
    "batchStats": st.none() | STATS,
    "completionStats": st.none() | STATS,
    "done": st.booleans(),
    "error": st.none() | st.just({"code": 13}),
}


@given(st.fixed_dictionaries({}, optional=SHOWN), st.fixed_dictionaries({}, optional=SHOWN))
def test_a_listed_status_is_that_of_the_whole_job(entry: dict[str, Any], metadata: dict[str, Any]) -> None:
    wrapped = {**entry, "metadata": metadata}
    for shown in (entry, wrapped):
        assert gemini.read_status(shown) == JobStatus.of(gemini.read_job(shown))
    assert vertex.read_status(entry) == JobStatus.of(vertex.read_job(entry))
