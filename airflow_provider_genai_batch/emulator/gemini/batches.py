"""The batch methods of the Gemini Developer API."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from starlette.responses import Response

from airflow_provider_genai_batch.emulator import refusals
from airflow_provider_genai_batch.emulator.calls.call import Call, json_response
from airflow_provider_genai_batch.emulator.calls.fields_mask import OPERATION
from airflow_provider_genai_batch.emulator.calls.lag import as_listed, is_missing
from airflow_provider_genai_batch.emulator.calls.paging import job_page, page_size
from airflow_provider_genai_batch.emulator.errors import ApiError
from airflow_provider_genai_batch.emulator.gemini.files import input_file
from airflow_provider_genai_batch.emulator.gemini.input import check_file, spool_inline
from airflow_provider_genai_batch.emulator.gemini.view import operation
from airflow_provider_genai_batch.emulator.jobs.records import Counts, Job
from airflow_provider_genai_batch.emulator.jsontypes import JsonObject, known_only, words
from airflow_provider_genai_batch.emulator.model import names
from airflow_provider_genai_batch.emulator.world import World, random_name

LARGEST_BODY = 20971520
"""Bytes; the live service quotes this number."""

_BATCH = words("name model displayName inputConfig webhookConfig priority")
_INPUT = frozenset({"fileName", "requests"})
_ID_LENGTH = 36
_BYTES_A_TOKEN = 4
_DEFAULT_PAGE = 50
_LARGEST_PAGE = 1000


async def create(call: Call) -> Response:
    """Create a batch of generateContent requests."""
    return await _create(call, "generate")


async def create_embeddings(call: Call) -> Response:
    """Create a batch of embedContent requests."""
    return await _create(call, "embed")


async def _create(call: Call, kind: str) -> Response:
    call.query()
    body = await call.json({"batch"}, LARGEST_BODY, "")
    if "batch" not in body:
        raise ApiError(400, "* CreateBatchRequest.batch: batch is required.")
    batch = known_only(body["batch"], _BATCH, "batch")
    source = known_only(batch.get("inputConfig", {}), _INPUT, "batch.input_config")
    if len(source) != 1:
        raise ApiError(400, "* CreateBatchRequest.batch.input_config: exactly one source must be set.")
    model = _model(call, kind)
    priority = batch.get("priority", 0)
    if not str(priority).lstrip("-").isdigit():
        message = f"Invalid value at 'batch.priority' (TYPE_INT64), \"{priority}\""
        raise ApiError(400, message)
    room = await _room(call, model)
    job = await asyncio.to_thread(_take_in, call.world, model, kind, batch, source, room)
    return call.reply(operation(call.world, job), OPERATION)


def _model(call: Call, kind: str) -> str:
    model_id = call.param("model")
    family = "tunedModels" if "/tunedModels/" in call.request.url.path else "models"
    known = not names.says_unknown(model_id) if family == "tunedModels" else names.exists(model_id)
    known = known and (call.world.switches.speech or not names.speaks(model_id))
    if not known:
        version = call.param("version")
        method = "batchGenerateContent" if kind == "generate" else "asyncBatchEmbedContent"
        message = (
            f"{family}/{model_id} is not found for API version {version}, or is not supported for {method}. "
            "Call ListModels to see the list of available models and their supported methods."
        )
        raise ApiError(404, message)
    if family == "models" and names.embeds(model_id) != (kind == "embed"):
        message = f"{family}/{model_id} does not support this method."
        raise ApiError(404, message)
    return f"{family}/{model_id}"


async def _room(call: Call, model: str) -> int | None:
    """Return how many tokens further batches of a model may have; None: any number."""
    world = call.world
    most = world.capacity.enqueued_tokens
    if most is None:
        return None
    own = [job for job in world.order if job.backend == "gemini" and job.model == model]
    await call.settle(own)
    return most - sum(_tokens(world.blobs / str(job.source["blob"])) for job in own if job.live)


def _tokens(blob: Path) -> int:
    return blob.stat().st_size // _BYTES_A_TOKEN


def _take_in(
    world: World, model: str, kind: str, batch: JsonObject, source: JsonObject, room: int | None
) -> Job:
    batch_id = random_name(_ID_LENGTH)
    blob = world.blobs / f"{batch_id}.in"
    if "requests" in source:
        total = spool_inline(source["requests"], kind, blob)
        origin: JsonObject = {"inline": True, "blob": blob.name}
    else:
        given = input_file(world, str(source["fileName"]))
        # A hard link to the same bytes: the input file may be deleted, or expire, right after create.
        os.link(world.blobs / given.blob, blob)
        origin = {"file": given.name, "blob": blob.name}
        try:
            total = check_file(blob, kind)
        except ApiError:
            blob.unlink()
            raise
    if room is not None and _tokens(blob) > room:
        blob.unlink()
        raise refusals.enqueued_tokens()
    job = Job(
        name=f"batches/{batch_id}",
        backend="gemini",
        kind=kind,
        model=model,
        display_name=str(batch.get("displayName", "")),
        created_ns=world.tick(),
        resource={name: batch[name] for name in ("priority", "webhookConfig") if name in batch},
        source=origin,
        counts=Counts(total),
    )
    return world.add_job(job)


def _found(call: Call) -> Job:
    name = f"batches/{call.param('batch')}"
    job = call.world.jobs.get(name)
    if job is None or is_missing(call.world, job):
        raise ApiError(404, "Requested entity was not found.")
    return job


async def get(call: Call) -> Response:
    """Show one batch; this is a look."""
    mask = call.query().get("fields", "*")
    job = _found(call)
    await call.look([job])
    if "inline" in (job.output or {}):
        job.reads += 1
        call.world.save(job)
    rows = any(word in mask for word in ("*", "response", "output"))
    output = job.output or {}
    if rows and "inline" in output and (job.script.large_results or output.get("large")):
        # A user reported this for a finished job of a thousand pictures: every get failed after a minute.
        raise ApiError(503, "Deadline expired before operation could complete.")
    shown = await asyncio.to_thread(operation, call.world, job, rows=rows) if job.output and rows else None
    return call.reply(shown or operation(call.world, job, rows=rows), OPERATION)


async def list_(call: Call) -> Response:
    """List batches, newest first."""
    query = call.query("pageSize", "pageToken", "filter", "returnPartialSuccess")
    if query.get("filter") and call.fault != "ignored_filter":
        # The discovery document has the parameter, but nobody has seen it work, so callers must not rely on it.
        raise ApiError(400, "Filtering batches is not supported.")
    size = page_size(query.get("pageSize"), _DEFAULT_PAGE, _LARGEST_PAGE)
    token = query.get("pageToken")
    page = job_page(call.world, lambda job: job.backend == "gemini", size, token, call.fault)
    await call.look(page.jobs, listed=True)
    shown: JsonObject = {}
    if page.jobs:
        shown["operations"] = [operation(call.world, as_listed(job), listed=True) for job in page.jobs]
    if page.token:
        shown["nextPageToken"] = page.token
    return call.reply(shown, {"operations", "nextPageToken", "unreachable"})


async def cancel(call: Call) -> Response:
    """Request the cancellation of a batch; a batch that has ended does not change."""
    call.query()
    await call.nothing()
    job = _found(call)
    await call.settle([job])
    with call.world.lock:
        if not job.ended and job.cancelled_at_look is None and not job.script.cancel_ignored:
            job.cancelled_at_look = job.looks
            job.updated_ns = call.world.clock.now_ns()
            call.world.save(job)
    return json_response({})


async def delete(call: Call) -> Response:
    """Remove a batch and its output."""
    call.query()
    job = _found(call)
    world = call.world
    with world.lock:
        job.deleted = True
        world.save(job)
        output = world.files.pop((job.output or {}).get("file", ""), None)
        if output is not None:
            world.store.drop("file", output.name)
    for name in (job.source["blob"], f"{job.name.split('/', 1)[1]}.out"):
        (world.blobs / name).unlink(missing_ok=True)
    return json_response({})
