"""Find or create: how a task comes to its one job."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Generator, Iterable
from dataclasses import dataclass, replace
from typing import Any

from airflow_provider_genai_batch.exceptions import (
    BEFORE_SENDING,
    CallError,
    CreateOutcomeUnknown,
    JobTimedOut,
    NotFound,
    QuotaExceeded,
    ServerError,
    TransportError,
    UnreadableAnswer,
)
from airflow_provider_genai_batch.flows.backoff import backoff
from airflow_provider_genai_batch.flows.identity import Identity
from airflow_provider_genai_batch.flows.record import Record
from airflow_provider_genai_batch.flows.steps import (
    AwaitCapacity,
    Cancel,
    Create,
    Find,
    Look,
    Place,
    Recall,
    Remember,
    Sleep,
)
from airflow_provider_genai_batch.models import BatchJob, JobState
from airflow_provider_genai_batch.models.cancellation import Cancellation

log = logging.getLogger(__name__)

LOOKS_AFTER_LOSS = (1.0, 2.0, 4.0, 8.0)
"""Seconds before each look for a job whose create gave no usable answer: lists lag."""
STALE = 30.0
"""Seconds after which what a look told, or an intent, does not count any more before a create."""
LONGEST_CREATE = 300.0
"""Seconds after an intent in which its create may yet be acted upon: twice as long as a call may take."""
_UNCLEAR = (TransportError, ServerError, UnreadableAnswer)
_DEAD = (JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED)
"""States of jobs that a new attempt does not take up: they bill nothing more and left nothing to wait for.

