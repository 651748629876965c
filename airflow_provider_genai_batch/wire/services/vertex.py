"""Vertex AI's ``batchPredictionJobs``, version ``v1`` (the same in ``v1beta1``).

Source: Google's REST reference and "Batch inference with Gemini"; the google-genai SDK for hosts and model names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from airflow_provider_genai_batch.exceptions import UnreadableAnswer
from airflow_provider_genai_batch.models import BatchDestination, BatchJob, BatchSource, JobCounts, JobOutput
from airflow_provider_genai_batch.models.base import Backend
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

DEFAULT_VERSION = "v1"
DEFAULT_LOCATION = "global"
PROJECT = r"[a-zA-Z0-9.:_-]+"
LOCATION = r"[a-z0-9-]+"
"""A location becomes part of a host name that receives a token, so only a plain word is allowed."""
FULL_JOB_NAME = re.compile(rf"projects/{PROJECT}/locations/{LOCATION}/batchPredictionJobs/[0-9]+")
"""A job's full name, with project and location; the service returns no shorter one."""
STATUS_MASK = "name,state,createTime,completionStats"
"""The fields of a page of jobs that show which of them have changed."""
SUMMARY_MASK = (
    "name,displayName,model,state,error,createTime,startTime,endTime,updateTime,completionStats,labels"
)
"""The fields of a page of jobs that identify each job."""
_JOB_NAME = re.compile(
    rf"projects/{PROJECT}/locations/({LOCATION})/"
    r"(?:batchPredictionJobs/[0-9]+(?:/operations/[0-9]+)?|operations/[0-9]+)"
)


def base_url(location: str) -> str:
    """Return the host that serves a location, as in Google's SDK."""
    if location == "global":
        return "https://aiplatform.googleapis.com"
    if location in ("us", "eu"):
        return f"https://aiplatform.{location}.rep.googleapis.com"
    return f"https://{location}-aiplatform.googleapis.com"


def location_of(name: str) -> str | None:
    """Return the location in a full resource name; None for a bare id."""
    found = _JOB_NAME.fullmatch(name)
    return found[1] if found else None


def model_path(model: str) -> str:
    """Return a model's resource name: bare ``X`` is Google's, ``a/b`` belongs to publisher a."""
    if model.startswith(("projects/", "publishers/", "models/")):
        return model
    publisher, slash, name = model.partition("/")
    return f"publishers/{publisher}/models/{name}" if slash else f"publishers/google/models/{model}"


