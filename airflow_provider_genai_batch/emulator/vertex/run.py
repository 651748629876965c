"""Runs a Vertex job: imports, answers and spools its rows, then publishes them to its destination."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial

from airflow_provider_genai_batch.emulator.clock import micros_text
from airflow_provider_genai_batch.emulator.jobs.progress import Ending
from airflow_provider_genai_batch.emulator.jobs.records import Counts, Job
from airflow_provider_genai_batch.emulator.jobs.rows import Judge, written
from airflow_provider_genai_batch.emulator.jobs.spool import read_lines, shuffle_lines, write_lines
from airflow_provider_genai_batch.emulator.jsontypes import JsonObject, dumps
from airflow_provider_genai_batch.emulator.vertex.late import at_the_end, wake_later
from airflow_provider_genai_batch.emulator.vertex.publish import check_destination, publish
from airflow_provider_genai_batch.emulator.vertex.rows.families import rows_of
from airflow_provider_genai_batch.emulator.vertex.rows.family import Family
from airflow_provider_genai_batch.emulator.vertex.rows.source import (
    Input,
    JobFailed,
    count_rows,
    from_storage,
    from_table,
)
from airflow_provider_genai_batch.emulator.world import Outcome, World

_MOST_PARTIAL_FAILURES = 20


def output_directory(job: Job) -> str | None:
    """Return the directory for the rows, which is named after the job's creation time."""
    destination = job.resource["outputConfig"].get("gcsDestination")
    if destination is None:
        return None
    return f"{destination['outputUriPrefix'].rstrip('/')}/prediction-model-{micros_text(job.created_ns)}"


def produce(world: World, job: Job, ending: Ending) -> Outcome:
    """Produce the rows that were answered before the job ended."""
    counts = Counts()
    started = job.started_ns is not None or ending.served > 0
    directory = output_directory(job)
    output: JsonObject | None = {"directory": directory} if directory and started else None
    if not ending.served:
        return Outcome(counts, output)
    failures: list[JsonObject] = []
    try:
        check_destination(world, job, directory)
        family = rows_of(job, ending.at_ns, features=world.switches.partner_features)
        given = _given(world, job, family)
        counts.total = write_lines(world.blobs / _blob(job, "in"), map(dumps, given.rows))
        write_lines(world.blobs / _blob(job, "out"), _answered(world, job, family, ending, counts, failures))
        if job.script.shuffle is not False:
            shuffle_lines(world.blobs / _blob(job, "out"), f"{job.script.seed}:{counts.total}")
        columns = {"columns": given.columns, "results": list(family.results().items())}
        output = {**(output or {}), **columns, "blob": _blob(job, "out"), "partial": failures}
        first = at_the_end(job)
        if first:
            output = publish(world, job, output, first)
        if first < job.script.shards:
            wake_later(world, job)
    except JobFailed as failed:
        kept = {"directory": directory} if directory else None
        return Outcome(counts, kept, "FAILED", {"code": failed.code, "message": failed.message})
    return Outcome(counts, output)


def count(world: World, job: Job) -> None:
    """Count the rows of a running job for its counters; not for tables, because the service does not either."""
    config = job.resource["inputConfig"], job.resource["outputConfig"]
    if "gcsSource" in config[0] and "gcsDestination" in config[1]:
        job.counts = Counts(count_rows(world, config[0]["gcsSource"]["uris"]))
        world.save(job)


def _given(world: World, job: Job, family: Family) -> Input:
    config = job.resource["inputConfig"]
    if "gcsSource" in config:
        return from_storage(world, config["gcsSource"]["uris"], family)
    return from_table(world, config["bigquerySource"]["inputUri"], family)


def _answered(
    world: World, job: Job, family: Family, ending: Ending, counts: Counts, failures: list[JsonObject]
) -> Iterator[bytes]:
    script = job.script
    judge = Judge(script, ending, counts.total or 0, family.style)
    to_a_table = "bigqueryDestination" in job.resource["outputConfig"]
    for index, raw in enumerate(read_lines(world.blobs / _blob(job, "in"))):
        row = json.loads(raw)
        if family.is_done(row):
            # Google's page on resuming: rows that an earlier job answered are merged, not processed again.
            counts.succeeded += 1
            yield raw
            continue
        verdict = judge.verdict(index, family.key_of(row), partial(family.answered, world.responder, row))
        verdict, line = written(partial(family.line, row), verdict)
        if verdict.counts:
            counts.succeeded += verdict.error is None
            counts.failed += verdict.error is not None
        if verdict.error is not None and len(failures) < _MOST_PARTIAL_FAILURES:
            failures.append(verdict.error)
        for _ in range(verdict.copies):
            yield line
        if to_a_table and not verdict.reached and (kept := family.unreached(row)) is not None:
            yield dumps(kept)
    for key in script.unknown_keys:
        yield dumps(family.stranger(world.responder, key))


def _blob(job: Job, kind: str) -> str:
    return f"{job.name.rsplit('/', 1)[1]}.{kind}"
