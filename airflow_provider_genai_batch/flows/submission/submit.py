"""Find or create the one job of a task."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any

from airflow_provider_genai_batch.exceptions import (
    PASSING,
    JobTimedOut,
)
from airflow_provider_genai_batch.flows.record import Record
from airflow_provider_genai_batch.flows.retry import LONGEST_OF_HOURS, RetryClock
from airflow_provider_genai_batch.flows.steps import (
    AwaitCapacity,
    Place,
    Recall,
    SubmitStep,
)
from airflow_provider_genai_batch.flows.submission.attempt import Attempt, Found
from airflow_provider_genai_batch.flows.submission.charge import Charge
from airflow_provider_genai_batch.flows.submission.create import Creation
from airflow_provider_genai_batch.flows.submission.earlier import of_earlier_attempts
from airflow_provider_genai_batch.flows.submission.room import lacking
from airflow_provider_genai_batch.flows.submission.search import Search
from airflow_provider_genai_batch.flows.submission.today import refuse_beyond, withdraw_beyond
from airflow_provider_genai_batch.models.jobs.identity import Identity

log = logging.getLogger(__name__)


def submit(
    identity: Identity,
    display_name: str,
    attempt: Attempt,
    *,
    budget: float,
    clock: Callable[[], float],
    steady: Callable[[], float] | None = None,
) -> Generator[SubmitStep, Any, Found]:
    """Find or create the job of an identity, paying once.

    Args:
        identity: identity of the job: task instance and requests.
        display_name: the job's display name at the service, for errors.
        attempt: what is known beforehand.
        budget: seconds to wait for capacity.
        clock: returns the seconds since the epoch, by the service's clock as far as known: it may jump when the service
            first reports its time.
        steady: returns seconds that never jump; None: `clock` never jumps.

    Raises:
        CreateOutcomeUnknown: the create call may have succeeded, and the service could not be asked.
        JobTimedOut: there was no capacity until the deadline; nothing was created.
        CallError: the look-up or the create was refused for good; nothing was created.
        DailyCostExceeded: the job may cost more than is left of the day; nothing was created, or it was withdrawn.
    """
    search = Search(identity, attempt, clock, steady or clock)
    tries = RetryClock(
        clock,
        deadline=attempt.deadline or None,
        budget=budget,
        failures=attempt.refusals,
        longest=LONGEST_OF_HOURS,
    )
    record: Record | None = yield Recall()
    search.doubt = 0.0 if record is None else record.unclear
    if attempt.look_first and (record is None or not record.tag or record.outdated):
        search.doubt = clock()  # without a store, the outcome of earlier calls is unknown
    if not attempt.resumed and (attempt.look_first or (record is not None and record.tag)):
        found = yield from of_earlier_attempts(search, record)
        if found is not None:
            return found
    yield from _until_there_is_room(search, tries)
    if attempt.charge is not None:
        return (yield from _within_the_day(search, tries, attempt.charge()))
    yield from _place(search, tries)
    return (yield from Creation(search, display_name, tries).run())


def _within_the_day(search: Search, tries: RetryClock, charge: Charge) -> Generator[SubmitStep, Any, Found]:
    """Place and create the job unless the day's limit forbids it."""
    spent = yield from refuse_beyond(charge, search.clock)
    yield from _place(search, tries)
    found = yield from Creation(search, charge.display_name, tries).run()
    if found.reattached:
        return found
    owns, pause = search.identity.owns, search.pauses[0]
    yield from withdraw_beyond(charge, found.job, owns, search.clock, pause)
    return replace(found, spent_today=spent)


def _until_there_is_room(search: Search, tries: RetryClock) -> Generator[SubmitStep, Any, None]:
    """Wait, before anything is uploaded, until the tokens of the job and of unfinished jobs are within the limit."""
    room, since, waited = search.attempt.room, search.attempt.room_since, search.attempt.refusals > 0
    while room is not None:
        full = yield from lacking(room, search.identity)
        if not full:
            since = since or search.clock()
            left = since + room.hold_off - search.clock() if waited else 0.0
            if left <= 0 or search.clock() + left > tries.deadline:
                return
            log.info(
                "There is room for the job. For %.0f s it gives way to others, because of its priority.", left
            )
            yield AwaitCapacity(left, tries.failures, tuple(search.before), tries.deadline, since)
            continue
        since, waited = 0.0, True
        pause = tries.pause()
        if pause is None:
            msg = (
                f"There was no room for the job until the deadline: {full}. Nothing was created for it, and "
                "nothing is billed. The next attempt tries again."
            )
            raise JobTimedOut(msg, job_names=())
        log.info("The job waits before it is uploaded: %s; checking again in %.0f s.", full, pause)
        yield AwaitCapacity(pause, tries.failures, tuple(search.before), tries.deadline)


def _place(search: Search, tries: RetryClock) -> Generator[SubmitStep, Any, None]:
    """Upload or stage the input; temporary errors are retried like those of a create call."""
    while True:
        try:
            yield Place()
        except PASSING as error:
            pause = tries.pause(error)
            if pause is None:
                msg = (
                    f"The input could not be put in place until the deadline ({error}). Nothing was created for "
                    "it, and nothing is billed. The next attempt tries again."
                )
                raise JobTimedOut(msg, job_names=()) from error
            log.warning(
                "The input could not be put in place (%s). Nothing was created for it, and nothing is billed; "
                "trying again in %.0f s.",
                error,
                pause,
            )
            yield AwaitCapacity(pause, tries.failures, tuple(search.before), tries.deadline)
        else:
            return
