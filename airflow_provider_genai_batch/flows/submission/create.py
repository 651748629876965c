"""The create call: its intent is recorded first, and it is never repeated on a guess."""

from __future__ import annotations

import logging
from collections.abc import Generator
from dataclasses import replace
from typing import Any

from airflow_provider_genai_batch.exceptions import (
    BEFORE_SENDING,
    BeingSetUp,
    CallError,
    CreateOutcomeUnknown,
    JobTimedOut,
    QuotaExceeded,
    ServerError,
    TransportError,
    UnreadableAnswer,
)
from airflow_provider_genai_batch.flows.record import Record
from airflow_provider_genai_batch.flows.retry import LONGEST, RetryClock
from airflow_provider_genai_batch.flows.steps import (
    AwaitCapacity,
    Create,
    ListLive,
    Remember,
    Sleep,
    SubmitStep,
)
from airflow_provider_genai_batch.flows.submission.attempt import Found
from airflow_provider_genai_batch.flows.submission.earlier import note_job, reattached
from airflow_provider_genai_batch.flows.submission.own_jobs import (
    Choice,
    choose,
    created_at,
)
from airflow_provider_genai_batch.flows.submission.room import others_of, why_refused
from airflow_provider_genai_batch.flows.submission.search import STALE, Search
from airflow_provider_genai_batch.flows.submission.withdraw import (
    cancel_twins,
)
from airflow_provider_genai_batch.models import BatchJob

log = logging.getLogger(__name__)

_LASTING = 4
"""Refusals in a row after which the list is read: shorter shortages end by themselves."""
_UNCLEAR = (TransportError, ServerError, UnreadableAnswer)


