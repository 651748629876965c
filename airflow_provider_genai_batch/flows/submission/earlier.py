"""Jobs of earlier attempts: the task reattaches to a useful one, and cancels those that it no longer wants."""

from __future__ import annotations

import logging
from collections.abc import Collection, Generator
from typing import Any

from airflow_provider_genai_batch.flows.record import Record
from airflow_provider_genai_batch.flows.steps import (
    Remember,
    SubmitStep,
)
from airflow_provider_genai_batch.flows.submission.attempt import Found
from airflow_provider_genai_batch.flows.submission.own_jobs import (
    Choice,
    choose,
    created_at,
    followed,
    read_job,
)
from airflow_provider_genai_batch.flows.submission.search import Search
from airflow_provider_genai_batch.flows.submission.withdraw import (
    cancel_others,
    cancel_recorded,
    cancel_twins,
)
from airflow_provider_genai_batch.models import BatchJob

log = logging.getLogger(__name__)


def of_earlier_attempts(search: Search, record: Record | None) -> Generator[SubmitStep, Any, Found | None]:
    """Reattach to the job of an earlier attempt, and cancel unwanted ones. Return None if no job is useful."""
    attempt = search.attempt
    known, gone = None, ""
    if attempt.reattach and record is not None and record.tag == search.identity.tag and record.job:
        known = yield from _recorded(search, record)
        gone = record.job if known is None and record.job not in search.before else ""
        choice = choose([known] if known is not None else [], attempt.mine)
        if choice.kept is not None and not search.doubt:
            return reattached(search, choice)
    own = yield from search.patiently(record, known)
    yield from cancel_others(search.identity, search.hints, search.clock, reattach=attempt.reattach)
    yield from cancel_recorded(
        search.identity, attempt, record, search.clock, seen=[job.name for job in search.hints]
    )
    if not attempt.reattach:
        search.before.update(job.name for job in search.hints)
        return None
    choice = choose(own, attempt.mine)
    if choice.kept is None:
        choice = Choice(followed(search.identity, own, search.hints, attempt.stalled))
    if choice.kept is not None:
        yield from cancel_twins(search.identity, choice)
        yield from note_job(search, record, choice.kept)
        return reattached(search, choice)
    search.before.update(job.name for job in (*own, *search.hints) if search.identity.owns(job))
    _tell_that_nothing_is_there(search, record, gone)
    return None


def _recorded(search: Search, record: Record) -> Generator[SubmitStep, Any, BatchJob | None]:
    """Read the recorded job."""
    if record.job in search.before:
        return None
    return (yield from read_job(record.job, record.intent, search.clock))


def reattached(search: Search, choice: Choice, before: Collection[str] = ()) -> Found:
    """Return the chosen job as the task's job."""
    job = choice.kept
    assert job is not None  # noqa: S101 - whoever calls this has seen it
    if job.name in search.attempt.mine:
        return Found(job, reattached=False, before=before, twins=choice.twins)
    log.info("Found job %s of an earlier attempt (%s); nothing is submitted.", job.name, job.state.value)
    return Found(job, reattached=True, before=before, twins=choice.twins)


def note_job(search: Search, record: Record | None, job: BatchJob) -> Generator[SubmitStep, Any, None]:
    """Record the reattached job if there is a store and its record says less."""
    if record is None or (record.tag, record.job, record.doubt) == (
        search.identity.tag,
        job.name,
        search.doubt,
    ):
        return
    created = created_at(job) or record.intent
    yield Remember(Record(search.identity.tag, created, job.name, doubt=search.doubt))


def _tell_that_nothing_is_there(search: Search, record: Record | None, gone: str) -> None:
    """Warn if rows may have been paid for that can no longer be read."""
    if gone:
        log.warning(
            "Job %s of an earlier attempt does not exist any more. Its rows cannot be read: all its requests are "
            "submitted and paid for again.",
            gone,
        )
    elif not search.hints and (record is None or not record.tag) and not search.attempt.before:
        log.warning(
            "No job of an earlier attempt was found. If there was one, its rows cannot be read: all "
            "requests are submitted and paid for again."
        )
