"""Cancelling jobs of a task instance that it does not want any more: each is read by its name first."""

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
    """Cancel what goes on beside the job that is kept."""
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
    """Cancel jobs that go on, and name them in a warning: the rows that they were asked for are there.

    Args:
        identity: of the whole input.
        jobs: as they were read by name.
        clock: tells the seconds since the epoch by the service's clock.
    """
    for job in jobs:
        is_new = newness(created_at(job), clock)
        _, said = yield from _became(Cancel(job.name, only_if=identity.is_family, is_new=is_new))
        log.warning("Job %s is no longer needed for the requests of this task; %s.", job.name, said)


def cancel_others(
    identity: Identity, hints: Iterable[BatchJob], clock: Callable[[], float], *, reattach: bool
) -> Generator[Cancel, Any, None]:
    """Cancel what still runs, or may be resumed, of the same task instance and is not asked any more.

    Args:
        identity: what is asked now.
        hints: jobs of the task instance as a list shows them.
        clock: tells the seconds since the epoch by the service's clock.
        reattach: jobs that ask the same are wanted.

    Raises:
        CallError: a job that asks the same, and is not wanted, could not be cancelled.
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
    """Cancel what was written down and is not asked any more, also where no list of this connection shows it.

    Args:
        identity: what is asked now.
        attempt: what is known beforehand.
        record: what was written down of this job, or of another in its place.
        clock: tells the seconds since the epoch by the service's clock.
        seen: jobs that were seen to already.

    Raises:
        CallError: a job that asks the same, and is not wanted, could not be cancelled.
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
        raise trouble  # it stands in the way of another
    if became is None:
        said = f"it could not be cancelled ({trouble}): if it goes on, it is billed. Cancel it by hand"
    elif became.outcome is CancelOutcome.SPARED:
        said = "it does not say whose it is, so it was left alone: if it goes on, it is billed. Cancel it by hand"
    elif became.outcome is CancelOutcome.GONE and attempt.place == "gemini":
        said = (
            "this connection does not know it (any more). If the API key belongs to another project now, the job "
            "goes on in the old one and is billed: cancel it by hand"
        )
    else:
        _tell(record.job, f"it {became.words}", became)
        return
    _tell(record.job, said)


def _tried(step: Cancel) -> Generator[Cancel, Any, tuple[Cancellation | None, GenAIBatchError | None]]:
    """Cancel; a job of another service or account is no reason to stop."""
    try:
        return (yield step), None
    except GenAIBatchError as error:
        return None, error


def _became(step: Cancel) -> Generator[Cancel, Any, tuple[Cancellation | CallError, str]]:
    """Cancel, and return what came of it, with the words for that."""
    try:
        became: Cancellation = yield step
    except CallError as error:
        return error, f"it could not be cancelled and is billed as it goes ({error})"
    return became, f"it {became.words}"


def _unwanted(identity: Identity, *, reattach: bool) -> Callable[[BatchJob], bool]:
    """Return what tells whether a job is the task instance's own, and not asked any more."""
    return lambda job: identity.is_kin(job) and not (reattach and identity.is_family(job))


def _asks_other(identity: Identity, record: Record) -> bool:
    return bool(record.tag) and not identity.is_family_tag(record.tag)


def _tell(name: str, said: str, became: Cancellation | None = None) -> None:
    matters = became is None or became.outcome is CancelOutcome.ASKED
    level = logging.WARNING if matters else logging.INFO
    log.log(level, "Job %s of an earlier attempt is no longer wanted; %s.", name, said)
