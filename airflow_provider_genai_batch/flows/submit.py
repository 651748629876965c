"""Find or create: how a task comes to its one job."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from typing import Any

from airflow_provider_genai_batch.exceptions import (
    CallError,
    CreateOutcomeUnknown,
    JobTimedOut,
    QuotaExceeded,
    ServerError,
    TransportError,
    UnreadableAnswer,
)
from airflow_provider_genai_batch.flows.backoff import backoff
from airflow_provider_genai_batch.flows.identity import Identity
from airflow_provider_genai_batch.flows.steps import Cancel, Create, Find, Place, Sleep
from airflow_provider_genai_batch.models import BatchJob, JobState

log = logging.getLogger(__name__)

LOOKS_AFTER_LOSS = (1.0, 2.0, 4.0, 8.0)
"""Seconds before each look for a job whose create gave no usable answer: lists lag."""
_BEFORE_SENDING = "oauth.token"
"""Method of errors that came from the token endpoint: the create itself was not sent."""
_UNCLEAR = (TransportError, ServerError, UnreadableAnswer)
_DEAD = (JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED, JobState.CANCELLING)
"""States of jobs that a new attempt does not take up: they bill nothing more and left nothing to wait for.

An EXPIRED job that answered rows is taken up all the same, for they are paid for.
"""


def submit(
    identity: Identity, display_name: str, *, look_first: bool, deadline: float, clock: Callable[[], float]
) -> Generator[Any, Any, BatchJob]:
    """Come to the job of an identity, paying once.

    Args:
        identity: whose job it is, and what it asks.
        display_name: the identity as the service keeps it, for errors.
        look_first: an earlier attempt may have created the job.
        deadline: seconds since the epoch until which a refusal for lack of capacity is waited out.
        clock: tells the seconds since the epoch.

    Raises:
        CreateOutcomeUnknown: the create may have been acted upon and the service could not be asked.
        JobTimedOut: there was no capacity until the deadline; nothing was created.
        CallError: the look-up or the create was refused for good; nothing was created.
    """
    before: set[str] = set()
    if look_first:
        earlier = yield from _of_earlier_attempts(identity)
        before = {job.name for job in earlier}
        found = usable(earlier)
        if found is not None:
            log.info(
                "Found job %s of an earlier attempt (%s); nothing is submitted.",
                found.name,
                found.state.value,
            )
            return found
    yield Place()
    refusals = 0
    while True:
        refusals += 1
        try:
            job: BatchJob = yield Create()
            return job
        except QuotaExceeded as error:
            pause = backoff(refusals, error.retry_after, longest=300.0)
            if clock() + pause > deadline:
                msg = (
                    f"The service had no capacity for the job until the deadline ({error}). Nothing was created and "
                    "nothing is billed. The next attempt asks again."
                )
                raise JobTimedOut(msg, job_names=()) from error
            log.warning("The service has no capacity now (%s); asking again in %.0f s.", error, pause)
        except _UNCLEAR as error:
            sent = error.method != _BEFORE_SENDING
            lost = (yield from _after_loss(identity, display_name, error, before)) if sent else None
            if lost is not None:
                return lost
            pause = backoff(refusals)
            if clock() + pause > deadline:
                if not sent:
                    raise
                raise CreateOutcomeUnknown(display_name, str(error)) from error
            log.warning(
                "No job was created as far as can be seen (%s); trying again in %.0f s.", error, pause
            )
        yield Sleep(pause)


def _of_earlier_attempts(identity: Identity) -> Generator[Any, Any, list[BatchJob]]:
    """Look more than once: lists lag, and the earlier attempt may have died a moment ago.

    Jobs of the same task instance that ask something else are superseded: what still runs is cancelled.
    """
    jobs: list[BatchJob] = yield Find()
    for pause in LOOKS_AFTER_LOSS:
        if any(identity.owns(job.display_name) for job in jobs):
            break
        yield Sleep(pause)
        jobs = yield Find()
    for job in jobs:
        if not job.done and not identity.owns(job.display_name):
            try:
                yield Cancel(job.name)
                said = "its cancellation was asked for"
            except CallError as error:
                said = f"it could not be cancelled and is billed as it goes ({error})"
            log.warning("Job %s of an earlier attempt asks what is not asked any more; %s.", job.name, said)
    return [job for job in jobs if identity.owns(job.display_name)]


def usable(jobs: list[BatchJob]) -> BatchJob | None:
    """Choose the job to go on with: one that still moves before one that ended with rows; None for neither."""
    alive = [job for job in jobs if job.state not in _DEAD or _paid(job)]
    return next((job for job in alive if not job.done), alive[0] if alive else None)


def _paid(job: BatchJob) -> bool:
    return job.state is JobState.EXPIRED and (job.counts.succeeded or 0) > 0


def _after_loss(
    identity: Identity, display_name: str, cause: CallError, before: set[str]
) -> Generator[Any, Any, BatchJob | None]:
    """Look more than once for a job that was not there `before`. "I could not look" is never "it is not there"."""
    log.warning("The create call gave no usable answer (%s); looking for the job.", cause)
    blind: CallError | None = None
    for pause in LOOKS_AFTER_LOSS:
        yield Sleep(pause)
        try:
            jobs: list[BatchJob] = yield Find()
        except CallError as error:
            blind = error
            continue
        blind = None
        new = [job for job in jobs if identity.owns(job.display_name) and job.name not in before]
        if new:
            job = usable(new) or new[0]
            log.info("Found job %s: the create had arrived.", job.name)
            return job
    if blind is not None:
        raise CreateOutcomeUnknown(display_name, f"{cause}; then {blind}") from blind
    return None
