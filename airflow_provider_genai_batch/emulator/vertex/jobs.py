"""The batchPredictionJobs methods of Vertex AI."""

from __future__ import annotations

import asyncio
import random

from starlette.responses import Response

from airflow_provider_genai_batch.emulator.calls.call import Call, json_response
from airflow_provider_genai_batch.emulator.calls.fields_mask import OPERATION, masked
from airflow_provider_genai_batch.emulator.calls.lag import as_listed, is_missing
from airflow_provider_genai_batch.emulator.calls.paging import job_page, page_size
from airflow_provider_genai_batch.emulator.errors import ApiError
from airflow_provider_genai_batch.emulator.jobs.records import Job
from airflow_provider_genai_batch.emulator.jsontypes import JsonObject
from airflow_provider_genai_batch.emulator.model.names import embeds
from airflow_provider_genai_batch.emulator.vertex.create import FIELDS, checked
from airflow_provider_genai_batch.emulator.vertex.filter import compiled
from airflow_provider_genai_batch.emulator.vertex.late import due, publish_due
from airflow_provider_genai_batch.emulator.vertex.models import CLAUDE, family_of
from airflow_provider_genai_batch.emulator.vertex.names import Parent, project_number
from airflow_provider_genai_batch.emulator.vertex.operations import deletion
from airflow_provider_genai_batch.emulator.vertex.run import count
from airflow_provider_genai_batch.emulator.vertex.view import KNOWN, resource
from airflow_provider_genai_batch.emulator.world import World

_LARGEST_BODY = 10 * 1024 * 1024
_DEFAULT_PAGE = 100
_LARGEST_PAGE = 1000
_LEAST_ID, _GREATEST_ID = 10**17, 2**63 - 1


async def create(call: Call) -> Response:
    """Create a job."""
    call.query()
    parent = _parent(call)
    world = call.world
    body = checked(
        await call.json(FIELDS, _LARGEST_BODY, "batch_prediction_job"), parent.location, world.switches
    )
    _needs_stand_ins(world, body)
    await _has_room(call, parent, body["model"])
    number = random.randint(_LEAST_ID, _GREATEST_ID)  # noqa: S311 - a name, not a secret
    job = Job(
        name=f"{parent}/batchPredictionJobs/{number}",
        backend="vertex",
        kind="embed" if embeds(body["model"]) else "generate",
        model=body["model"],
        display_name=body["displayName"],
        created_ns=call.world.tick(),
        resource=body,
        source=_source(body),
    )
    return call.reply(_shown(call, call.world.add_job(job)), KNOWN)


async def get(call: Call) -> Response:
    """Show one job; this is a look."""
    call.query()
    job = _found(call)
    was_ended = job.ended
    await call.look([job])
    if job.state == "RUNNING" and job.counts.total is None:
        await asyncio.to_thread(count, call.world, job)
    if was_ended:
        job.reads += 1
        call.world.save(job)
        if due(call.world, job):
            await asyncio.to_thread(publish_due, call.world)
    return call.reply(_shown(call, job), KNOWN)


async def list_(call: Call) -> Response:
    """List jobs, newest first."""
    query = call.query("filter", "pageSize", "pageToken", "readMask")
    size = page_size(query.get("pageSize"), _DEFAULT_PAGE, _LARGEST_PAGE)
    parent = f"{_parent(call)}/"
    passes = compiled("" if call.fault == "ignored_filter" else query.get("filter", ""))
    world = call.world
    if "state" in query.get("filter", ""):
        await asyncio.to_thread(lambda: world.finish(world.settle(world.order)))
    token = query.get("pageToken")
    page = job_page(world, lambda job: job.name.startswith(parent) and passes(job), size, token, call.fault)
    await call.look(page.jobs, listed=True)
    answer: JsonObject = {}
    if page.jobs:
        mask = query.get("readMask")
        shown = [_shown(call, as_listed(job), stale=job.script.stale_counters) for job in page.jobs]
        answer["batchPredictionJobs"] = [masked(one, mask, KNOWN) for one in shown] if mask else shown
    if page.token:
        answer["nextPageToken"] = page.token
    return call.reply(answer, {"batchPredictionJobs", "nextPageToken"})