def create_body(
    model: str,
    source: BatchSource,
    destination: BatchDestination,
    *,
    display_name: str,
    labels: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the job resource for a create call; `source` has ``gcs_uri`` or ``bigquery_uri``."""
    if source.bigquery_uri:
        given = {"instancesFormat": "bigquery", "bigquerySource": {"inputUri": source.bigquery_uri}}
    else:
        given = {"instancesFormat": "jsonl", "gcsSource": {"uris": list(source.gcs_uri)}}
    if destination.bigquery_uri:
        wanted = {
            "predictionsFormat": "bigquery",
            "bigqueryDestination": {"outputUri": destination.bigquery_uri},
        }
    else:
        wanted = {"predictionsFormat": "jsonl", "gcsDestination": {"outputUriPrefix": destination.gcs_uri}}
    body: dict[str, Any] = {
        "displayName": display_name,
        "model": model_path(model),
        "inputConfig": given,
        "outputConfig": wanted,
    }
    if labels:
        body["labels"] = dict(labels)
    return body


def create(parent: str, body: Mapping[str, Any]) -> HttpRequest:
    """``batchPredictionJobs.create``; `parent` is ``{root}/projects/P/locations/L``."""
    return HttpRequest("POST", f"{parent}/batchPredictionJobs", body=json_body(body))


def get_job(url: str) -> HttpRequest:
    """``batchPredictionJobs.get`` and ``operations.get``."""
    return HttpRequest("GET", url)


def list_jobs(
    parent: str,
    *,
    page_size: int | None,
    page_token: str | None,
    filter_: str | None = None,
    mask: str | None = None,
) -> HttpRequest:
    """``batchPredictionJobs.list``, newest first; `mask` is a ``readMask``."""
    asked = query(pageSize=page_size, pageToken=page_token, filter=filter_, readMask=mask)
    return HttpRequest("GET", f"{parent}/batchPredictionJobs", asked)


def cancel_job(url: str) -> HttpRequest:
    """``batchPredictionJobs.cancel``, with an empty body as the SDK sends it."""
    return HttpRequest("POST", f"{url}:cancel", body=b"")


def delete_job(url: str) -> HttpRequest:
    """``batchPredictionJobs.delete``, for ended jobs only; the answer is a long-running operation."""
    return HttpRequest("DELETE", url)


def read_job(payload: Mapping[str, Any]) -> BatchJob:
    """Read a job resource."""
    state, raw = read_state(get(payload, "state"))
    given, wanted = mapping(get(payload, "inputConfig")), mapping(get(payload, "outputConfig"))
    info = mapping(get(payload, "outputInfo"))
    return BatchJob(
        name=str(payload.get("name") or ""),
        backend=Backend.VERTEX,
        model=get(payload, "model"),
        display_name=get(payload, "displayName"),
        state=state,
        raw_state=raw,
        create_time=timestamp(get(payload, "createTime")),
        start_time=timestamp(get(payload, "startTime")),
        end_time=timestamp(get(payload, "endTime")),
        update_time=timestamp(get(payload, "updateTime")),
        counts=_counts(mapping(get(payload, "completionStats"))),
        problem=read_problem(payload.get("error")),
        source=_source(given),
        destination=_destination(wanted),
        output=JobOutput(
            gcs_directory=get(info, "gcsOutputDirectory"),
            bigquery_table=_table(get(info, "bigqueryOutputDataset"), get(info, "bigqueryOutputTable")),
        ),
        labels={str(k): str(v) for k, v in mapping(payload.get("labels")).items()},
    )


def read_status(payload: Mapping[str, Any]) -> JobStatus:
    """Read the status of a job from an entry of a list."""
    state, raw = read_state(get(payload, "state"))
    counts = _counts(mapping(get(payload, "completionStats")))
    name, created = str(payload.get("name") or ""), timestamp(get(payload, "createTime"))
    return JobStatus(name, state, raw, created, counts.total, counts.finished)


def read_created(answer: HttpAnswer) -> BatchJob:
    """Read the answer to a create call.

    Raises:
        UnreadableAnswer: it has no valid job name. A job may have been created nevertheless.
    """
    job = read_found(answer)
    if not FULL_JOB_NAME.fullmatch(job.name):
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
    """Read one page and the token of the next (empty: none)."""
    payload = read_object(answer)
    jobs = [read_job(entry) for entry in objects(get(payload, "batchPredictionJobs", ()))]
    return jobs, str(get(payload, "nextPageToken", ""))


def _source(given: Mapping[str, Any]) -> BatchSource | None:
    uris = get(mapping(get(given, "gcsSource")), "uris", ())
    if uris:  # samples in Google's docs have a bare string
        return BatchSource(gcs_uri=(uris,) if isinstance(uris, str) else tuple(uris))
    table = get(mapping(get(given, "bigquerySource")), "inputUri")
    return BatchSource(bigquery_uri=table) if table else None


def _destination(wanted: Mapping[str, Any]) -> BatchDestination | None:
    prefix = get(mapping(get(wanted, "gcsDestination")), "outputUriPrefix")
    if prefix:
        return BatchDestination(gcs_uri=prefix)
    table = get(mapping(get(wanted, "bigqueryDestination")), "outputUri")
    return BatchDestination(bigquery_uri=table) if table else None


def _table(dataset: Any, table: Any) -> str | None:
    """Join ``bq://project.dataset`` and a table's name; either may already be a full name."""
    if table and str(table).count(".") >= 2:
        return str(table) if str(table).startswith("bq://") else f"bq://{table}"
    if dataset and table:
        return f"{dataset}.{table}"
    return str(dataset) if dataset else None


def _counts(stats: Mapping[str, Any]) -> JobCounts:
    """Read the counters; -1 means unknown."""
    if not stats:
        return JobCounts()
    numbers = [integer(get(stats, name, 0)) for name in ("successfulCount", "failedCount", "incompleteCount")]
    done, failed, pending = (None if count is None or count < 0 else count for count in numbers)
    total = None if None in (done, failed, pending) else (done or 0) + (failed or 0) + (pending or 0)
    return JobCounts(total=total, succeeded=done, failed=failed, pending=pending)
