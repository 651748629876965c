"""One round of a task: submits its jobs, a limited number at a time, and waits for them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

from airflow_provider_genai_batch.exceptions import CallError, ConfigurationError, JobTimedOut
from airflow_provider_genai_batch.flows.outcome.messages import nothing_more
from airflow_provider_genai_batch.flows.outcome.settle import AskAgain, replaced
from airflow_provider_genai_batch.flows.submission.attempt import Attempt, Found
from airflow_provider_genai_batch.flows.watch import Ending, Why
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.jobs.identity import Identity
from airflow_provider_genai_batch.models.jobs.journal import at_the_service
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.task.inputs.split import split
from airflow_provider_genai_batch.task.state import AttemptState
from airflow_provider_genai_batch.task.waiting import Waiting
from airflow_provider_genai_batch.wire.catalog.limits import jobs_at_once

if TYPE_CHECKING:
    from airflow_provider_genai_batch.task.cost.limit import CostLimit
    from airflow_provider_genai_batch.task.cost.today import DayLimits
    from airflow_provider_genai_batch.task.settings.order import Order
from airflow_provider_genai_batch.task.inputs.enqueued import is_full, room_of
from airflow_provider_genai_batch.task.rounds.charges import RoundCharge
from airflow_provider_genai_batch.task.rounds.job_part import identity_of
from airflow_provider_genai_batch.task.rounds.jobs import RoundJobs
from airflow_provider_genai_batch.task.rounds.no_job import NoJob, NoJobError, WhyNext
from airflow_provider_genai_batch.task.rounds.start import RoundStart
from airflow_provider_genai_batch.task.rounds.submitted_before import became_of, stop_if_killed
from airflow_provider_genai_batch.task.shared import Shared

log = logging.getLogger(__name__)


class Round:
    """The jobs of one round.

    Args:
        shared: objects shared by the attempt.
        order: the job's parameters.
        limit: the limit of its cost.
        why_next: returns why the next fallback is used instead of more jobs; None: there is no next one.
        day: the limits of the day; None: there are none.

    Attributes:
        stopped: None: see `task.rounds.online.round.OnlineRound`.
    """

    def __init__(
        self,
        shared: Shared,
        order: Order,
        limit: CostLimit | None,
        why_next: WhyNext | None = None,
        day: DayLimits | None = None,
    ) -> None:
        self._shared, self._order, self._limit, self._why_next = shared, order, limit, why_next
        self._day = day
        self._settings, self._task, self._client = shared.settings, shared.task, shared.client
        self.stopped = None
        self.over = ""

    @cached_property
    def _waiting(self) -> Waiting:
        return Waiting(self._shared)

    @property
    def ending(self) -> Ending:
        """How the wait for its jobs ended."""
        return self._waiting.ending

    def begun(self, start: RoundStart) -> bool:
        """Whether an earlier attempt has submitted a job of this round, whatever its outcome."""
        if self._task.is_first_try:
            return False
        return self.comes_to(self._shared.finder.find(start.identity, self._task.owner.run_begin), start)

    def submit(self, start: RoundStart) -> list[BatchJob] | AskAgain:
        """Find or create this round's jobs and wait for them, in place or by a deferral.

        Args:
            start: the requests, and what is known beforehand; its state is updated.

        Returns:
            The jobs. They have ended, unless the wait stopped early (see `ending`) or `wait` is False. `AskAgain`: a
            job of an earlier attempt ended early, and a new one must replace it.

        Raises:
            JobTimedOut: there was no time for all jobs; the error has the manifest of earlier rounds.
        """
        try:
            return self._submit(start)
        except JobTimedOut as error:
            state = start.state
            if state.manifest is not None and error.manifest is None:
                error.add(f"Earlier: {nothing_more(state.done, again=True)}")
                error.job_names = (*state.done, *(n for n in error.job_names if n not in state.done))
                error.manifest = state.manifest
            raise

    def _submit(self, start: RoundStart) -> list[BatchJob] | AskAgain:
        identity, prepared, state, facts = start.identity, start.prepared, start.state, start.facts
        pieces = split(prepared, self._settings.max_requests_per_job, self._settings.max_bytes_per_job)
        self._check(pieces)
        attempt = replace(start.attempt, since=self._task.owner.run_begin, whole_task=not state.round)
        jobs: list[BatchJob] = []
        going: dict[str, BatchJob] = {}
        sizes: dict[str, int] = {}
        late = ""
        no_job = self._no_job(start)
        several, charge = len(pieces) > 1, None
        if self._day is not None:
            own = [self.identity(start, piece, several=several) for piece in pieces]
            reattach = self._settings.reattach
            charge = RoundCharge(self._day, prepared, pieces, own, state, attempt.look_first, reattach)
        round_jobs = RoundJobs(self._shared, self._order, self._limit, start, self._waiting, no_job, charge)
        records = self._task.records(state.round)
        records.expect(len(pieces))
        for number, piece in enumerate(pieces):
            self._count_left(start, sizes, going)
            made = late or self._make_place(start, attempt, piece, going, jobs, sizes)
            if made is None:
                return jobs
            late = made
            begun = identity.fingerprint if state.round or number else None
            try:
                found = self._come_to(
                    partial(
                        round_jobs.come_to,
                        self.identity(start, piece, several=several),
                        piece,
                        attempt,
                        records.at(number),
                        number=number,
                        several=several,
                        begun=begun,
                    ),
                    jobs,
                    going,
                )
            except NoJobError as error:
                late = late or str(error)
                continue  # an earlier attempt may have created the jobs of later parts
            sizes[found.job.name] = piece.requests or 0
            jobs += [found.job, *filter(facts.joins, found.twins)]
            self._task.show_links(jobs, self._client.config.project)
            again = self._note(found, jobs, state)
            if again is not None:
                return again
            attempt = replace(attempt, reattach=True, before=state.before, whole_task=False)
            if not found.job.done:
                going[found.job.name] = found.job
            met = {job.name for job in jobs}
            self._task.waiting_for = [
                *going,
                *(name for name in at_the_service(state.mine) if name not in met),
            ]
            self._task.appear_until = self._waiting.appear_until([found.job])
            stop_if_killed(self._task, found.job)
        if late and not state.leads_on:
            self._waiting.ending = Ending(Why.SWITCH, {}, late)
            return jobs
        for job in no_job.journaled if no_job is not None else ():
            state.come_to(job, reattached=True)
            jobs.append(job)
        if going and self._settings.wait:
            self._count_left(start, sizes, going)
            self._waiting.wait(going, jobs, state, facts, identity, more=False)
        return jobs

    def _come_to(
        self, come_to: Callable[[], Found], jobs: Sequence[BatchJob], going: Collection[str]
    ) -> Found:
        """Find or create a job; if that fails, add to the error what becomes of the jobs before it."""
        names = [job.name for job in jobs]
        try:
            return come_to()
        except JobTimedOut as error:
            if not jobs:
                raise
            said = f"{error} {became_of(self._shared, names, [*going])}"
            raise JobTimedOut(said, job_names=names) from error
        except CallError:
            if jobs:
                log.warning("A job was refused. %s", became_of(self._shared, names))
            raise

    def _make_place(
        self,
        start: RoundStart,
        attempt: Attempt,
        piece: PreparedInput,
        going: dict[str, BatchJob],
        jobs: Sequence[BatchJob],
        sizes: Mapping[str, int],
    ) -> str | None:
        """Wait until one more job may run, in place or by a deferral.

        Returns:
            Empty: one more may. A text: why no more are created, though an earlier attempt may have created the jobs of
            later parts. None: the wait stopped for another reason, see `ending`.
        """
        state, ready = start.state, start.state.ready
        while going and (len(going) >= self._most_active or self._is_full(going, piece)):
            again = ready if attempt.look_first else None
            if again is not None and self._client.service_time() >= again.switch(again.requests):
                return f"there is no time for a job of {again.requests} requests"
            self._waiting.wait(going, jobs, state, start.facts, start.identity, more=True)
            if self.ending.why is Why.SWITCH and again is not None:
                return self.ending.detail
            if self.ending.why is not Why.ENDED:
                return None
            self._count_left(start, sizes, going)
        return ""

    @staticmethod
    def _count_left(start: RoundStart, sizes: Mapping[str, int], going: Collection[str]) -> None:
        if start.state.ready is not None:
            start.state.count_left(start.prepared.requests or 0, sizes, going)

    def _no_job(self, start: RoundStart) -> NoJob | None:
        """Return the object that may refuse jobs; None: this task makes no immediate calls."""
        if start.state.ready is None and self._settings.retry_tier is None and self._why_next is None:
            return None
        return NoJob(self._shared, self._order.model, start, self._why_next)

    @property
    def _most_active(self) -> int:
        """Return how many jobs may run at a time; the service has a limit for some models."""
        own = self._settings.max_active_jobs
        return min(own, jobs_at_once(self._settings.model) or own)

    def comes_to(self, jobs: Sequence[BatchJob], start: RoundStart) -> bool:
        """Whether the round would reattach to one of these jobs."""
        settings = self._settings
        pieces = split(start.prepared, settings.max_requests_per_job, settings.max_bytes_per_job)
        owns = [self.identity(start, piece, several=len(pieces) > 1) for piece in pieces]
        return any(own.owns(job) for own in owns for job in jobs)

    def identity(self, start: RoundStart, piece: PreparedInput, *, several: bool = False) -> Identity:
        """Return the identity of a job of the round, or of its journal."""
        whom = self._whom if start.state.fallback else ()
        return identity_of(start, piece, reattach=self._settings.reattach, several=several, whom=whom)

    @property
    def _whom(self) -> tuple[str, ...]:
        """Return model and connection, if they are not the task's own."""
        config = self._client.config
        return self._order.model, config.place if config.backend is Backend.VERTEX else self._settings.conn_id

    def _is_full(self, going: Mapping[str, BatchJob], piece: PreparedInput) -> bool:
        """Whether the round's own jobs leave no room for one more within the connection's enqueued tokens."""
        room = room_of(self._client.config, self._order.model, piece) if self._settings.wait else None
        return is_full(room, [job.display_name for job in going.values()])

    def _check(self, pieces: Sequence[PreparedInput]) -> None:
        if not self._settings.wait and len(pieces) > self._most_active:
            own = self._most_active == self._settings.max_active_jobs
            limit = (
                f"max_active_jobs={self._most_active}"
                if own
                else f"the service's limit of {self._most_active}"
            )
            msg = (
                f"The input makes {len(pieces)} jobs, and with wait=False all of them are submitted at once, which "
                f"{limit} forbids. {'Raise it, or let' if own else 'Let'} the task wait."
            )
            raise ConfigurationError(msg)

    def _note(self, found: Found, jobs: Sequence[BatchJob], state: AttemptState) -> AskAgain | None:
        """Record a job; if the task reads no rows and a new job must replace it, return how it ended."""
        state.pass_over([*found.before])
        if found.spent_today is not None:
            self._shared.settler.ledger.spent_today = found.spent_today
            state.spent_today = found.spent_today.model_dump(mode="json")
        twins = [job for job in found.twins if job in jobs]
        new = found.job.name not in state.mine
        if new and not found.reattached:
            self._waiting.note_creation(found.job)
        state.note_twins(twins)
        state.come_to(found.job, reattached=found.reattached)
        for job in twins:
            state.come_to(job, reattached=found.reattached or not self._task.is_first_try)
        again = replaced(found.job) if new and found.reattached and not self._settings.wait else None
        if again is not None:
            plan = replace(self._waiting.plan([found.job]), cancel_on_timeout=False)
            self._shared.watcher.wait([found.job.name], plan)
        return again
