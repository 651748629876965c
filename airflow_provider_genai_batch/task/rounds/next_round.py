"""The requests of each round: the input or its pilot first, and then the requests without an answer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_provider_genai_batch.exceptions import (
    JobCancelled,
    JobError,
)
from airflow_provider_genai_batch.flows.outcome.settle import AskAgain
from airflow_provider_genai_batch.models.settings.pilot import Pilot
from airflow_provider_genai_batch.models.tier import Tier
from airflow_provider_genai_batch.task.attempt_input import AttemptInput
from airflow_provider_genai_batch.task.cost.plan import read_plan
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.task.inputs.subset import subset
from airflow_provider_genai_batch.task.landing.usage_ledger import UsageLedger
from airflow_provider_genai_batch.task.pilot.sample import others_of, pilot_of
from airflow_provider_genai_batch.task.ready.plan import ReadyPlan
from airflow_provider_genai_batch.task.settings.settings import RunSettings
from airflow_provider_genai_batch.task.state import AttemptState
from airflow_provider_genai_batch.task.terms.tiers import first_tier, later_tier

if TYPE_CHECKING:
    from airflow_provider_genai_batch.models import Plan

from airflow_provider_genai_batch.task.rounds.start import RoundStart

log = logging.getLogger(__name__)


@dataclass
class NextRound:
    """Chooses the requests of each round.

    Args:
        settings: the task's settings.
        asked: the input.
        ledger: knows what was spent.
        ready: how to keep the deadline of the rows; None: they have none.
    """

    _settings: RunSettings
    _input: AttemptInput
    _ledger: UsageLedger
    _ready: ReadyPlan | None

    def first(self, prepared: PreparedInput, state: AttemptState) -> PreparedInput:
        """Return the requests of the first round: the pilot, if there is one and the input is larger."""
        pilot, requests = Pilot.of(self._settings.pilot), prepared.requests
        if pilot is None:
            return prepared
        if requests is None:
            return pilot_of(prepared, 0)  # raises the refusal
        if pilot.size(requests) >= requests:
            log.info("The input is no larger than the pilot, so there is none.")
            return prepared
        state.pilot, state.tier = 1, pilot.tier
        return pilot_of(prepared, pilot.size(requests))

    def after(self, here: RoundStart, again: AskAgain) -> RoundStart:
        """Choose the requests of the next round: those without an answer, or all if these are unknown.

        Args:
            here: the beginning of the round before.
            again: how its jobs ended.

        Raises:
            JobError: nothing can be submitted.
        """
        prepared, ready = here.whole, self._ready
        state, spent, pilot = here.state, self._ledger.spent, Pilot.of(self._settings.pilot)
        whole: PreparedInput | None = None
        if state.piloting and pilot is not None and again.ended_early:
            whole, rest = self._left_of_pilot(again, prepared, pilot)
            state = replace(state, pilot=state.pilot + 1)
        elif state.piloting and pilot is not None:
            rest = self._part(others_of, prepared, pilot)
        else:
            rest = self._input.unanswered(prepared, again)
        attempt = replace(here.attempt, resumed=False, refusals=0)
        if rest is not None:
            has_jobs = state.reached > state.round  # the next round, from before a deferral
            attempt = replace(
                attempt,
                look_first=attempt.look_first or has_jobs or bool(state.reattached),
                reattach=True,
                before=state.before,
            )
            if whole is not None:
                tier = Tier(state.tier)
            elif state.piloting:
                tier = first_tier(self._settings, self.planned(state).requests)
            else:
                tier = later_tier(self._settings, Tier(state.tier))
            if ready is not None and state.left_until:
                tier = ready.tiers[-1]
            later = state.next_round(again, spent, tier)
            if state.left_until and {*again.job_names} <= {*state.done}:
                later.round = (
                    state.round
                )  # none of its jobs counts, so a retry begins no further round either
            return replace(here, prepared=rest, attempt=attempt, state=later, pilot=whole)
        if not again.ended_early:
            raise failure_of(again)
        state = state.first_round_again(again, spent)
        if ready is not None and state.left_until:
            state.tier = ready.tiers[-1].value
        return replace(
            here,
            prepared=self._input.rest(prepared) or prepared,
            attempt=replace(attempt, look_first=True, before=state.before),
            state=state,
            pilot=None,
        )

    def _left_of_pilot(
        self, again: AskAgain, prepared: PreparedInput, pilot: Pilot
    ) -> tuple[PreparedInput, PreparedInput | None]:
        """Return a pilot whose jobs ended early, and its requests without an answer.

        Raises:
            JobError: these are unknown.
        """
        whole = self._part(pilot_of, prepared, pilot)
        if whole.table is not None:
            return whole, whole.going_on(again.tables, again.left) if again.tables else whole
        if again.tally is None:
            raise failure_of(again)
        return whole, subset(whole, again.tally.unanswered)

    def _part(
        self, part: Callable[[PreparedInput, int], PreparedInput], prepared: PreparedInput, pilot: Pilot
    ) -> PreparedInput:
        """Return the pilot of an input, or the requests after it."""
        rest = self._input.rest(prepared) or prepared
        return part(rest, pilot.size(rest.requests or 0))

    @staticmethod
    def planned(state: AttemptState) -> Plan:
        """Return the plan of an attempt that has a pilot."""
        plan = read_plan(state.plan)
        assert plan is not None  # noqa: S101 - what can be sampled can be planned
        return plan


def failure_of(again: AskAgain) -> JobError:
    """Return the error of a task whose jobs left unanswered requests that cannot be submitted."""
    return again.failure or JobCancelled(str(again), job_names=again.job_names)
