"""Cancels jobs of a task instance that it no longer wants; each is read by name first."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Generator, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_genai_batch.exceptions import CallError, GenAIBatchError
from airflow_provider_genai_batch.flows.record import Record
from airflow_provider_genai_batch.flows.steps import Cancel, RecallAll, WithdrawStep
from airflow_provider_genai_batch.flows.submission.own_jobs import Choice, created_at, goes_on, newness
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.jobs.cancellation import Cancellation, CancelOutcome
from airflow_provider_genai_batch.models.jobs.identity import Identity

if TYPE_CHECKING:
    from airflow_provider_genai_batch.flows.submission.attempt import Attempt

log = logging.getLogger(__name__)


def cancel_twins(identity: Identity, choice: Choice) -> Generator[Cancel, Any, None]:
    """Cancel jobs that run in addition to the one that is kept."""
    for twin in choice.surplus:
        _, said = yield from _became(Cancel(twin.name, only_if=identity.owns))
        log.warning(
            "Job %s asks the same requests as job %s, which is kept: it has answered most, or is the oldest. The other "
            "is not needed; %s.",
            twin.name,
            choice.kept.name if choice.kept else "another",
            said,
        )


def cancel_needless(
    identity: Identity, jobs: Iterable[BatchJob], clock: Callable[[], float]
) -> Generator[Cancel, Any, None]:
    """Cancel running jobs whose rows already exist, and name them in a warning.

    Args:
        identity: identity of the whole input.
        jobs: the jobs, as read by name.
        clock: returns the seconds since the epoch by the service's clock.
    """
    for job in jobs:
        is_new = newness(created_at(job), clock)
        _, said = yield from _became(Cancel(job.name, only_if=identity.is_family, is_new=is_new))
        log.warning("Job %s is no longer needed for the requests of this task; %s.", job.name, said)


def cancel_others(
    identity: Identity, hints: Iterable[BatchJob], clock: Callable[[], float], *, reattach: bool
) -> Generator[Cancel, Any, None]:
    """Cancel jobs of the same task instance that run, or may be resumed, and are no longer wanted.

    Args:
        identity: identity of the current requests.
        hints: jobs of the task instance as listed.
        clock: returns the seconds since the epoch by the service's clock.
        reattach: whether jobs with the same requests are wanted.

    Raises:
        CallError: an unwanted job with the same requests could not be cancelled.
    """
    unwanted = _unwanted(identity, reattach=reattach)
    for job in hints:
        if not goes_on(job) or not unwanted(job):
            continue
        is_new = newness(created_at(job), clock)
        became, said = yield from _became(Cancel(job.name, only_if=unwanted, is_new=is_new))
        if isinstance(became, CallError) and identity.owns(job):
            raise became
        _tell(job.name, said, None if isinstance(became, CallError) else became)


def cancel_recorded(
    identity: Identity,
    attempt: Attempt,
    record: Record | None,
    clock: Callable[[], float],
    *,
    seen: Collection[str],
) -> Generator[WithdrawStep, Any, None]:
    """Cancel recorded jobs that are no longer wanted, even if no list of this connection shows them.

    Args:
        identity: identity of the current requests.
        attempt: what is known beforehand.
        record: the record of this job, or of another job in its place.
        clock: returns the seconds since the epoch by the service's clock.
        seen: jobs that have already been handled.

    Raises:
        CallError: an unwanted job with the same requests could not be cancelled.
    """
    if record is None:
        return
    records = [record]
    if attempt.whole_task and (not attempt.reattach or _asks_other(identity, record)):
        records = yield RecallAll()
    done = {*seen, *attempt.before}
    for one in records:
        if attempt.reattach and not _asks_other(identity, one):
            continue
        if one.job and one.job not in done:
            done.add(one.job)
            step = Cancel(
                one.job,
                only_if=_unwanted(identity, reattach=attempt.reattach),
                is_new=newness(one.intent, clock),
            )
            yield from _cancel_one(identity, attempt, one, step)
        elif not one.job and one.intent and one.place and one.place != attempt.place:
            log.warning(
                "An earlier attempt was about to create a job whose name ends in %s at %s (connection %s), and it is "
                "not known whether it did. If the job exists it is billed; it cannot be looked up from here.",
                one.tag,
                one.place,
                one.conn_id,
            )


def _cancel_one(
    identity: Identity, attempt: Attempt, record: Record, step: Cancel
) -> Generator[Cancel, Any, None]:
    became, trouble = yield from _tried(step)
    elsewhere = record.conn_id not in ("", attempt.conn_id)
    if elsewhere and (became is None or became.outcome is CancelOutcome.GONE):
        became, trouble = yield from _tried(replace(step, conn_id=record.conn_id))
    if trouble is not None and record.tag == identity.tag and isinstance(trouble, CallError):
        raise trouble  # a new job must not run beside this one
    if became is None:
        said = f"it could not be cancelled ({trouble}): if it still runs, it is billed. Cancel it by hand"
    elif became.outcome is CancelOutcome.SPARED:
        said = "its owner is unknown, so it was left alone: if it still runs, it is billed. Cancel it by hand"
    elif became.outcome is CancelOutcome.GONE and attempt.place == "gemini":
        said = (
            "this connection cannot find it. If the API key now belongs to another project, the job "
            "still runs in the old one and is billed: cancel it by hand"
        )
    else:
        _tell(record.job, f"it {became.words}", became)
        return
    _tell(record.job, said)


def _tried(step: Cancel) -> Generator[Cancel, Any, tuple[Cancellation | None, GenAIBatchError | None]]:
    """Cancel; return the error instead of raising it, because the job may belong to another service or account."""
    try:
        return (yield step), None
    except GenAIBatchError as error:
        return None, error


def _became(step: Cancel) -> Generator[Cancel, Any, tuple[Cancellation | CallError, str]]:
    """Cancel, and return the result and a text about it."""
    try:
        became: Cancellation = yield step
    except CallError as error:
        return error, f"it could not be cancelled and is billed as it goes ({error})"
    return became, f"it {became.words}"


def _unwanted(identity: Identity, *, reattach: bool) -> Callable[[BatchJob], bool]:
    """Return a function that tells whether a job belongs to the task instance and is no longer wanted."""
    return lambda job: identity.is_kin(job) and not (reattach and identity.is_family(job))


def _asks_other(identity: Identity, record: Record) -> bool:
    return bool(record.tag) and not identity.is_family_tag(record.tag)


def _tell(name: str, said: str, became: Cancellation | None = None) -> None:
    matters = became is None or became.outcome is CancelOutcome.ASKED
    level = logging.WARNING if matters else logging.INFO
    log.log(level, "Job %s of an earlier attempt is no longer wanted; %s.", name, said)
