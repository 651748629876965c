"""One attempt of a task: ask, wait, settle, and ask failed rows again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.exceptions import (
    InputError,
    JobCancelled,
    JobError,
    OnlineStopped,
    TooManyFailedRows,
)
from airflow_provider_genai_batch.flows.outcome.manifest import describe
from airflow_provider_genai_batch.flows.outcome.settle import TOO_FEW_ROWS, AskAgain, Done, Outcome
from airflow_provider_genai_batch.flows.outcome.stray_jobs import Strays
from airflow_provider_genai_batch.flows.submission.attempt import Attempt
from airflow_provider_genai_batch.flows.watch import Ending, Why
from airflow_provider_genai_batch.models.identity import Identity
from airflow_provider_genai_batch.models.journal import at_the_service
from airflow_provider_genai_batch.models.pilot import Pilot
from airflow_provider_genai_batch.models.tier import Tier
from airflow_provider_genai_batch.task.attempt_input import AttemptInput
from airflow_provider_genai_batch.task.cost.limit import cost_limit
from airflow_provider_genai_batch.task.cost.plan import cannot_plan, make_plan, planned_manifest, read_plan
from airflow_provider_genai_batch.task.files.files import check_place
from airflow_provider_genai_batch.task.files.overlap import refuse_media_overlap, refuse_overlap
from airflow_provider_genai_batch.task.inputs.facts import InputFacts
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.task.inputs.subset import subset
from airflow_provider_genai_batch.task.landing.media import check_media_place
from airflow_provider_genai_batch.task.online.round import OnlineRound
from airflow_provider_genai_batch.task.pilot.judge import judge
from airflow_provider_genai_batch.task.pilot.sample import others_of, pilot_of
from airflow_provider_genai_batch.task.port import TaskPort
from airflow_provider_genai_batch.task.ready.leave import Leaving, missed, never_ended
from airflow_provider_genai_batch.task.ready.plan import ReadyPlan
from airflow_provider_genai_batch.task.round import Round
from airflow_provider_genai_batch.task.row_checks import refuse_checks
from airflow_provider_genai_batch.task.runner import JobRunner
from airflow_provider_genai_batch.task.settings import RunSettings
from airflow_provider_genai_batch.task.settlement import Settlement
from airflow_provider_genai_batch.task.state import AttemptState, Checkpoint
from airflow_provider_genai_batch.task.stray_jobs import StrayJobs
from airflow_provider_genai_batch.task.tiers import check_tiers, first_tier, later_tier
from airflow_provider_genai_batch.task.waiting import Waiting

if TYPE_CHECKING:
    from airflow_provider_genai_batch.models import BatchJob, Plan
    from airflow_provider_genai_batch.task.cost.limit import CostLimit
    from airflow_provider_genai_batch.task.order import Order

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Ask:
    """What is asked for, and what it may cost."""

    order: Order
    limit: CostLimit | None
    ready: ReadyPlan | None
    """How the deadline of the rows is kept; None: they have none."""
    late_limit: CostLimit | None
    """The limit by the prices of the model that is asked at the deadline."""


@dataclass(frozen=True)
class _Next:
    """Where a round begins."""

    attempt: Attempt
    prepared: PreparedInput
    """What it asks."""
    state: AttemptState
    pilot: PreparedInput | None = None
    """The whole pilot, where the round asks what is left of it."""

    @property
    def words(self) -> str:
        """What is done, for the log."""
        if Tier(self.state.tier).at_once:
            return f"asking {self.prepared.requests} requests at once"
        if not self.state.round:
            return "submitting a new job"
        rest = self.prepared.requests
        if self.state.round == self.state.pilot:
            return f"asking the other {rest} requests"
        if not rest:
            return "asking the failed rows again, continuing from its table"
        return f"asking {rest} request{'' if rest == 1 else 's'} again"


class TaskAttempt:
    """One attempt, or the part of it before or after a deferral.

    Args:
        settings: what is wanted.
        task: the task instance, as far as an attempt sees it.
        client: of the task's connection.
    """

    def __init__(self, settings: RunSettings, task: TaskPort, client: GenAIBatchClient) -> None:
        self._settings, self._task, self._client = settings, task, client
        self._runner = JobRunner(client, task.open_client, settings.model)
        self._runner.ledger.versions = settings.versions
        self._leaving = Leaving(settings, task, client, self._runner)
        self._input = AttemptInput(settings, task, client)
        self._settlement = Settlement(settings, task, client, self._runner, self._input)

    def run(
        self,
        attempt: Attempt,
        before: AttemptState | None = None,
        fingerprint: str | None = None,
        snapshot: str | None = None,
    ) -> dict[str, Any]:
        """Submit, wait and settle, round after round.

        Args:
            attempt: what is known beforehand.
            before: state saved at the last deferral; rounds are replayed from the first, finding their jobs again.
            fingerprint: of the whole input, if this attempt has jobs of it already.
            snapshot: the table in which this attempt has kept the rows of a table in BigQuery.

        Returns:
            The manifest as JSON.

        Raises:
            InputError: the input is another than that of the jobs that are there.
        """
        settings = self._settings
        ask = self._ask()  # a limit that cannot be checked is refused before all else
        if ask.ready is not None and self._task.is_first_try and before is None:
            ask.ready.refuse_past(self._client.service_time())
        if settings.results_uri is not None:
            refuse_overlap(ask.order.source, settings.results_uri)
            self._task.check_mapped_results()
            check_place(settings.results_uri, self._client)
        if settings.media_uri is not None:
            refuse_media_overlap(ask.order.source, settings.results_uri, settings.media_uri)
            check_media_place(settings.media_uri, self._client)
        state = AttemptState()
        if before is not None:
            attempt = replace(attempt, before=before.before, mine=before.mine)
            state = before.resumed()
            self._task.waiting_for = at_the_service(before.mine)
            self._task.stop_if_over()

        kept = Checkpoint(state, facts=InputFacts(snapshot=snapshot), fingerprint=fingerprint)
        with (
            self._task.metrics(self._runner.ledger),
            self._input.read(ask.order, attempt, kept, snapshot) as (prepared, identity),
        ):
            if fingerprint not in (None, identity.fingerprint):
                # Submitting the changed input would bill it in full, once per deferral during which it changes.
                msg = (
                    "The input has changed since this attempt submitted jobs of it, so no others are submitted. "
                    "Those jobs go on and are billed. The next attempt asks the input as it is then: make sure that "
                    "it does not change while the task waits."
                )
                raise InputError(msg)
            refuse_checks(self._settings, ask.order, typed=prepared.asks_for_type)
            rest = self._input.rest(prepared)
            plan = self._plan(ask, rest, state)
            if self._settings.plan_only and plan is not None:
                planned = planned_manifest(ask.order).model_copy(update=self._runner.ledger.known)
                return planned.model_dump(mode="json")
            if rest is None:
                done = self._settlement.land_at_hand(ask.order, prepared)
            else:
                tier = first_tier(settings, rest.requests) if settings.may_ask_at_once else Tier.BATCH
                state.tier = tier.value
                if ask.ready is not None and state.ready is None:
                    state.ready = ask.ready.deadline(rest, self._client.service_time())
                first = rest if settings.pilot is None else self._pilot(rest, state)
                here = self._begin(ask, prepared, identity, _Next(attempt, first, state))
                done = here if isinstance(here, Done) else self._rounds(ask, prepared, identity, here)
        return self._finished(done, identity)

    def _finished(self, done: Done, identity: Identity | None) -> dict[str, Any]:
        """Return the manifest as JSON; what was kept for further attempts is not needed any more."""
        search = self._input.search
        if search is not None and identity is not None:
            search.discard(self._client, identity)
        return done.manifest.model_dump(mode="json")

    def _ask(self) -> _Ask:
        order, config = self._settings.order(self._client.config), self._client.config
        self._runner.ledger.model = order.model
        if self._settings.may_ask_at_once:
            check_tiers(self._settings, order, config.location)
        ready = ReadyPlan.of(self._settings.ready_by, order, config, self._task.owner.times)
        limit = cost_limit(self._settings.max_cost, order)
        late = limit if ready is None else cost_limit(self._settings.max_cost, ready.order)
        return _Ask(order, limit, ready, late)

    def _plan(self, ask: _Ask, prepared: PreparedInput | None, state: AttemptState) -> Plan | None:
        """Plan, unless that was done before a deferral; None where the requests cannot be read.

        Raises:
            CostLimitExceeded: nothing but the plan is wanted, and it is above the limit.
            ConfigurationError: nothing but the plan is wanted, and there is none.
        """
        settings, only = self._settings, self._settings.plan_only
        plan = read_plan(state.plan)
        if plan is None and prepared is not None:
            plan = make_plan(
                self._client,
                ask.order,
                prepared,
                max_requests=settings.max_requests_per_job,
                max_bytes=settings.max_bytes_per_job,
                count=only,
            )
        if self._input.at_hand is not None and state.plan is None:
            plan = self._input.at_hand.in_plan(plan)
        if plan is not None and state.plan is None:
            log.info("Plan: %s.", plan)
            if settings.may_ask_at_once:
                plan = plan.model_copy(update={"tier": first_tier(settings, plan.requests).value})
            state.plan = plan.model_dump(mode="json")
        if only and plan is None:
            raise cannot_plan(ask.order.source)
        if only and ask.limit is not None and prepared is not None:
            ask.limit.in_tier(first_tier(settings, prepared.requests)).check(prepared, 0)
        self._runner.ledger.plan = plan
        return plan

    def _pilot(self, prepared: PreparedInput, state: AttemptState) -> PreparedInput:
        """Return what the first round asks: the pilot, if there is one and the input is larger."""
        pilot, requests = Pilot.of(self._settings.pilot), prepared.requests
        if pilot is None:
            return prepared
        if requests is None:
            return pilot_of(prepared, 0)  # which refuses it
        if pilot.size(requests) >= requests:
            log.info("The input is no larger than the pilot, so there is none.")
            return prepared
        state.pilot, state.tier = 1, pilot.tier
        return pilot_of(prepared, pilot.size(requests))

    def _left_of_pilot(
        self, again: AskAgain, prepared: PreparedInput, pilot: Pilot
    ) -> tuple[PreparedInput, PreparedInput | None]:
        """Return a pilot whose jobs ended early, and what of it has no answer.

        Raises:
            JobError: that is not known.
        """
        whole = self._part(pilot_of, prepared, pilot)
        if again.tally is None:
            raise _failure(again)
        return whole, subset(whole, again.tally.unanswered)

    def _part(
        self, part: Callable[[PreparedInput, int], PreparedInput], prepared: PreparedInput, pilot: Pilot
    ) -> PreparedInput:
        """Return the pilot of an input, or what is asked after it."""
        rest = self._input.rest(prepared) or prepared
        return part(rest, pilot.size(rest.requests or 0))

    @staticmethod
    def _planned(state: AttemptState) -> Plan:
        plan = read_plan(state.plan)
        assert plan is not None  # noqa: S101 - what can be sampled can be planned
        return plan

    def _judge(
        self,
        ending: Ending,
        checkpoint: Checkpoint,
        event: Mapping[str, Any] | None = None,
        *,
        asked: PreparedInput | None = None,
        stopped: bool = False,
    ) -> AskAgain:
        """Judge the pilot; see `judge`."""
        plan = self._planned(checkpoint.state)
        keys = [*asked.keys()] if asked is not None else None
        patience = self._settlement.late_rows(ending, checkpoint, event)
        return judge(
            self._runner,
            self._settings,
            plan,
            ending,
            checkpoint,
            keys=keys,
            patience=patience,
            stopped=stopped,
        )

    def resume(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Ask again after a lack of capacity, or when the input could not be read; see `run`."""
        checkpoint = Checkpoint.from_event({"memo": event})
        attempt = Attempt(
            look_first=not checkpoint.looked and checkpoint.look_first,
            reattach=self._settings.reattach,
            refusals=checkpoint.refusals,
            resumed=checkpoint.looked,
        )
        return self.run(attempt, checkpoint.state, checkpoint.fingerprint, checkpoint.facts.snapshot)

    def complete(self, event: dict[str, Any]) -> dict[str, Any]:
        """Go on after a deferral; see `run`."""
        checkpoint, ending = Checkpoint.from_event(event), Ending.from_dict(event)
        ending.tell()
        self._task.waiting_for = at_the_service(
            [name for name in checkpoint.state.mine if name not in checkpoint.jobs]
        )
        if checkpoint.more and ending.why is Why.ENDED:
            facts = checkpoint.facts
            return self.run(
                Attempt(look_first=True), checkpoint.state, checkpoint.fingerprint, facts.snapshot
            )
        known = Identity(self._task.owner.key, checkpoint.fingerprint) if checkpoint.fingerprint else None
        self._runner.ledger.plan = read_plan(checkpoint.state.plan)
        search = self._input.search
        with ExitStack() as stack, self._task.metrics(self._runner.ledger):
            if search is not None and known is not None:
                self._input.at_hand = search.left_by(self._client, known, stack)
                if self._input.at_hand is None:
                    log.warning("What the input was spared is not known any more: it is read again.")
                    stack.close()
                    return self.run(Attempt(look_first=True), checkpoint.state, checkpoint.fingerprint)
            strays = self._strays(known, checkpoint.facts, checkpoint.state)
            if ending.why is Why.SWITCH or (checkpoint.state.left_until and ending.why is not Why.LOST):
                outcome = self._settle_left(ending, checkpoint, known, strays, event=event)
            elif checkpoint.state.piloting:
                outcome = self._judge(ending, checkpoint, event)
            else:
                outcome = strays.settled(ending, checkpoint, self._settlement.settle, event)
            done = outcome if isinstance(outcome, Done) else self._read_again(outcome, checkpoint, strays)
        return self._finished(done, known)

    def _read_again(self, again: AskAgain, checkpoint: Checkpoint, strays: StrayJobs) -> Done:
        """Read the input once more after a deferral, and ask for what has no answer."""
        state = checkpoint.state
        state.manifest = again.manifest
        ask = self._ask()
        attempt = Attempt(look_first=True, mine=state.mine)

        snapshot = checkpoint.facts.snapshot
        kept = Checkpoint(state, facts=InputFacts(snapshot=snapshot), fingerprint=checkpoint.fingerprint)
        with self._input.read(ask.order, attempt, kept, snapshot) as (prepared, identity):
            if identity.fingerprint != checkpoint.fingerprint:
                log.warning("The input has changed, so none of its requests is asked again.")
                raise _failure(again)
            here = _Next(Attempt(mine=state.mine), prepared, state)
            further = self._go_on(again, ask, prepared, identity, here, strays)
            return further if isinstance(further, Done) else self._rounds(ask, prepared, identity, further)

    def _rounds(self, ask: _Ask, prepared: PreparedInput, identity: Identity, here: _Next) -> Done:
        while True:
            facts = InputFacts.of(prepared if not here.state.piloting else here.pilot or here.prepared)
            round_ = self._round(ask, here.state)
            jobs = round_.submit(identity, here.prepared, here.attempt, here.state, facts)
            if not isinstance(jobs, AskAgain):
                self._runner.models.update((job.name, job.model) for job in jobs)
            strays = self._strays(identity, facts, here.state)
            left = round_.ending.why is Why.SWITCH
            if isinstance(jobs, AskAgain):
                outcome: Outcome = jobs
            elif left and not jobs:
                here = self._without_jobs(here, ask, round_.ending)
                continue
            elif not self._settings.wait:
                return Done(describe(jobs).model_copy(update=self._runner.ledger.known))
            else:
                names = [*here.state.done, *(job.name for job in jobs)]
                checkpoint = Checkpoint(here.state, names, facts, identity.fingerprint)
                settle = partial(
                    self._settlement.settle, prepared=prepared, stops=bool(round_.stopped or round_.over)
                )
                with _saying_why(round_.stopped), _missing(here.state, round_.over):
                    if here.state.piloting:
                        stopped = round_.stopped is not None
                        asked = here.pilot or here.prepared
                        outcome = self._judge(round_.ending, checkpoint, asked=asked, stopped=stopped)
                    elif left:
                        outcome = self._settle_left(round_.ending, checkpoint, identity, strays, prepared)
                    else:
                        outcome = strays.settled(round_.ending, checkpoint, settle)
            if isinstance(outcome, Done):
                return outcome
            further = self._go_on(outcome, ask, prepared, identity, here, strays)
            if isinstance(further, Done):
                return further
            here = further

    def _round(self, ask: _Ask, state: AttemptState) -> Round | OnlineRound:
        tier, shared = Tier(state.tier), (self._settings, self._task, self._client, self._runner)
        # What a pilot measured is no bound for a dearer tier or model, in which the rest is asked at the deadline.
        measured = state.pilot > 0 and state.round == state.pilot and not state.left_until
        limit = None if measured else ask.limit
        if tier is Tier.BATCH:
            return Round(*shared, ask.order, limit)
        if ask.ready is None or state.ready is None or not state.left_until:
            return OnlineRound(*shared, ask.order, limit and limit.in_tier(tier))
        rungs, limit = ask.ready.rungs(state.ready, self._client.service_time), ask.late_limit
        return OnlineRound(*shared, ask.ready.order, limit and limit.in_tier(tier), rungs)

    def _without_jobs(self, here: _Next, ask: _Ask, ending: Ending) -> _Next:
        """Return a round to ask at once what no job has been created for."""
        assert ask.ready is not None  # noqa: S101 - else there would be jobs
        log.warning("No job is created: %s. It is asked at once.", ending.detail)
        state = replace(here.state, tier=ask.ready.tiers[-1].value, left_until=self._client.service_time())
        return replace(here, state=state)

    def _settle_left(
        self,
        ending: Ending,
        checkpoint: Checkpoint,
        identity: Identity | None,
        strays: StrayJobs,
        prepared: PreparedInput | None = None,
        event: Mapping[str, Any] | None = None,
    ) -> Outcome:
        """Leave jobs for the deadline of the rows, and settle with what they have answered.

        Raises:
            DeadlineMissed: one of them does not end.
            JobError: one of its kinds, as the outcome table says.
        """
        state = checkpoint.state
        assert state.ready is not None  # noqa: S101 - else nobody leaves
        if ending.why is Why.SWITCH:
            assert identity is not None  # noqa: S101 - jobs are left that this attempt knows
            left = self._leaving.leave(ending, checkpoint, identity)
        else:
            left = self._leaving.left(checkpoint)
        gives_up = self._leaving.gives_up(left)
        if not left.jobs:
            if gives_up:
                raise never_ended(state.ready.at, left.stuck)
            names = (*left.stuck, *left.empty)
            return AskAgain(names, ended_early=names)
        settle = partial(self._settlement.settle, prepared=prepared, stops=gives_up)
        ended, kept = Ending(Why.ENDED), replace(checkpoint, jobs=left.jobs)
        if not gives_up:
            return strays.settled(ended, kept, settle, event)
        with _missing(state, f"{', '.join(left.stuck)} did not end"):
            return settle(ended, kept, event)  # a look for other jobs would find those, and wait for them

    def _strays(self, identity: Identity | None, facts: InputFacts, state: AttemptState) -> StrayJobs:
        def wait(going: Sequence[BatchJob], jobs: Sequence[BatchJob]) -> Ending:
            assert identity is not None  # noqa: S101 - else there are no such jobs
            waiting = Waiting(self._settings, self._task, self._client, self._runner)
            return waiting.wait_for(going, jobs, state, facts, identity)

        return StrayJobs(self._settings, self._task, self._runner, identity, facts, state, wait)

    def _go_on(
        self,
        again: AskAgain,
        ask: _Ask,
        prepared: PreparedInput,
        identity: Identity,
        here: _Next,
        strays: StrayJobs,
    ) -> _Next | Done:
        """Choose what is asked next; if a job that only a list tells of has asked it already, settle with its rows.

        Raises:
            JobError: nothing can be asked.
        """
        while True:
            further = self._next(prepared, again, here, ask.ready)
            later, strays.later = strays.later, Strays()
            repeats = further.state.round > here.state.round and later
            if not repeats or self._round(ask, further.state).comes_to(
                later.jobs, identity, further.prepared, further.state
            ):
                log.log(
                    logging.INFO if here.state.piloting else logging.WARNING, "%s; %s.", again, further.words
                )
                return further
            checkpoint = Checkpoint(
                here.state, [*again.job_names], InputFacts.of(prepared), identity.fingerprint
            )
            outcome = strays.settled(
                *strays.joined(checkpoint, later), partial(self._settlement.settle, prepared=prepared)
            )
            if isinstance(outcome, Done):
                return outcome
            again = outcome

    def _next(self, prepared: PreparedInput, again: AskAgain, here: _Next, ready: ReadyPlan | None) -> _Next:
        """Choose what is asked next: the requests without an answer, or all where they are not known."""
        state, spent, pilot = here.state, self._runner.ledger.spent, Pilot.of(self._settings.pilot)
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
                tier = first_tier(self._settings, self._planned(state).requests)
            else:
                tier = later_tier(self._settings, Tier(state.tier))
            if ready is not None and state.left_until:
                tier = ready.tiers[-1]
            later = state.next_round(again, spent, tier)
            if state.left_until and {*again.job_names} <= {*state.done}:
                later.round = state.round  # no job of it counts, so a retry comes to no further one either
            return _Next(attempt, rest, later, whole)
        if not again.ended_early:
            raise _failure(again)
        state = state.first_round_again(again, spent)
        if ready is not None and state.left_until:
            state.tier = ready.tiers[-1].value
        return _Next(
            replace(attempt, look_first=True, before=state.before),
            self._input.rest(prepared) or prepared,
            state,
        )

    def _begin(self, ask: _Ask, prepared: PreparedInput, identity: Identity, here: _Next) -> _Next | Done:
        """Choose where the first round begins.

        What an earlier attempt had at hand is kept beside the results. If that is gone, other requests may be left than
        those that its jobs ask; they are reattached to as they are, and only what then has no row is asked.
        """
        attempt, at_hand = here.attempt, self._input.at_hand
        if at_hand is None or not (at_hand.found_anew and attempt.look_first and attempt.reattach):
            return here
        facts = InputFacts.of(prepared)
        strays = self._strays(identity, facts, here.state)
        found = strays.look()
        if not found or self._round(ask, here.state).comes_to(
            found.jobs, identity, here.prepared, here.state
        ):
            return here
        names = ", ".join(job.name for job in found.jobs)
        log.warning("%s asked other requests of this input than are left now; its rows count.", names)
        here.state.pilot = 0  # what is asked was judged before those jobs were created
        begun = Checkpoint(here.state, [], facts, identity.fingerprint)
        settle = partial(self._settlement.settle, prepared=prepared)
        outcome = strays.settled(*strays.joined(begun, found), settle)
        if isinstance(outcome, Done):
            return outcome
        return self._go_on(outcome, ask, prepared, identity, here, strays)


@contextmanager
def _saying_why(stopped: OnlineStopped | None) -> Iterator[None]:
    """Raise why the service answers no more at once, in place of what that left of the rows."""
    try:
        yield
    except TOO_FEW_ROWS as failure:
        if stopped is None:
            raise
        stopped.manifest = failure.manifest
        if isinstance(failure, TooManyFailedRows):
            stopped.add("What came is landed, with the others as missing rows.")
        stopped.add("The next attempt takes what was answered and asks for the rest.")
        raise stopped from failure


@contextmanager
def _missing(state: AttemptState, why: str) -> Iterator[None]:
    """Raise that the deadline of the rows was missed, in place of what that left of them; empty: it was not."""
    try:
        yield
    except TOO_FEW_ROWS as failure:
        if not why or state.ready is None:
            raise
        raise missed(state.ready.at, why, failure) from failure


def _failure(again: AskAgain) -> JobError:
    return again.failure or JobCancelled(str(again), job_names=again.job_names)