class Creation:
    """Creates a job that does not exist yet.

    Args:
        search: the search that found no job.
        display_name: the job's display name at the service, for errors.
        tries: the clock of all tries to submit the job.
    """

    def __init__(self, search: Search, display_name: str, tries: RetryClock) -> None:
        self._search, self._display_name, self._tries = search, display_name, tries
        self._sent = 0.0
        """When the last create call was about to be sent, in steady seconds."""

    def run(self) -> Generator[SubmitStep, Any, Found]:
        """Create the job; record the intent before the call and the job after it."""
        while True:
            intent = yield from self._announce()
            if isinstance(intent, Found):
                return intent
            self._sent = self._search.steady()
            try:
                job: BatchJob = yield Create()
                log.info("Created job %s.", job.name)
            except (QuotaExceeded, BeingSetUp) as error:
                why = "had no capacity" if isinstance(error, QuotaExceeded) else "was not set up"
                # The call was refused, so there is no job to look for.
                yield Remember(Record(self._search.identity.tag, doubt=self._search.doubt))
                pause = self._tries.pause(error)
                if pause is None:
                    msg = (
                        f"The service {why} for the job until the deadline ({error}). Nothing was created "
                        "for it, and nothing is billed. The next attempt tries again."
                    )
                    raise JobTimedOut(msg, job_names=()) from error
                log.warning("The service %s for the job (%s); trying again in %.0f s.", why, error, pause)
                yield from self._explain(error)
                yield AwaitCapacity(
                    pause, self._tries.failures, tuple(self._search.before), self._tries.deadline
                )
                continue
            except _UNCLEAR as error:
                self._tries.begin()
                sent = error.method not in BEFORE_SENDING
                found = (yield from self._after_loss(error, intent)) if sent else None
                if found is None:
                    pause = self._tries.pause(longest=LONGEST)
                    if pause is None:
                        if not sent:
                            raise
                        raise CreateOutcomeUnknown(self._display_name, str(error)) from error
                    log.warning("No job was found (%s); trying again in %.0f s.", error, pause)
                    if sent:
                        self._search.doubt = max(self._search.doubt, intent.intent)
                    yield Sleep(pause)
                    continue
                job = found
            return (yield from self._created(job, intent))

    def _explain(self, error: CallError) -> Generator[SubmitStep, Any, None]:
        """Log once what a refusal does not say: whose jobs may be in the way."""
        attempt = self._search.attempt
        if not isinstance(error, QuotaExceeded) or self._tries.failures != _LASTING or not attempt.model:
            return
        listed: list[BatchJob] | None = yield ListLive()
        if listed is not None:
            others = others_of(listed, attempt.model, self._search.identity)
            log.warning("The refusal gives no reason; %s.", why_refused(others, attempt.model))

    def _created(self, job: BatchJob, intent: Record) -> Generator[SubmitStep, Any, Found]:
        """Record the job; if another create call may have succeeded too, look for its job."""
        created = created_at(job) or intent.intent
        note = Record(self._search.identity.tag, created, job.name, doubt=self._search.doubt)
        yield Remember(note)
        choice = (yield from self._beside_others(job)) if self._search.doubt else Choice(job)
        kept = choice.kept or job
        if kept.name != job.name:
            yield from note_job(self._search, note, kept)
        return Found(kept, kept.name != job.name, tuple(self._search.before), choice.twins)

    def _announce(self) -> Generator[SubmitStep, Any, Found | Record]:
        """Look again, then record that a create call follows; or return the job of another attempt.

        An attempt that took long to get here may have been given up on, and another one may be at work. A reader of an
        old record assumes that the create call was sent long ago, so if writing takes long, the record is written again
        with a new time. If nothing can be written, nothing confirms that this attempt is still the task's current one,
        so the service is asked for jobs instead.
        """
        search, took = self._search, 0.0
        for last in (False, False, True):
            if search.steady() - search.looked > STALE and (other := (yield from self._looked())) is not None:
                return other
            begun, began = search.clock(), search.steady()
            intent = Record(search.identity.tag, begun + took, doubt=search.doubt)
            kept = yield Remember(intent)
            took = search.steady() - began
            if took <= STALE and kept is not False:
                break
            if last or kept is False:
                if (other := (yield from self._looked())) is not None:
                    return other
                break
        return replace(intent, intent=begun)

    def _looked(self) -> Generator[SubmitStep, Any, Found | None]:
        """Look for the job of another attempt. Useless ones go into `before`."""
        search = self._search
        choice = choose((yield from search.look(search.attempt.since)), search.attempt.mine)
        if choice.kept is not None:
            yield from cancel_twins(search.identity, choice)
            return reattached(search, choice)
        search.before.update(job.name for job in search.hints if search.identity.owns(job))
        return None

    def _after_loss(self, cause: CallError, intent: Record) -> Generator[SubmitStep, Any, BatchJob | None]:
        """Look several times for a job that is not in `before`. A failed look never counts as "no job exists"."""
        log.warning("The create call gave no usable answer (%s); looking for the job.", cause)
        blind: CallError | None = None
        for pause in self._search.pauses:
            yield Sleep(pause)
            try:
                new = yield from self._search.look(intent.intent, sent=self._sent)
            except CallError as error:
                blind = error
                continue
            blind = None
            if new:
                choice = choose(new)
                yield from cancel_twins(self._search.identity, choice)
                job = choice.kept or new[0]
                log.info("Found job %s: the create call had arrived.", job.name)
                return job
        if blind is not None:
            raise CreateOutcomeUnknown(self._display_name, f"{cause}; then {blind}") from blind
        return None

    def _beside_others(self, job: BatchJob) -> Generator[SubmitStep, Any, Choice]:
        """Look for a twin of the job that was just created, made by a create call whose reply was lost."""
        for pause in self._search.pauses:
            yield Sleep(pause)
            try:
                others = yield from self._search.look(self._search.attempt.since, besides=job.name)
                if not others:
                    continue
                choice = choose([(yield from self._search.read(job)) or job, *others])
                yield from cancel_twins(self._search.identity, choice)
            except CallError as error:
                log.warning("Could not check whether job %s has a twin: %s", job.name, error)
            else:
                return choice
        return Choice(job)