One that answered rows is taken up all the same, for they are paid for and may be enough.
"""


@dataclass(frozen=True)
class Attempt:
    """What is known before an attempt to submit."""

    look_first: bool = False
    """An earlier attempt may have created the job."""
    reattach: bool = True
    """Whether a job of an earlier attempt is taken up; else what still runs of them is cancelled."""
    since: float | None = None
    """No job of the task instance is older than this, in seconds since the epoch; None: nobody knows."""
    before: Collection[str] = ()
    """Jobs that are not to be taken up: they turned out to be of no use."""
    mine: Collection[str] = ()
    """Jobs that this attempt came to before it was deferred. They are taken up whatever became of them."""
    refusals: int = 0
    """How often the service had no capacity so far."""
    resumed: bool = False
    """This attempt looked already, some time ago."""
    begun: float | None = None
    """When the attempt began, in seconds since the epoch; None: now."""


@dataclass(frozen=True)
class Found:
    """The job that a task came to."""

    job: BatchJob
    taken_up: bool
    """It is of an earlier attempt."""
    before: Collection[str] = ()
    """Jobs that were there and are of no use."""


def submit(
    identity: Identity, display_name: str, attempt: Attempt, *, deadline: float, clock: Callable[[], float]
) -> Generator[Any, Any, Found]:
    """Come to the job of an identity, paying once.

    Args:
        identity: whose job it is, and what it asks.
        display_name: the identity as the service keeps it, for errors.
        attempt: what is known beforehand.
        deadline: seconds since the epoch until which a refusal for lack of capacity is waited out.
        clock: tells the seconds since the epoch.

    Raises:
        CreateOutcomeUnknown: the create may have been acted upon and the service could not be asked.
        JobTimedOut: there was no capacity until the deadline; nothing was created.
        CallError: the look-up or the create was refused for good; nothing was created.
    """
    # An attempt that stalls may have been given up meanwhile; a first one counts as a look at its begin.
    looked = 0.0 if attempt.resumed else clock() if attempt.begun is None else attempt.begun
    record: Record | None = yield Recall()
    before = set(attempt.before)
    if not attempt.resumed and (attempt.look_first or (record is not None and record.tag)):
        found, looked = yield from _of_earlier_attempts(identity, attempt, record, before, clock)
        if found is not None:
            return found
    yield Place()
    return (yield from _create(identity, display_name, attempt, before, looked, deadline, clock))


def orphan(
    identity: Identity, intent: float | None, clock: Callable[[], float]
) -> Generator[Any, Any, BatchJob | None]:
    """Find the job of a create call whose sender died before it knew of the answer.

    Args:
        identity: whose job it is.
        intent: when the call was about to be sent, in seconds since the epoch; None: nobody knows.
        clock: tells the seconds since the epoch.

    Raises:
        CallError: the look-up was refused, or got no answer.
    """
    record = None if intent is None else Record(identity.tag, intent)
    jobs, _ = yield from _listed(identity, Attempt(since=intent), record, (), clock)
    return usable(job for job in _own(identity, jobs, ()) if job.state is not JobState.FAILED)


def usable(jobs: Iterable[BatchJob]) -> BatchJob | None:
    """Choose the job to go on with: one that still moves before one that ended with rows; None for neither."""
    alive = [job for job in jobs if job.state not in _DEAD or job.counts.succeeded]
    return next((job for job in alive if not job.done), alive[0] if alive else None)


def _own(identity: Identity, jobs: Iterable[BatchJob], before: Collection[str]) -> list[BatchJob]:
    return [job for job in jobs if job.name not in before and identity.owns(job)]


def _of_earlier_attempts(
    identity: Identity,
    attempt: Attempt,
    record: Record | None,
    before: set[str],
    clock: Callable[[], float],
) -> Generator[Any, Any, tuple[Found | None, float]]:
    """Take up the job of an earlier attempt, or tell when it was looked for. Those of no use go into `before`."""
    if attempt.reattach and record is not None and record.tag == identity.tag and record.job not in before:
        found = _take_up((yield from _recorded(record)), attempt)
        if found is not None:
            return found, 0.0
    jobs, looked = yield from _listed(identity, attempt, record, before, clock)
    yield from _supersede(identity, attempt, jobs)
    own = _own(identity, jobs, before)
    before.update(job.name for job in (own if attempt.reattach else jobs))
    return (_take_up(own, attempt) if attempt.reattach else None), looked


def _choose(jobs: Iterable[BatchJob], attempt: Attempt) -> BatchJob | None:
    jobs = [*jobs]
    return next((job for job in jobs if job.name in attempt.mine), None) or usable(jobs)


def _take_up(jobs: Iterable[BatchJob], attempt: Attempt) -> Found | None:
    job = _choose(jobs, attempt)
    if job is None:
        return None
    if job.name in attempt.mine:
        return Found(job, taken_up=False)
    log.info("Found job %s of an earlier attempt (%s); nothing is submitted.", job.name, job.state.value)
    return Found(job, taken_up=True)


def _recorded(record: Record) -> Generator[Any, Any, list[BatchJob]]:
    """Look at the job that was written down, if one was."""
    if not record.job:
        return []
    try:
        return [(yield Look(record.job))]
    except NotFound:
        return []


def _listed(
    identity: Identity,
    attempt: Attempt,
    record: Record | None,
    before: Collection[str],
    clock: Callable[[], float],
) -> Generator[Any, Any, tuple[list[BatchJob], float]]:
    """Look more than once: lists lag, and the earlier attempt may have died a moment ago."""
    looked = clock()
    jobs: list[BatchJob] = yield Find(attempt.since)
    for pause in LOOKS_AFTER_LOSS if _may_be_fresh(identity, record, clock()) else ():
        if attempt.reattach and _choose(_own(identity, jobs, before), attempt):
            break
        yield Sleep(pause)
        looked = clock()
        jobs = yield Find(attempt.since)
    return jobs, looked


def _may_be_fresh(identity: Identity, record: Record | None, now: float) -> bool:
    """Whether there may be a job that lists do not show yet.

    What was written down may have been cleared, so only a record of this very job says that its create was refused, or
    sent long ago.
    """
    if record is None or record.tag != identity.tag or record.outdated:
        return True
    return record.intent + STALE + LONGEST_CREATE + sum(LOOKS_AFTER_LOSS) > now


def _supersede(identity: Identity, attempt: Attempt, jobs: Iterable[BatchJob]) -> Generator[Any, Any, None]:
    """Cancel what still runs, or may be resumed, of the same task instance and is not asked any more."""
    for job in jobs:
        own = identity.owns(job)
        over = job.state.final or job.state is JobState.CANCELLING
        if over or (attempt.reattach and identity.is_family(job)):
            continue
        try:
            became: Cancellation = yield Cancel(job.name, only_if=identity.is_kin)
            said = f"it {became.words}"
        except CallError as error:
            if own:
                raise
            said = f"it could not be cancelled and is billed as it goes ({error})"
        log.warning("Job %s of an earlier attempt is not wanted any more; %s.", job.name, said)


def _create(
    identity: Identity,
    display_name: str,
    attempt: Attempt,
    before: set[str],
    looked: float,
    deadline: float,
    clock: Callable[[], float],
) -> Generator[Any, Any, Found]:
    """Create, with the intent written down before and the job after."""
    refusals = attempt.refusals
    while True:
        intent, looked = yield from _announced(identity, attempt, before, looked, clock)
        if isinstance(intent, Found):
            return intent
        refusals += 1
        try:
            job: BatchJob = yield Create()
            log.info("Created job %s.", job.name)
        except QuotaExceeded as error:
            yield Remember(Record(identity.tag))  # refused: there is no job to look for
            pause = backoff(refusals, error.retry_after, longest=300.0)
            if clock() + pause > deadline:
                msg = (
                    f"The service had no capacity for the job until the deadline ({error}). Nothing was created for "
                    "it, and nothing is billed. The next attempt asks again."
                )
                raise JobTimedOut(msg, job_names=()) from error
            log.warning("The service has no capacity now (%s); asking again in %.0f s.", error, pause)
            yield AwaitCapacity(pause, refusals, tuple(before))
            continue
        except _UNCLEAR as error:
            sent = error.method not in BEFORE_SENDING
            found = (yield from _after_loss(identity, display_name, error, before, intent)) if sent else None
            if found is None:
                pause = backoff(refusals)
                if clock() + pause > deadline:
                    if not sent:
                        raise
                    raise CreateOutcomeUnknown(display_name, str(error)) from error
                log.warning(
                    "No job was created as far as can be seen (%s); trying again in %.0f s.", error, pause
                )
                yield Sleep(pause)
                continue
            job = found
        yield Remember(Record(identity.tag, intent.intent, job.name))
        return Found(job, taken_up=False, before=tuple(before))


def _announced(
    identity: Identity, attempt: Attempt, before: set[str], looked: float, clock: Callable[[], float]
) -> Generator[Any, Any, tuple[Found | Record, float]]:
    """Write down that a create call follows, upon a fresh look; or come to the job of another attempt.

    Whoever took long to get here may have been given up, and another attempt may be at work. And who reads an old note
    takes the create for one that was sent long ago: where to write takes long, the next note allows for it. Where
    nothing can be written, nobody says that this attempt is still the task's own, so the service is looked at instead.

    Returns:
        The note or the job, and when was looked.
    """
    took = 0.0
    for last in (False, False, True):
        if clock() - looked > STALE:
            looked = clock()
            if (other := (yield from _looked(identity, attempt, before))) is not None:
                return other, looked
        begun = clock()
        intent = Record(identity.tag, begun + took)
        kept = yield Remember(intent)
        took = clock() - begun
        if took <= STALE and kept is not False:
            break
        if last or kept is False:
            looked = clock()
            if (other := (yield from _looked(identity, attempt, before))) is not None:
                return other, looked
            break
    return replace(intent, intent=begun), looked


def _looked(identity: Identity, attempt: Attempt, before: set[str]) -> Generator[Any, Any, Found | None]:
    """Look for the job of another attempt. Those of no use go into `before`."""
    own = _own(identity, (yield Find(attempt.since)), before)
    before.update(job.name for job in own)
    return _take_up(own, attempt)


def _after_loss(
    identity: Identity, display_name: str, cause: CallError, before: Collection[str], intent: Record
) -> Generator[Any, Any, BatchJob | None]:
    """Look more than once for a job that was not there `before`. "I could not look" is never "it is not there"."""
    log.warning("The create call gave no usable answer (%s); looking for the job.", cause)
    blind: CallError | None = None
    for pause in LOOKS_AFTER_LOSS:
        yield Sleep(pause)
        try:
            jobs: list[BatchJob] = yield Find(intent.intent)
        except CallError as error:
            blind = error
            continue
        blind = None
        new = _own(identity, jobs, before)
        if new:
            job = usable(new) or new[0]
            log.info("Found job %s: the create had arrived.", job.name)
            return job
    if blind is not None:
        raise CreateOutcomeUnknown(display_name, f"{cause}; then {blind}") from blind
    return None