async def cancel(call: Call) -> Response:
    """Request the cancellation of a job.

    A capture of the live service shows 400 FAILED_PRECONDITION for a failed job; here all ended jobs get it.
    """
    call.query()
    await call.nothing()
    job = _found(call)
    world = call.world
    await call.settle([job])
    with world.lock:
        if job.ended:
            message = f"The job {job.name} is in state JOB_STATE_{job.state} and cannot be cancelled."
            raise ApiError(400, message, "FAILED_PRECONDITION")
        if job.cancelled_at_look is None and not job.script.cancel_ignored:
            job.cancelled_at_look = job.looks
            world.settle([job])
            world.save(job)
    return json_response({})


async def delete(call: Call) -> Response:
    """Remove an ended job; its output is kept."""
    call.query()
    job = _found(call)
    world = call.world
    with world.lock:
        if not job.ended and job.state != "PAUSED":
            message = f"The job {job.name} is in state JOB_STATE_{job.state} and cannot be deleted."
            raise ApiError(400, message, "FAILED_PRECONDITION")
        job.deleted = True
        world.save(job)
    return call.reply(deletion(world, str(_parent(call))), OPERATION)


async def _has_room(call: Call, parent: Parent, model: str) -> None:
    """Refuse a Claude job that would exceed the limit of a project.

    Source: Google's page on Claude, four jobs at once. No page says how a fifth is answered; 429 is usual for quotas.
    """
    world = call.world
    most = world.switches.claude_jobs
    if most is None or family_of(model) != CLAUDE:
        return
    project = f"projects/{project_number(parent.project)}/"
    own = [job for job in world.order if job.name.startswith(project) and family_of(job.model) == CLAUDE]
    await call.settle(own)
    if sum(job.live for job in own) >= most:
        message = (
            f"Quota exceeded for concurrent batch prediction requests of partner models: {most} at once."
        )
        raise ApiError(429, message)


def _parent(call: Call) -> Parent:
    return Parent(call.param("project"), call.param("location"))


def _found(call: Call) -> Job:
    number = call.param("job")
    name = f"{_parent(call)}/batchPredictionJobs/{number}"
    if not number.isdigit():
        message = f"Invalid resource name: {name}"
        raise ApiError(400, message)
    job = call.world.jobs.get(name)
    if job is None or is_missing(call.world, job):
        message = f"The BatchPredictionJob does not exist: {name}"
        raise ApiError(404, message)
    return job


def _shown(call: Call, job: Job, *, stale: bool = False) -> JsonObject:
    numbers = "enum-encoding=int" in call.request.query_params.get("$alt", "")
    shown = resource(job, call.world.clock.now_ns(), numbers=numbers)
    if stale:
        shown.pop("completionStats", None)
    return shown


def _source(body: JsonObject) -> JsonObject:
    config = body["inputConfig"]
    if "gcsSource" in config:
        return {"gcs": config["gcsSource"]["uris"]}
    return {"bigquery": config["bigquerySource"]["inputUri"]}


def _needs_stand_ins(world: World, body: JsonObject) -> None:
    """Refuse jobs for which a stand-in is missing at once, so that they do not fail later without a visible reason."""
    needed = {name for config in (body["inputConfig"], body["outputConfig"]) for name in config}
    if needed & {"gcsSource", "gcsDestination"} and world.storage is None:
        raise ApiError(400, "This emulator was started without Cloud Storage.", "FAILED_PRECONDITION")
    if needed & {"bigquerySource", "bigqueryDestination"} and world.bigquery is None:
        raise ApiError(400, "This emulator was started without BigQuery.", "FAILED_PRECONDITION")
