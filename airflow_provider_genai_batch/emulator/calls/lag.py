"""Lag of the service: lists and calls by name may not show a new job at once."""

from __future__ import annotations

from dataclasses import replace

from airflow_provider_genai_batch.emulator.clock import NANOSECONDS
from airflow_provider_genai_batch.emulator.jobs.records import Counts, Job
from airflow_provider_genai_batch.emulator.world import World


def misses_in_lists(world: World, job: Job) -> bool:
    """Return whether lists do not show a new job yet."""
    script = job.script
    if script.list_lag_seconds:
        return world.clock.now_ns() < job.created_ns + int(script.list_lag_seconds * NANOSECONDS)
    if job.list_misses < script.list_lag:
        job.list_misses += 1
        world.save(job)
        return True
    return False


def is_missing(world: World, job: Job | None) -> bool:
    """Return whether a call by name finds no job: there is none, it was deleted, or it is too new."""
    if job is None or job.deleted:
        return True
    script = job.script
    if world.clock.now_ns() < job.created_ns + int(script.get_lag_seconds * NANOSECONDS):
        return True
    if job.get_misses < script.get_lag:
        job.get_misses += 1
        world.save(job)
        return True
    return False


def is_listed(job: Job) -> bool:
    """Return whether lists contain the job at all; stale entries outlive their jobs."""
    return not job.deleted or job.script.stale_entries


def as_listed(job: Job) -> Job:
    """Return the job as list entries show it: a stale entry still shows the job as running."""
    if not job.script.stale_entries or not (job.ended or job.deleted):
        return job
    total = Counts(job.counts.total)
    return replace(job, state="RUNNING", ended_ns=None, error=None, output=None, deleted=False, counts=total)
