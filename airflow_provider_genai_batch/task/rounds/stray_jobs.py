"""Stray jobs of an attempt: counts their rows, waits for them, or cancels them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from airflow_provider_genai_batch.exceptions import JobTimedOut, OutputNotReadable
from airflow_provider_genai_batch.flows.outcome.settle import TOO_FEW_ROWS, AskAgain, Outcome
from airflow_provider_genai_batch.flows.outcome.stray_jobs import Strays
from airflow_provider_genai_batch.flows.submission.own_jobs import created_at
from airflow_provider_genai_batch.flows.watch import Ending, Why
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.jobs.identity import Identity, round_of
from airflow_provider_genai_batch.task.inputs.facts import InputFacts
from airflow_provider_genai_batch.task.shared import Shared
from airflow_provider_genai_batch.task.state import AttemptState, Checkpoint

log = logging.getLogger(__name__)


class Settle(Protocol):
    """Lands the rows of ended jobs, and decides the outcome."""

    def __call__(
        self, ending: Ending, checkpoint: Checkpoint, event: Mapping[str, Any] | None = None, /
    ) -> Outcome:
        """Settle; `event` is the event of the trigger that reported the end, if any."""
        ...


class StrayJobs:
    """Settles with jobs that are found only in a list.

    Args:
        shared: objects shared by the attempt.
        identity: identity of the whole input; None: unknown, so no jobs are looked for.
        facts: facts about the whole input.
        state: what the attempt has done so far; it is updated.
        wait: takes the running jobs and all jobs of the round, and waits, in place or by a deferral.

    Attributes:
        later: stray jobs of rounds that the attempt has not reached, as seen when rows last failed.
    """

    def __init__(
        self,
        shared: Shared,
        identity: Identity | None,
        facts: InputFacts,
        state: AttemptState,
        wait: Callable[[Sequence[BatchJob], Sequence[BatchJob]], Ending],
    ) -> None:
        self._settings, self._task, self._wait = shared.settings, shared.task, wait
        self._finder, self._ledger = shared.finder, shared.settler.ledger
        self._identity, self._facts, self._state = identity, facts, state
        self.later = Strays()

    def settled(
        self, ending: Ending, checkpoint: Checkpoint, settle: Settle, event: Mapping[str, Any] | None = None
    ) -> Outcome:
        """Settle; if rows failed, or an earlier attempt was at work, settle again with the rows of stray jobs.

        Args:
            ending: how the wait for the jobs ended.
            checkpoint: the state of the attempt.
            settle: settles once.
            event: the event of the trigger that reported the end, if any.

        Raises:
            JobError: one of its subclasses, as the outcome table says.
        """
        while True:
            try:
                outcome = settle(ending, checkpoint, event)
            except OutputNotReadable as error:
                return self._without(ending, checkpoint, settle, error)
            except JobTimedOut:
                if self._settings.on_timeout == "cancel":
                    self._cancel(self._look(checkpoint.jobs))
                raise
            except TOO_FEW_ROWS as error:
                strays, said = self._look(checkpoint.jobs).only(self._facts.joins), str(error)
                if not strays:
                    raise
            else:
                strays, said = self._beside(outcome, checkpoint), str(outcome)
                if not strays:
                    return outcome
            log.warning("%s; counting on other jobs with the same requests.", said)
            (ending, checkpoint), event = self.joined(checkpoint, strays), None

    def look(self) -> Strays:
        """Look for jobs of an earlier attempt if none is known."""
        # For rows kept in a BigQuery table, one statement lands the answers of all jobs.
        return self._look(()) if self._facts.snapshot else self._look(()).only(self._facts.joins)

    def joined(self, checkpoint: Checkpoint, strays: Strays) -> tuple[Ending, Checkpoint]:
        """Wait for stray jobs that still run, and return the common ending."""
        state, known = self._state, self._ledger.at_hand
        for job in strays.jobs:  # in a first attempt they come from its own create call
            state.join(job, reattached=not self._task.is_first_try)
        state.forgive([*known, *strays.ended])
        ending = Ending(Why.ENDED)
        if strays.going:
            names = ", ".join(job.name for job in strays.going)
            log.warning("Waiting for %s: it has requests without a good row.", names)
            of_round = [job for job in known if job.name not in state.done]
            ending = self._wait(strays.going, [*of_round, *strays.jobs])
        jobs = [*checkpoint.jobs, *(job.name for job in strays.jobs)]
        return ending, replace(checkpoint, state=state, jobs=jobs)

    # ------------------------------------------------------------

    def _beside(self, outcome: Outcome, checkpoint: Checkpoint) -> Strays:
        """Return the stray jobs that may have missing rows; cancel others that still run."""
        if isinstance(outcome, AskAgain):
            return self._of_this_round(checkpoint)
        if outcome.whole and self._task.is_first_try:
            return Strays()  # nobody else was at work
        found = self._look(checkpoint.jobs)
        ended = Strays(found.ended).only(self._facts.joins)
        if outcome.whole or not ended:
            self._cancel(found)
            return Strays()
        return ended

    def _of_this_round(self, checkpoint: Checkpoint) -> Strays:
        """Return the stray jobs of the rounds so far; keep those of later rounds as `later`."""
        found = self._look(checkpoint.jobs).only(self._facts.joins)
        self.later = found.only(self._is_later)
        return found.only(lambda job: not self._is_later(job))

    def _is_later(self, job: BatchJob) -> bool:
        return round_of(job.display_name) > self._state.round

    def _look(self, names: Collection[str]) -> Strays:
        if self._identity is None:
            return Strays()
        known = {*names, *self._state.before}
        strays = self._finder.find_strays(
            self._identity, self._ledger.at_hand, known, self._task.owner.run_begin
        )
        if self._settings.reattach:
            return strays
        times = [at for job in self._ledger.at_hand if (at := created_at(job)) is not None]
        own = min(times, default=float("inf"))  # older jobs were not to be reattached
        return strays.only(lambda job: (created_at(job) or 0.0) >= own)

    def _cancel(self, strays: Strays) -> None:
        if self._identity is not None and strays.going:
            self._finder.cancel_strays(self._identity, strays)

    def _without(
        self, ending: Ending, checkpoint: Checkpoint, settle: Settle, error: OutputNotReadable
    ) -> Outcome:
        """Settle without stray jobs whose rows cannot be read, so that a task with enough rows does not fail."""
        jobs = [name for name in checkpoint.jobs if name not in self._state.strays]
        if not jobs or len(jobs) == len(checkpoint.jobs):
            raise error
        try:
            outcome = settle(ending, replace(checkpoint, jobs=jobs))
        except (OutputNotReadable, *TOO_FEW_ROWS):
            raise error from None
        if isinstance(outcome, AskAgain):
            raise error
        log.warning("%s The task has enough rows without them.", error)
        return outcome
