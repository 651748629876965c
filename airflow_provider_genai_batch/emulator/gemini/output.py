"""Produces the rows of a Gemini batch."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from airflow_provider_genai_batch.emulator.gemini.answers import shaped
from airflow_provider_genai_batch.emulator.gemini.inline_size import Size
from airflow_provider_genai_batch.emulator.gemini.input import InputRow, read_rows
from airflow_provider_genai_batch.emulator.jobs.progress import Ending
from airflow_provider_genai_batch.emulator.jobs.records import Counts, Job, StoredFile
from airflow_provider_genai_batch.emulator.jobs.rows import Judge, Verdict, drops_metadata, written
from airflow_provider_genai_batch.emulator.jobs.script import JobScript
from airflow_provider_genai_batch.emulator.jobs.spool import shuffle_lines, write_lines
from airflow_provider_genai_batch.emulator.jsontypes import JsonObject, dumps
from airflow_provider_genai_batch.emulator.model.embed import counted
from airflow_provider_genai_batch.emulator.model.refused.limits import check_embed, check_generate
from airflow_provider_genai_batch.emulator.model.respond import Responder
from airflow_provider_genai_batch.emulator.world import Outcome, World


def produce(world: World, job: Job, ending: Ending) -> Outcome:
    """Answer the rows, and store them inline or as a file, depending on the job's input."""
    counts = Counts(job.counts.total)
    if not ending.served and not ending.cancelled_rows:
        return Outcome(counts)
    script = job.script
    batch_id = job.name.split("/", 1)[1]
    inline = bool(job.source.get("inline")) or script.inline_results
    path = world.blobs / f"{batch_id}.out"
    judge = Judge(script, ending, counts.total or 0)
    size = Size(script.inline_limit)
    lines = _lines(world.responder, job, judge, counts, world, inline=inline)
    write_lines(path, size.counted(lines) if inline else lines)
    shuffled = script.shuffle if script.shuffle is not None else not inline
    if shuffled:
        shuffle_lines(path, f"{script.seed}:{counts.total}")
    if inline:
        return Outcome(counts, {"inline": path.name, **({"large": True} if size.too_large else {})})
    name = f"files/batch-{batch_id}"
    stored = StoredFile(
        name,
        "application/jsonl",
        path.stat().st_size,
        ending.at_ns,
        path.name,
        job=job.name,
        seq=world.new_sequence(),
    )
    with world.lock:
        world.files[name] = stored
        world.save(stored)
    return Outcome(counts, {"file": name})


def _lines(
    responder: Responder, job: Job, judge: Judge, counts: Counts, world: World, *, inline: bool
) -> Iterator[bytes]:
    script = job.script
    for row in read_rows(world.blobs / job.source["blob"]):
        verdict = judge.verdict(row.index, row.key, partial(_answered, responder, job, row))
        verdict, line = written(partial(_result, row, script=script, inline=inline), verdict)
        if verdict.counts:
            counts.succeeded += verdict.error is None
            counts.failed += verdict.error is not None
        for _ in range(verdict.copies):
            yield line
    for key in script.unknown_keys:
        verdict = Verdict(response=responder.generate({"contents": []}, job.model, shaped, "Nobody asked."))
        yield dumps(_result(InputRow(-1, key, {}, {"key": key}), verdict, script=script, inline=inline))


def _result(row: InputRow, verdict: Verdict, *, script: JobScript, inline: bool) -> JsonObject:
    error = "status" if script.status_object else "error"
    said: JsonObject = {"response": verdict.response} if verdict.error is None else {error: verdict.error}
    if inline:
        metadata = row.metadata
        if metadata is None and row.key is not None:
            metadata = {"key": row.key}
        if metadata and not drops_metadata(script, row.index, row.key):
            said["metadata"] = metadata
        return said
    if row.key is None:
        return said
    # The order of the two members varies in captures, so readers must not rely on it.
    return {"key": row.key, **said} if row.index % 2 == 0 else {**said, "key": row.key}


def _answered(responder: Responder, job: Job, row: InputRow, said: object) -> JsonObject:
    if job.kind == "embed":
        check_embed(row.request)
        response = responder.embed(row.request, job.model)
        wanted = job.script.embedding_usage
        return response if wanted is None else counted(response, wanted)
    check_generate(row.request, "gemini", job.model)
    return responder.generate(row.request, job.model, shaped, said, job.script.media_bytes)
