"""Rows a script holds back: the job has SUCCEEDED, its output is not there yet."""

from __future__ import annotations

import threading

from airflow_provider_genai_batch.emulator.clock import NANOSECONDS
from airflow_provider_genai_batch.emulator.records import Job
from airflow_provider_genai_batch.emulator.vertex.publish import publish
from airflow_provider_genai_batch.emulator.world import World

_SOON = 0.05
_PUBLISHING = threading.Lock()


def is_late(job: Job) -> bool:
    """Whether the script holds the job's rows back."""
    return bool(job.script.late_output or job.script.late_seconds)


def due(world: World, job: Job) -> bool:
    """Whether rows held back are to be published now."""
    output = job.output or {}
    if job.backend != "vertex" or job.ended_ns is None or "blob" not in output or output.get("published"):
        return False
    late_ns = int(job.script.late_seconds * NANOSECONDS)
    return job.reads >= job.script.late_output and world.clock.now_ns() >= job.ended_ns + late_ns


def publish_due(world: World) -> None:
    """Publish what is due; blocking."""
    with _PUBLISHING:
        for job in () if world.closed else tuple(world.order):
            if due(world, job):
                job.output = publish(world, job, job.output or {})
                world.save(job)


def wake_later(world: World, job: Job) -> None:
    """Look again when real time has run as long as the script says; a clock that was moved says so itself."""
    if job.script.late_seconds:
        timer = threading.Timer(job.script.late_seconds + _SOON, publish_due, (world,))
        timer.daemon = True
        timer.start()
