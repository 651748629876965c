"""One attempt of a task, or the part of it before or after a deferral."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import replace
from typing import Any

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.exceptions import (
    ApprovalOutdated,
    InputError,
)
from airflow_provider_genai_batch.flows.outcome.settle import AskAgain, Done
from airflow_provider_genai_batch.flows.submission.attempt import Attempt
from airflow_provider_genai_batch.flows.watch import Ending, Why
from airflow_provider_genai_batch.models.jobs.identity import Identity
from airflow_provider_genai_batch.models.jobs.journal import at_the_service
from airflow_provider_genai_batch.models.settings.approval import Approved
from airflow_provider_genai_batch.models.stored import read_stored
from airflow_provider_genai_batch.models.tier import Tier
from airflow_provider_genai_batch.task.attempt_input import AttemptInput
from airflow_provider_genai_batch.task.checks.row_checks import refuse_checks
from airflow_provider_genai_batch.task.cost.plan import planned_manifest, read_plan
from airflow_provider_genai_batch.task.cost.today import read_spent
from airflow_provider_genai_batch.task.fallbacks.ways import Ways
from airflow_provider_genai_batch.task.files.files import check_place
from airflow_provider_genai_batch.task.files.overlap import refuse_media_overlap, refuse_overlap
from airflow_provider_genai_batch.task.inputs.facts import InputFacts
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.task.jobs.finder import JobFinder
from airflow_provider_genai_batch.task.jobs.settler import JobSettler
from airflow_provider_genai_batch.task.jobs.watcher import JobWatcher
from airflow_provider_genai_batch.task.landing.job_times import JobTimes
from airflow_provider_genai_batch.task.landing.media import check_media_place
from airflow_provider_genai_batch.task.pilot.approval import Asked
from airflow_provider_genai_batch.task.port import TaskPort
from airflow_provider_genai_batch.task.rounds.next_round import NextRound, failure_of
from airflow_provider_genai_batch.task.rounds.nothing_left import land_all_at_hand
from airflow_provider_genai_batch.task.rounds.outcome import RoundOutcome
from airflow_provider_genai_batch.task.rounds.rounds import Rounds
from airflow_provider_genai_batch.task.rounds.start import RoundStart
from airflow_provider_genai_batch.task.rounds.stray_jobs import StrayJobs
from airflow_provider_genai_batch.task.settings.settings import RunSettings
from airflow_provider_genai_batch.task.settlement import Settlement
from airflow_provider_genai_batch.task.shared import Shared
from airflow_provider_genai_batch.task.state import AttemptState, Checkpoint
from airflow_provider_genai_batch.task.terms.planning import plan_attempt
from airflow_provider_genai_batch.task.terms.terms import Terms
from airflow_provider_genai_batch.task.terms.tiers import first_tier

log = logging.getLogger(__name__)


class TaskAttempt:
    """One attempt, or the part of it before or after a deferral.

    Args:
        settings: the task's settings.
        task: the port to the task instance.
        client: the client of the task's connection.
    """

    def __init__(self, settings: RunSettings, task: TaskPort, client: GenAIBatchClient) -> None:
        self._settings, self._task, self._client = settings, task, client
        watcher = JobWatcher(client, task.open_client)
        settler = JobSettler(client, settings.model, journal_uri=lambda: settings.journal_uri(client.config))
        self._ledger = settler.ledger
        self._ledger.versions = settings.versions
        self._ledger.times = JobTimes(settings.conn_id, task.earlier_manifest)
        self._shared = Shared(settings, task, client, watcher, JobFinder(watcher), settler)
        self._input = AttemptInput(settings, task, client)
        self._ways = Ways(self._shared) if settings.fallbacks else None
        self._settlement = Settlement(settings, task, client, settler, self._input, self._ways)
        self._outcome = RoundOutcome(self._shared, self._settlement, self._ways)

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
            fingerprint: fingerprint of the whole input, if this attempt already has jobs for it.
            snapshot: the table in which this attempt has kept the rows of a BigQuery table.

        Returns:
            The manifest as JSON.

        Raises:
            InputError: the input differs from that of the existing jobs.
        """
        settings = self._settings
        terms = Terms.of(self._shared)  # a limit that cannot be checked is refused before anything else
        if terms.ready is not None and self._task.is_first_try and before is None:
            terms.ready.refuse_past(self._client.service_time())
        if settings.results_uri is not None:
            refuse_overlap(terms.order.source, settings.results_uri)
            self._task.check_mapped_results()
            check_place(settings.results_uri, self._client)
        if settings.media_uri is not None:
            refuse_media_overlap(terms.order.source, settings.results_uri, settings.media_uri)
            check_media_place(settings.media_uri, self._client)
        state = AttemptState()
        if before is not None:
            attempt = replace(attempt, before=before.before, mine=before.mine)
            state = before.resumed()
            self._ledger.spent_today = read_spent(state.spent_today)
            self._task.waiting_for = at_the_service(before.mine)
            self._task.stop_if_over()

        kept = Checkpoint(state, facts=InputFacts(snapshot=snapshot), fingerprint=fingerprint)
        with (
            self._task.metrics(self._ledger),
            self._ways or nullcontext(),
            self._input.read(terms.order, attempt, kept, snapshot) as (prepared, identity),
        ):
            if fingerprint not in (None, identity.fingerprint):
                # Submitting the changed input would bill it in full, once per deferral during which it changes.
                msg = (
                    "The input has changed since this attempt submitted jobs for it, so no others are submitted. "
                    "Those jobs still run and are billed. The next attempt submits the input as it is then: make sure "
                    "that it does not change while the task waits."
                )
                raise InputError(msg)
            if settings.checks:
                in_table = terms.order.table is not None
                refuse_checks(settings, terms.order, typed=prepared.asks_for_type, in_table=in_table)
            rest = self._input.rest(prepared)
            plan = plan_attempt(self._shared, self._input, terms, rest, state, self._ways)
            if self._settings.plan_only and plan is not None:
                self._refuse_planned(terms, rest, state)
                known = {**self._ledger.before, "last_results_uri": self._input.last_results}
                return planned_manifest(terms.order).model_copy(update=known).model_dump(mode="json")
            if rest is None:
                whole = RoundStart(identity, prepared, prepared, attempt, state)
                asked = (self._input, self._settlement, self._outcome)
                done = land_all_at_hand(terms.order, *asked, whole)
            else:
                tier = first_tier(settings, rest.requests) if settings.may_ask_at_once else Tier.BATCH
                state.tier = tier.value
                if terms.ready is not None and state.ready is None:
                    begins = self._task.is_first_try
                    state.ready = terms.ready.deadline(rest, self._client, begins=begins)
                rounds = self._rounds(terms)
                first = rest if settings.pilot is None else rounds.next.first(rest, state)
                here = rounds.begin(RoundStart(identity, prepared, first, attempt, state))
                done = here if isinstance(here, Done) else rounds.run(here)
        return self._finished(done, identity)

    def _refuse_planned(self, terms: Terms, rest: PreparedInput | None, state: AttemptState) -> None:
        """Refuse a plan whose first round the task would refuse.

        Raises:
            CostLimitExceeded: its requests may cost more than ``max_cost``.
        """
        if rest is not None and terms.limit is not None:
            state.tier = first_tier(self._settings, rest.requests).value
            first = NextRound(self._settings, self._input, self._ledger, terms.ready).first(rest, state)
            terms.limit.in_tier(Tier(state.tier)).check(first, 0)

    def resume(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Try again after a lack of capacity, or after the input could not be read; see `run`."""
        checkpoint = Checkpoint.from_event({"memo": event})
        attempt = Attempt(
            look_first=not checkpoint.looked and checkpoint.look_first,
            reattach=self._settings.reattach,
            refusals=checkpoint.refusals,
            resumed=checkpoint.looked,
        )
        return self.run(attempt, checkpoint.state, checkpoint.fingerprint, checkpoint.facts.snapshot)

    def complete(self, event: dict[str, Any]) -> dict[str, Any]:
        """Continue after a deferral; see `run`."""
        checkpoint, ending = Checkpoint.from_event(event), Ending.from_dict(event)
        ending.tell()
        self._task.waiting_for = at_the_service(
            [name for name in checkpoint.state.mine if name not in checkpoint.jobs]
        )
        looks_on = ending.why is Why.SWITCH and not self._task.is_first_try
        if checkpoint.more and (ending.why is Why.ENDED or looks_on):
            facts = checkpoint.facts
            return self.run(
                Attempt(look_first=True), checkpoint.state, checkpoint.fingerprint, facts.snapshot
            )
        known = Identity(self._task.owner.key, checkpoint.fingerprint) if checkpoint.fingerprint else None
        self._ledger.plan = read_plan(checkpoint.state.plan)
        self._ledger.spent_today = read_spent(checkpoint.state.spent_today)
        self._shared.settler.models.update(checkpoint.state.models)
        search = self._input.search
        with ExitStack() as stack, self._task.metrics(self._ledger), self._ways or nullcontext():
            if self._ways is not None:
                self._ways.turn_to(checkpoint.state)
            if search is not None and known is not None:
                self._input.at_hand = search.left_by(self._client, known, stack)
                if self._input.at_hand is None:
                    log.warning(
                        "It is no longer known which requests have earlier answers: the input is read again."
                    )
                    stack.close()
                    return self.run(Attempt(look_first=True), checkpoint.state, checkpoint.fingerprint)
            strays = self._outcome.strays(known, checkpoint.facts, checkpoint.state)
            if ending.why is Why.SWITCH or (checkpoint.state.left_until and ending.why is not Why.LOST):
                outcome = self._outcome.settle_left(ending, checkpoint, known, strays, event=event)
            elif checkpoint.state.piloting:
                outcome = self._outcome.judge(ending, checkpoint, event)
            else:
                outcome = strays.settled(ending, checkpoint, self._settlement.settle, event)
            if not isinstance(outcome, Done):
                outcome = self._read_again(outcome, checkpoint, strays, stalled=ending.stalled)
        return self._finished(outcome, known)

    def answered(self, event: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
        """Continue after a person has answered, or the time for an answer was over; see `run`.

        Args:
            event: Airflow's event.
            asked: the state that was stored with the question.

        Raises:
            ApprovalRejected: the cost was not approved.
            ApprovalOutdated: the answer does not belong to this question.
        """
        approved = self._verdict(event, asked)
        checkpoint = Checkpoint.from_event({"memo": asked.get("memo")})
        plan = NextRound.planned(checkpoint.state).model_copy(update={"approved": approved})
        checkpoint.state.plan = plan.model_dump(mode="json")
        return self.run(
            Attempt(look_first=True), checkpoint.state, checkpoint.fingerprint, checkpoint.facts.snapshot
        )

    def collected(
        self, event: Mapping[str, Any], asked: Mapping[str, Any], attempt: Attempt
    ) -> dict[str, Any]:
        """Begin after closing the question of an earlier attempt; if it was answered, the answer counts.

        Raises:
            ApprovalRejected: the answer was a rejection.
        """
        if event.get("responded_by_user") is None:
            self._task.close_question(None)
        else:
            with suppress(ApprovalOutdated):
                self._verdict(event, asked)
        return self.run(attempt)

    def _verdict(self, event: Mapping[str, Any], asked: Mapping[str, Any]) -> Approved:
        approved = None
        try:
            approved = read_stored(Asked, asked).verdict(event)
        finally:
            self._task.close_question(approved)
        return approved

    def _read_again(
        self, again: AskAgain, checkpoint: Checkpoint, strays: StrayJobs, *, stalled: bool
    ) -> Done:
        """Read the input once more after a deferral, and submit the requests without an answer."""
        state = checkpoint.state
        state.manifest = again.manifest
        terms = Terms.of(self._shared)
        attempt = Attempt(look_first=True, mine=state.mine)

        snapshot = checkpoint.facts.snapshot
        kept = Checkpoint(state, facts=InputFacts(snapshot=snapshot), fingerprint=checkpoint.fingerprint)
        with self._input.read(terms.order, attempt, kept, snapshot) as (prepared, identity):
            if identity.fingerprint != checkpoint.fingerprint:
                log.warning("The input has changed, so none of its requests are submitted again.")
                raise failure_of(again)
            rounds = self._rounds(terms)
            here = RoundStart(identity, prepared, prepared, Attempt(mine=state.mine), state)
            further = rounds.go_on(again, here, strays, stalled=stalled)
            return further if isinstance(further, Done) else rounds.run(further)

    def _finished(self, done: Done, identity: Identity | None) -> dict[str, Any]:
        """Return the manifest as JSON, and delete what was kept for further attempts."""
        search = self._input.search
        if search is not None and identity is not None:
            search.discard(self._client, identity)
        return done.manifest.model_dump(mode="json")

    def _rounds(self, terms: Terms) -> Rounds:
        further = NextRound(self._settings, self._input, self._ledger, terms.ready)
        return Rounds(self._shared, terms, self._input, self._settlement, self._outcome, further, self._ways)
