"""The Gemini Developer API's batches, version ``v1beta`` (the same in ``v1``).

Source: Google's batch guide and discovery document; captures of the live service where they contradict it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_genai_batch.exceptions import UnreadableAnswer
from airflow_provider_genai_batch.models import (
    BatchJob,
    BatchSource,
    JobCounts,
    JobOutput,
    JobProblem,
    JobState,
)
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.models.jobs.job_status import JobStatus
from airflow_provider_genai_batch.wire.services.errors import read_problem
from airflow_provider_genai_batch.wire.services.http import (
    HttpAnswer,
    HttpRequest,
    json_body,
    query,
    read_object,
)
from airflow_provider_genai_batch.wire.services.states import read_state
from airflow_provider_genai_batch.wire.values import get, integer, mapping, objects, timestamp

DEFAULT_BASE_URL = "https://generativelanguage.googleapis.com"
DEFAULT_VERSION = "v1beta"
JOB_NAME = re.compile(r"batches/[\w.~-]+", re.ASCII)
"""A valid job name. Names also come from XComs and templates, and become part of a URL."""
MAX_BODY_BYTES = 20 * 1024 * 1024
"""Limit of a create call's whole body; the service's error message quotes 20971520 bytes."""
MAX_FILE_BYTES = 2 * 1024**3
MOST_INLINE_BYTES = MAX_BODY_BYTES
"""The most bytes of answers that may come inside a job. No limit is documented; a job of 1000 inline pictures answered
every GET with 503 (googleapis/python-genai#2519). The service should return as much as it takes, and a worker can hold
that."""
MOST_INLINE_MEDIA = 8
"""The most pictures or sounds inside one job: at 2 MB of base64 each, they fit `MOST_INLINE_BYTES`, with some room."""

LOOK_FIELDS = (
    "name,done,error,metadata(name,state,model,displayName,createTime,updateTime,endTime,batchStats,"
    "inputConfig(fileName),output(responsesFile)),response(responsesFile)"
)
"""Everything about a job except its rows, which an inline job would otherwise contain twice."""
STATUS_FIELDS = "nextPageToken,operations(name,done,metadata(state,createTime,batchStats))"
"""The fields of a page of jobs that show which of them have changed."""
SUMMARY_FIELDS = (
    "nextPageToken,operations(name,done,error,"
    "metadata(state,model,displayName,createTime,updateTime,endTime,batchStats))"
)
"""The fields of a page of jobs that identify each job."""
_INLINE, _NOWHERE = JobOutput(inline=True), JobOutput()


def model_path(model: str) -> str:
    """Return ``models/X`` or ``tunedModels/X``, as the URL needs it."""
    return model if model.startswith(("models/", "tunedModels/")) else f"models/{model}"


def create_body(
    *,
    file_name: str | None = None,
    entries: Sequence[Mapping[str, Any]] | None = None,
    display_name: str | None = None,
    webhook: Mapping[str, Any] | None = None,
    priority: int | None = None,
) -> dict[str, Any]:
    """Return the body of both create methods; `entries` come from `wire.lines.entry`."""
    batch: dict[str, Any] = {
        "inputConfig": {"fileName": file_name}
        if file_name
        else {"requests": {"requests": list(entries or ())}}
    }
    if display_name is not None:
        batch["displayName"] = display_name
    if webhook:
        batch["webhookConfig"] = dict(webhook)
    if priority is not None:
        batch["priority"] = str(priority)  # JSON carries an int64 as a string
    return {"batch": batch}


def create(root: str, model: str, task: Task, body: Mapping[str, Any]) -> HttpRequest:
    """``batchGenerateContent`` or ``asyncBatchEmbedContent``."""
    verb = "batchGenerateContent" if task is Task.GENERATE else "asyncBatchEmbedContent"
    return HttpRequest("POST", f"{root}/{model_path(model)}:{verb}", body=json_body(body))


def get_job(root: str, name: str, *, fields: str | None = None) -> HttpRequest:
    """``batches.get``; `fields` is a partial-response mask."""
    return HttpRequest("GET", f"{root}/{name}", query(fields=fields))


def list_jobs(
    root: str, *, page_size: int | None, page_token: str | None, fields: str | None = None
) -> HttpRequest:
    """``batches.list``, newest first. There is no ``filter`` parameter, because the service's is not known to work."""
    asked = query(pageSize=page_size, pageToken=page_token, fields=fields)
    return HttpRequest("GET", f"{root}/batches", asked)


def cancel_job(root: str, name: str) -> HttpRequest:
    """``batches.cancel``, with an empty body as the SDK sends it."""
    return HttpRequest("POST", f"{root}/{name}:cancel", body=b"")


def delete_job(root: str, name: str) -> HttpRequest:
    """``batches.delete``: removes the job and its output file."""
    return HttpRequest("DELETE", f"{root}/{name}")


def read_job(payload: Mapping[str, Any]) -> BatchJob:
    """Read an Operation that contains a batch, or the batch itself."""
    meta = mapping(payload.get("metadata")) or payload
    problem = read_problem(payload.get("error"))
    state, raw = _state(payload, meta, problem)
    file_name = get(mapping(get(meta, "inputConfig")), "fileName")
    return BatchJob(
        name=_name(payload, meta),
        backend=Backend.GEMINI,
        model=get(meta, "model"),
        display_name=get(meta, "displayName"),
        state=state,
        raw_state=raw,
        create_time=timestamp(get(meta, "createTime")),
        end_time=timestamp(get(meta, "endTime")),
        update_time=timestamp(get(meta, "updateTime")),
        counts=_counts(meta),
        problem=problem,
        source=BatchSource(file_name=file_name) if file_name else None,
        output=_output(payload, meta, state),
    )


def read_status(payload: Mapping[str, Any]) -> JobStatus:
    """Read the status of a job from an entry of a list."""
    meta = mapping(payload.get("metadata")) or payload
    state, raw = _state(payload, meta, read_problem(payload.get("error")))
    counts = _counts(meta)
    return JobStatus(
        _name(payload, meta), state, raw, timestamp(get(meta, "createTime")), counts.total, counts.finished
    )


def read_created(answer: HttpAnswer) -> BatchJob:
    """Read the answer to a create call.

    Raises:
        UnreadableAnswer: it has no valid job name. A job may have been created nevertheless.
    """
    job = read_found(answer)
    if not JOB_NAME.fullmatch(job.name):
        msg = f"status {answer.status} with an answer that names {job.name[:80]!r}, which is not a job"
        raise UnreadableAnswer(msg)
    return job


def read_found(answer: HttpAnswer) -> BatchJob:
    """Read the answer to a get call.

    Raises:
        UnreadableAnswer: it names no job.
    """
    job = read_job(read_object(answer))
    if not job.name:
        msg = f"status {answer.status} with an answer that names no job"
        raise UnreadableAnswer(msg)
    return job


def read_list(answer: HttpAnswer) -> tuple[list[BatchJob], str]:
    """Read one page and the token of the next (empty: none). An empty page may still have a next one."""
    payload = read_object(answer)
    jobs = [read_job(entry) for entry in objects(payload.get("operations") or ())]
    return jobs, str(get(payload, "nextPageToken", ""))


def inline_rows(payload: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of an ended inline job, from every place and nesting in which they have been seen."""
    for holder in _result_holders(payload):
        found = get(holder, "inlinedResponses")
        if isinstance(found, dict):
            found = get(found, "inlinedResponses")
        if isinstance(found, list):
            return [row for row in found if isinstance(row, dict)]
    return []


def _result_holders(payload: Mapping[str, Any]) -> list[dict[str, Any]]:
    response, meta = mapping(payload.get("response")), mapping(payload.get("metadata"))
    return [response, mapping(get(meta, "output")), mapping(get(response, "output"))]


def _output(payload: Mapping[str, Any], meta: Mapping[str, Any], state: JobState) -> JobOutput:
    holders = [*_result_holders(payload), mapping(get(meta, "output"))]  # the batch may be bare
    file_name = next((found for holder in holders if (found := get(holder, "responsesFile"))), None)
    if file_name:
        return JobOutput(file_name=file_name)
    inline = state.ended and not get(mapping(get(meta, "inputConfig")), "fileName")
    return _INLINE if inline else _NOWHERE


def _name(payload: Mapping[str, Any], meta: Mapping[str, Any]) -> str:
    return str(payload.get("name") or get(meta, "name") or "")


def _state(
    payload: Mapping[str, Any], meta: Mapping[str, Any], problem: JobProblem | None
) -> tuple[JobState, str]:
    """Read the state. A finished Operation overrides an unknown state: the job failed, or its rows decide."""
    state, raw = read_state(get(meta, "state"))
    if not state.ended and payload.get("done") is True:
        state = JobState.FAILED if problem else JobState.SUCCEEDED
    return state, raw


def _counts(meta: Mapping[str, Any]) -> JobCounts:
    """Read the counters; the service omits zeros, so an absent counter beside others means zero."""
    stats = mapping(get(meta, "batchStats"))
    if not stats:
        return JobCounts()
    return JobCounts(
        total=integer(get(stats, "requestCount", 0)),
        succeeded=integer(get(stats, "successfulRequestCount", 0)),
        failed=integer(get(stats, "failedRequestCount", 0)),
        pending=integer(get(stats, "pendingRequestCount", 0)),
    )
