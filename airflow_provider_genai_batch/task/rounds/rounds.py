"""The rounds of an attempt: submit, wait, settle, and submit again what has no answer."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from airflow_provider_genai_batch.exceptions import InputError
from airflow_provider_genai_batch.flows.outcome.manifest import describe
from airflow_provider_genai_batch.flows.outcome.settle import AskAgain, Done, Outcome
from airflow_provider_genai_batch.flows.outcome.stray_jobs import Strays
from airflow_provider_genai_batch.flows.watch import Ending, Why
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.jobs.identity import round_of
from airflow_provider_genai_batch.models.jobs.journal import is_journaled
from airflow_provider_genai_batch.models.settings.approval import Approved
from airflow_provider_genai_batch.models.tier import Tier
from airflow_provider_genai_batch.printable import number_of
from airflow_provider_genai_batch.task.attempt_input import AttemptInput
from airflow_provider_genai_batch.task.fallbacks.ways import Ways
from airflow_provider_genai_batch.task.inputs.facts import InputFacts
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.task.pilot.approval import to_ask
from airflow_provider_genai_batch.task.pilot.judge import GoodPilot
from airflow_provider_genai_batch.task.rounds.next_round import NextRound, failure_of
from airflow_provider_genai_batch.task.rounds.online.round import OnlineRound
from airflow_provider_genai_batch.task.rounds.outcome import RoundOutcome, missing, saying_why
from airflow_provider_genai_batch.task.rounds.round import Round
from airflow_provider_genai_batch.task.rounds.start import RoundStart
from airflow_provider_genai_batch.task.rounds.stray_jobs import StrayJobs
from airflow_provider_genai_batch.task.settlement import Settlement
from airflow_provider_genai_batch.task.shared import Shared
from airflow_provider_genai_batch.task.state import AttemptState, Checkpoint
from airflow_provider_genai_batch.task.terms.terms import Terms
from airflow_provider_genai_batch.task.terms.tiers import first_tier

log = logging.getLogger(__name__)


@dataclass
class Rounds:
    """Runs the rounds of one attempt.

    Args:
        shared: objects shared by the attempt.
        terms: the job's parameters, limits and deadline.
        asked: the input.
        settlement: lands rows.
        outcome: decides the outcome of a round.
        next: chooses the requests of each round.
        ways: the fallbacks; None: there are none.
    """

    _shared: Shared
    _terms: Terms
    _input: AttemptInput
    _settlement: Settlement
    _outcome: RoundOutcome
    next: NextRound
    _ways: Ways | None = None

    def run(self, here: RoundStart) -> Done:
        """Run round after round, beginning with this one.

        Raises:
            JobError: one of its subclasses, as the outcome table says.
        """
        while True:
            round_ = self._round(here.state)
            jobs = round_.submit(here)
            if not isinstance(jobs, AskAgain):
                self._note_models(here.state, jobs)
            strays = self._outcome.strays(here.identity, here.facts, here.state)
            left = round_.ending.why is Why.SWITCH
            if isinstance(jobs, AskAgain):
                outcome: Outcome = jobs
            elif not jobs and (instead := self._without_jobs(here, round_.ending)):
                here = instead
                continue
            elif not self._shared.settings.wait:
                return Done(describe(jobs).model_copy(update=self._shared.settler.ledger.known))
            else:
                names = [*here.state.done, *(job.name for job in jobs)]
                checkpoint = Checkpoint(here.state, names, here.facts, here.identity.fingerprint)
                stops = bool(round_.stopped or round_.over)
                settle = partial(self._settlement.settle, prepared=here.whole, stops=stops)
                with saying_why(round_.stopped), missing(here.state, round_.over):
                    if here.piloted is not None:
                        stopped = round_.stopped is not None
                        outcome = self._outcome.judge(
                            round_.ending, checkpoint, asked=here.piloted, stopped=stopped
                        )
                    elif left:
                        outcome = self._outcome.settle_left(
                            round_.ending, checkpoint, here.identity, strays, here.whole
                        )
                    else:
                        outcome = strays.settled(round_.ending, checkpoint, settle)
            if isinstance(outcome, Done):
                return outcome
            further = self.go_on(outcome, here, strays, stalled=round_.ending.stalled)
            if isinstance(further, Done):
                return further
            here = further

    def begin(self, here: RoundStart) -> RoundStart | Done:
        """Choose where the first round begins.

        The existing answers that an earlier attempt used are kept beside the results. If that file is gone, the
        remaining requests may differ from those in its jobs. Then the attempt reattaches to the jobs as they are, and
        submits only requests that have no row afterwards.
        """
        attempt = here.attempt
        if not (attempt.look_first and attempt.reattach and (self._input.found_anew or here.state.pilot)):
            return here
        facts = InputFacts.of(here.whole)
        strays = self._outcome.strays(here.identity, facts, here.state)
        found = strays.look()
        # With a deadline, the rounds find them: another model may have answered them.
        at_once = [] if self._terms.ready else self._outcome.immediate_calls(here.identity, self._terms.order)
        jobs = [*found.jobs, *at_once]
        if not jobs or self._round(here.state).comes_to(jobs, here):
            return here
        if here.state.pilot:
            plain = self._without_pilot(here)
            if self._round(plain.state).comes_to(jobs, plain):
                log.warning("An earlier attempt submitted all requests without a pilot, so there is none.")
                return plain
        # A pilot was judged, and approved, if the requests after it were submitted.
        judged = not here.state.pilot or any(round_of(job.display_name) for job in jobs)
        if not judged or not self._input.found_anew:
            return here
        names = ", ".join(job.name for job in jobs)
        log.warning("%s had other requests of this input than the ones now left; its rows count.", names)
        here.state.pilot = 0
        begun = Checkpoint(here.state, [job.name for job in at_once], facts, here.identity.fingerprint)
        settle = partial(self._settlement.settle, prepared=here.whole)
        outcome = strays.settled(*strays.joined(begun, found), settle)
        if isinstance(outcome, Done):
            return outcome
        return self.go_on(outcome, here, strays)

    def _without_pilot(self, here: RoundStart) -> RoundStart:
        """Return the first round of a task that has no pilot."""
        rest = self._input.rest(here.whole) or here.whole
        tier = first_tier(self._shared.settings, rest.requests)
        return replace(here, prepared=rest, state=replace(here.state, pilot=0, tier=tier.value))

    def go_on(
        self, again: AskAgain, here: RoundStart, strays: StrayJobs, *, stalled: bool = False
    ) -> RoundStart | Done:
        """Choose the next requests; if a job found only in a list already has them, settle with its rows.

        Raises:
            JobError: nothing can be submitted.
        """
        while True:
            further = self._after(here, again, stalled=stalled)
            later, strays.later = strays.later, Strays()
            repeats = further.state.round > here.state.round and later
            if not repeats or self._round(further.state).comes_to(later.jobs, further):
                if isinstance(again, GoodPilot):
                    self._approve(again, here, further)
                level = logging.INFO if here.state.piloting else logging.WARNING
                log.log(level, "%s; %s.", again, further.words)
                return further
            facts = InputFacts.of(here.whole)
            checkpoint = Checkpoint(here.state, [*again.job_names], facts, here.identity.fingerprint)
            settle = partial(self._settlement.settle, prepared=here.whole)
            outcome = strays.settled(*strays.joined(checkpoint, later), settle)
            if isinstance(outcome, Done):
                return outcome
            again = outcome

    def _note_models(self, state: AttemptState, jobs: Sequence[BatchJob]) -> None:
        """Record the model of immediate calls, also across a deferral, because a journal does not name it."""
        self._shared.settler.models.update((job.name, job.model) for job in jobs)
        own = self._terms.order.model
        state.models |= {
            job.name: job.model
            for job in jobs
            if is_journaled(job.name) and job.model is not None and job.model != own
        }

    def _approve(self, pilot: GoodPilot, here: RoundStart, further: RoundStart) -> None:
        """Defer until a person has answered, if the requests after the pilot need an approval; see `to_ask`."""
        task, ledger = self._shared.task, self._shared.settler.ledger
        found = to_ask(
            self._shared.settings,
            pilot,
            further.state,
            here.identity,
            self._terms.ready,
            earlier=task.approved,
            begun=lambda: self._round(further.state).begun(further),
            now=self._shared.client.service_time(),
        )
        if isinstance(found, Approved):
            plan = NextRound.planned(further.state).model_copy(update={"approved": found})
            ledger.plan, further.state.plan = plan, plan.model_dump(mode="json")
        elif found is not None:
            question, asked = found
            facts = InputFacts.of(here.whole)
            checkpoint = Checkpoint(here.state, [*pilot.job_names], facts, here.identity.fingerprint)
            task.ask(question, {**asked.as_json(), "memo": checkpoint.to_event()})

    def _round(self, state: AttemptState) -> Round | OnlineRound:
        if self._ways is not None:
            self._ways.turn_to(state)
            if state.fallback:
                return self._round_of_fallback(self._ways, state)
        tier, shared, terms = Tier(state.tier), self._shared, self._terms
        # A pilot's measurement is no bound for the dearer tier or model that may answer the rest at the deadline.
        measured = state.pilot > 0 and state.round == state.pilot and not state.left_until
        limit = None if measured else terms.limit
        if tier is Tier.BATCH:
            why_next = None if self._ways is None else self._ways.why_next
            return Round(shared, terms.order, limit, why_next, terms.day)
        if terms.ready is None or state.ready is None or not state.left_until:
            return OnlineRound(shared, terms.order, limit and limit.in_tier(tier))
        rungs, limit = terms.ready.rungs(state.ready, self._shared.client.service_time), terms.late_limit
        return OnlineRound(shared, terms.ready.order, limit and limit.in_tier(tier), rungs)

    def _round_of_fallback(self, ways: Ways, state: AttemptState) -> Round | OnlineRound:
        way, tier = ways.of(state.fallback), Tier(state.tier)
        if tier is Tier.BATCH:
            why_next = ways.why_next if ways.has_next(state) else None
            return Round(way.shared, way.order, way.limit, why_next, way.day)
        return OnlineRound(way.shared, way.order, way.limit and way.limit.in_tier(tier), way.rungs())

    def _after(self, here: RoundStart, again: AskAgain, *, stalled: bool) -> RoundStart:
        """Choose what follows a round: the next fallback for stalled jobs, else what `NextRound` says.

        Raises:
            JobError: nothing can be submitted.
        """
        ways, state = self._ways, here.state
        if ways is not None and not state.piloting:
            if why := ways.why_after(state, here.identity, stalled=stalled):
                return self._lead_on(ways, here, why, again)
            short = any(name in state.reattached for name in again.ended_early)
            if ways.has_next(state) and not short and not self._settlement.may_ask_again(state):
                raise failure_of(again)
        return self.next.after(here, again)

    def _lead_on(self, ways: Ways, here: RoundStart, why: str, again: AskAgain | None) -> RoundStart:
        """Return the first round of the next fallback, with the requests without an answer.

        Args:
            ways: the fallbacks.
            here: where the round began.
            why: the reason for the fallback.
            again: how the jobs of the round ended; None: there are none.
        """
        ledger, way = self._shared.settler.ledger, ways.of(here.state.fallback + 1)
        state = here.state.next_fallback(again, ledger.spent, way.tier, ways.conn_id(here.state.fallback))

        def left(whole: PreparedInput) -> PreparedInput | None:
            return self._input.rest(whole) or whole if again is None else self._input.unanswered(whole, again)

        rest = way.rest(here.whole, left)
        if rest is None:
            raise failure_of(again) if again is not None else InputError(why)
        unanswered = number_of(rest.requests, "unanswered request")
        log.warning("Using the fallback %s for %s: %s", way, unanswered, why)
        came_back = state.reached >= state.round or bool(state.reattached)
        attempt = replace(
            here.attempt,
            resumed=False,
            refusals=0,
            look_first=here.attempt.look_first or came_back,
            before=state.before,
        )
        return replace(here, prepared=rest, attempt=attempt, state=state, pilot=None)

    def _without_jobs(self, here: RoundStart, ending: Ending) -> RoundStart | None:
        """Return the round that replaces one for which no job was created; None: there is none."""
        if self._ways is not None and here.state.leads_on:
            return self._lead_on(self._ways, here, here.state.leads_on, None)
        if ending.why is not Why.SWITCH:
            return None
        ready = self._terms.ready
        assert ready is not None  # noqa: S101 - else there would be jobs
        log.warning("No job is created: %s. The requests are sent as immediate calls.", ending.detail)
        state = replace(here.state, tier=ready.tiers[-1].value, left_until=self._shared.client.service_time())
        return replace(here, state=state)
