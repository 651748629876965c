"""Finds or creates the jobs of a round, and checks before money is spent whether they may be created."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.exceptions import (
    ConfigurationError,
)
from airflow_provider_genai_batch.flows.steps import AwaitCapacity
from airflow_provider_genai_batch.flows.submission.attempt import Attempt, Found
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.jobs.identity import Identity
from airflow_provider_genai_batch.task.files.files import check_writable
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.task.inputs.read import staging_place
from airflow_provider_genai_batch.task.landing.media import check_media_writable
from airflow_provider_genai_batch.task.state import Checkpoint
from airflow_provider_genai_batch.task.waiting import Waiting

if TYPE_CHECKING:
    from airflow_provider_genai_batch.flows.record import RecordKeeper
    from airflow_provider_genai_batch.task.cost.limit import CostLimit
    from airflow_provider_genai_batch.task.settings.order import Order

from airflow_provider_genai_batch.task.inputs.enqueued import room_of
from airflow_provider_genai_batch.task.jobs.submitter import JobSubmitter
from airflow_provider_genai_batch.task.rounds.charges import JobCharge, RoundCharge
from airflow_provider_genai_batch.task.rounds.no_job import NoJob
from airflow_provider_genai_batch.task.rounds.start import RoundStart
from airflow_provider_genai_batch.task.rounds.submitted_before import became_of
from airflow_provider_genai_batch.task.shared import Shared

log = logging.getLogger(__name__)


@dataclass
class RoundJobs:
    """Finds or creates the jobs of one round, one by one.

    Args:
        shared: objects shared by the attempt.
        order: the job's parameters.
        limit: the limit of its cost.
        start: the beginning of the round.
        waiting: waits for the jobs.
        no_job: may refuse jobs; None: nothing does.
        charge: what the jobs may cost; None: no limit of a day applies.
    """

    _shared: Shared
    _order: Order
    _limit: CostLimit | None
    _start: RoundStart
    _waiting: Waiting
    _no_job: NoJob | None
    _charge: RoundCharge | None = None
    _writable: bool = False

    def come_to(
        self,
        identity: Identity,
        piece: PreparedInput,
        attempt: Attempt,
        record: RecordKeeper,
        *,
        number: int,
        several: bool,
        begun: str | None,
    ) -> Found:
        """Find or create a job of the round.

        Args:
            identity: the job's identity.
            piece: the job's requests.
            attempt: what is known beforehand.
            record: the job's record.
            number: its number in the round, from 0.
            several: whether it is one of several.
            begun: the fingerprint of the whole input, if this attempt has jobs for it.

        Raises:
            NoJobError: no job is created, see `NoJob`.
        """
        state, whole = self._start.state, self._start.prepared
        owner = self._shared.task.owner
        config = self._shared.client.config
        asks = (config, self._order.model, piece, self._shared.settings.priority)
        room = room_of(*asks) if config.max_enqueued_tokens else None
        words = (self._order.display_name or owner.readable_name, None if room is None else room.tokens)
        name, charge = identity.display_name(*words), None
        if self._charge is not None:
            stating = partial(identity.display_name, *words)
            charge = JobCharge(self._charge, number, stating, self._refuse)
        if several and attempt.resumed:  # only a look shows which of them was refused
            attempt = replace(attempt, resumed=False, look_first=True, reattach=True)

        def spec() -> Any:
            self._refuse()
            if self._limit is not None:
                self._limit.check(whole, state.spent)
                self._limit = None  # it has been counted over all jobs of the round
            self._check_writable()
            placed = None
            if not piece.entries:
                place = staging_place(self._shared.client, self._order.destination)
                placed = piece.place(self._shared.client, identity, place)
            shown = name if charge is None else charge.display_name
            return self._order.spec(identity, shown, piece, placed, owner.labels, several=several)

        def await_capacity(step: AwaitCapacity) -> None:
            self._refuse()
            state.deadline, state.room_since = step.deadline, step.room_since
            if state.ready is not None:
                left = state.ready.switch(state.ready.requests) - self._shared.client.service_time()
                step = replace(step, seconds=max(1.0, min(step.seconds, left)))
            if self._shared.settings.deferrable:
                self._defer_for_capacity(step, begun)
            clock.sleep(step.seconds)
            self._refuse()

        leads_on = self._no_job is not None and self._no_job.why_next is not None
        if leads_on:
            attempt = replace(attempt, stalled=self._shared.settings.is_stalled)
        budget = self._shared.settings.capacity_budget(self._order.backend)
        with self._no_job.leading_on() if self._no_job is not None else nullcontext():
            return JobSubmitter(self._shared.finder).submit(
                identity,
                spec,
                replace(
                    attempt,
                    deadline=state.deadline,
                    conn_id=self._shared.settings.conn_id,
                    room=room,
                    charge=charge,
                    room_since=state.room_since,
                    model=self._order.model,
                ),
                display_name=name,
                records=record,
                wanted=lambda: not self._shared.task.killed,
                created=partial(self._created, charge),
                budget=budget,
                await_capacity=await_capacity,
            )

    def _created(self, charge: JobCharge | None, job: BatchJob) -> None:
        if charge is not None:
            charge.note(job)
        self._start.state.room_since = 0.0
        self._shared.task.waiting_for = [*self._shared.task.waiting_for, job.name]
        self._shared.task.appear_until = self._waiting.appear_until([job])

    def _refuse(self) -> None:
        if self._no_job is not None:
            self._no_job.refuse_jobs()

    def _check_writable(self) -> None:
        """Check, before a job is created, that its rows can land; the error names the existing jobs."""
        uri, media = self._shared.settings.results_uri, self._shared.settings.media_uri
        state = self._start.state
        if self._writable or state.fallback:  # the task's own connection writes the rows, and was checked
            return
        try:
            if uri is not None:
                check_writable(uri, self._shared.client)
            if media is not None:
                check_media_writable(media, self._shared.client)
        except ConfigurationError as error:
            if not state.mine:
                raise
            raise ConfigurationError(f"{error} {became_of(self._shared, state.mine)}") from error
        self._writable = True

    def _defer_for_capacity(self, step: AwaitCapacity, begun: str | None) -> None:
        state = self._start.state
        state = replace(state, before=[*{*state.before, *step.before}])
        checkpoint = Checkpoint(state, [], self._start.facts, begun, refusals=step.refusals)
        self._shared.task.defer_until(clock.time() + step.seconds, checkpoint.to_event())
