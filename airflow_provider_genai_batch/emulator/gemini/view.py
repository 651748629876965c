"""A batch as the long-running operation that the service returns."""

from __future__ import annotations

import json

from airflow_provider_genai_batch.emulator.clock import NANOSECONDS, nanos_text
from airflow_provider_genai_batch.emulator.jobs.progress import fraction_done
from airflow_provider_genai_batch.emulator.jobs.records import Counts, Job
from airflow_provider_genai_batch.emulator.jobs.spool import read_lines
from airflow_provider_genai_batch.emulator.jobs.states import wire
from airflow_provider_genai_batch.emulator.jsontypes import JsonObject
from airflow_provider_genai_batch.emulator.world import World

_TYPES = "type.googleapis.com/google.ai.generativelanguage.v1main."


def operation(world: World, job: Job, *, listed: bool = False, rows: bool = True) -> JsonObject:
    """Return the operation.

    Args:
        world: The emulator's state, which has the inline results.
        job: The batch.
        listed: Whether it is a list entry, which has no inline results.
        rows: Whether inline results are wanted; a mask may leave them out.
    """
    kind = "EmbedContentBatch" if job.kind == "embed" else "GenerateContentBatch"
    metadata: JsonObject = {"@type": _TYPES + kind, "model": job.model}
    if job.display_name:
        metadata["displayName"] = job.display_name
    if job.source.get("file"):
        metadata["inputConfig"] = {"fileName": job.source["file"]}
    results = _results(world, job, rows=rows and not listed) if job.ended else None
    if results:
        metadata["output"] = results
    metadata["createTime"] = nanos_text(job.created_ns)
    if job.ended_ns is not None:
        metadata["endTime"] = nanos_text(job.ended_ns)
    metadata["updateTime"] = nanos_text(job.updated_ns)
    stale = listed and job.script.stale_counters
    metadata["batchStats"] = _stats(
        job, 0.0 if stale else fraction_done(job, world.clock.now_ns()), stale=stale
    )
    metadata["state"] = wire(job.state, "BATCH_STATE_")
    metadata["name"] = job.name
    if job.resource.get("priority") not in {None, "0", 0}:
        metadata["priority"] = str(job.resource["priority"])
    shown: JsonObject = {"name": job.name, "metadata": metadata}
    if job.ended:
        # In captures of the live service, `done` is absent until the end, and never false.
        shown["done"] = True
        if job.error is not None:
            shown["error"] = job.error
        elif job.output is not None:
            # In captures of the live service, the results occur twice: here and in the metadata.
            shown["response"] = {"@type": f"{_TYPES}{kind}Output", **(results or {})}
    return shown


def readable(world: World, job: Job) -> bool:
    """Return whether the output of an ended batch can be read yet."""
    late_ns = int(job.script.late_seconds * NANOSECONDS)
    if job.ended_ns is not None and world.clock.now_ns() < job.ended_ns + late_ns:
        return False
    return job.reads > job.script.late_output or not job.script.late_output


def _results(world: World, job: Job, *, rows: bool) -> JsonObject | None:
    output = job.output or {}
    if "file" in output:
        return {"responsesFile": output["file"]}
    if "inline" not in output or not rows or not readable(world, job):
        return None
    lines = [json.loads(line) for line in read_lines(world.blobs / output["inline"])]
    return {"inlinedResponses": lines if job.script.bare_list else {"inlinedResponses": lines}}


def _stats(job: Job, done: float, *, stale: bool) -> JsonObject:
    counts = Counts(job.counts.total) if stale else job.counts
    if done:
        # While a job runs, it shows how many rows are done. Only at its end is it decided which of them failed.
        counts = Counts(counts.total, int((counts.total or 0) * done))
    numbers = {
        "requestCount": counts.total,
        "successfulRequestCount": counts.succeeded,
        "failedRequestCount": counts.failed,
        "pendingRequestCount": counts.pending,
    }
    # In proto3's JSON form an int64 is text, and zeros are left out.
    return {name: str(number) for name, number in numbers.items() if number}
