"""Rows that a script holds back: the job has SUCCEEDED, but its output does not exist yet."""

from __future__ import annotations

import threading

from airflow_provider_genai_batch.emulator.clock import NANOSECONDS
from airflow_provider_genai_batch.emulator.jobs.records import Job
from airflow_provider_genai_batch.emulator.vertex.publish import publish
from airflow_provider_genai_batch.emulator.world import World

_SOON = 0.05
_PUBLISHING = threading.Lock()


def at_the_end(job: Job) -> int:
    """Return how many shards exist as soon as the job has ended."""
    script = job.script
    if script.late_output or script.late_seconds:
        return 0
    return 1 if script.shard_looks or script.shard_seconds else script.shards


def visible(world: World, job: Job) -> int:
    """Return how many shards of an ended job must exist now; a script may publish them one after another."""
    script = job.script
    looks = job.reads - script.late_output
    age_ns = world.clock.now_ns() - (job.ended_ns or 0) - int(script.late_seconds * NANOSECONDS)
    if looks < 0 or age_ns < 0:
        return 0
    count = script.shards
    if script.shard_looks:
        count = min(count, 1 + looks // script.shard_looks)
    if script.shard_seconds:
        count = min(count, 1 + age_ns // int(script.shard_seconds * NANOSECONDS))
    return count


def due(world: World, job: Job) -> bool:
    """Return whether held-back rows must be published now."""
    output = job.output or {}
    if job.backend != "vertex" or job.ended_ns is None or "blob" not in output or output.get("published"):
        return False
    return visible(world, job) > int(output.get("shards", 0))


def publish_due(world: World) -> None:
    """Publish the rows that are due. This blocks."""
    with _PUBLISHING:
        for job in () if world.closed else tuple(world.order):
            if due(world, job):
                job.output = publish(world, job, job.output or {}, visible(world, job))
                world.save(job)


def wake_later(world: World, job: Job) -> None:
    """Check again after the real time that the script sets. A clock that is moved calls its listeners itself."""
    script = job.script
    times = {script.late_seconds + number * script.shard_seconds for number in range(script.shards)} - {0}
    for seconds in times:
        timer = threading.Timer(seconds + _SOON, publish_due, (world,))
        timer.daemon = True
        timer.start()
