"""One round of a task: its jobs submitted, so many at a time, and waited for."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.client.cancel import cancel_jobs
from airflow_provider_genai_batch.exceptions import (
    CallError,
    ConfigurationError,
    JobCancelled,
    JobTimedOut,
)
from airflow_provider_genai_batch.flows.outcome.messages import nothing_more
from airflow_provider_genai_batch.flows.outcome.settle import AskAgain, replaced
from airflow_provider_genai_batch.flows.steps import AwaitCapacity
from airflow_provider_genai_batch.flows.submission.attempt import Attempt, Found
from airflow_provider_genai_batch.flows.submission.room import Room
from airflow_provider_genai_batch.flows.watch import Ending, Why
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.identity import Identity, round_of, tokens_of
from airflow_provider_genai_batch.models.journal import Writer, at_the_service, is_journaled
from airflow_provider_genai_batch.task.files.files import check_writable
from airflow_provider_genai_batch.task.inputs.enqueued import enqueued_tokens
from airflow_provider_genai_batch.task.inputs.facts import InputFacts
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.task.inputs.read import staging_place
from airflow_provider_genai_batch.task.inputs.split import split
from airflow_provider_genai_batch.task.journal.family import journaled_since
from airflow_provider_genai_batch.task.journal.journal import Journal
from airflow_provider_genai_batch.task.landing.media import check_media_writable
from airflow_provider_genai_batch.task.port import TaskPort
from airflow_provider_genai_batch.task.settings import RunSettings
from airflow_provider_genai_batch.task.state import AttemptState, Checkpoint
from airflow_provider_genai_batch.task.waiting import Waiting
from airflow_provider_genai_batch.wire.catalog.limits import jobs_at_once

if TYPE_CHECKING:
    from airflow_provider_genai_batch.client import GenAIBatchClient
    from airflow_provider_genai_batch.flows.record import RecordKeeper
    from airflow_provider_genai_batch.task.cost.limit import CostLimit
    from airflow_provider_genai_batch.task.order import Order
    from airflow_provider_genai_batch.task.runner import JobRunner

log = logging.getLogger(__name__)

LAST_ROUND = 10_000
"""No round has so high a number."""


class _NoJobError(Exception):
    """No job is created: the text says why its rows would be late; empty: what was asked at once counts."""


class Round:
    """The jobs of one round.

    Attributes:
        stopped: None: see `task.online.round.OnlineRound`.
    """

    def __init__(
        self,
        settings: RunSettings,
        task: TaskPort,
        client: GenAIBatchClient,
        runner: JobRunner,
        order: Order,
        limit: CostLimit | None,
    ) -> None:
        self._settings, self._task, self._client = settings, task, client
        self._runner, self._order = runner, order
        self._limit = limit
        self.stopped = None
        self.over = ""
        self._facts: InputFacts | None = None
        self._identity: Identity | None = None
        self._begun: str | None = None
        self._writable = False
        self._journaled: list[BatchJob] = []

    @cached_property
    def _waiting(self) -> Waiting:
        return Waiting(self._settings, self._task, self._client, self._runner)

    @property
    def ending(self) -> Ending:
        """How the waiting for its jobs ended."""
        return self._waiting.ending

    def submit(
        self,
        identity: Identity,
        prepared: PreparedInput,
        attempt: Attempt,
        state: AttemptState,
        facts: InputFacts,
    ) -> list[BatchJob] | AskAgain:
        """Find or create this round's jobs and wait for them, or leave by a deferral.

        Args:
            identity: of the whole input.
            prepared: what this round asks.
            attempt: what is known beforehand.
            state: what this attempt did so far; it is brought up to date.
            facts: what is known of the whole input.

        Returns:
            The jobs. They have ended, unless the waiting stopped early (see `ending`) or `wait` is False; then one
            of an earlier attempt that ended early is to be replaced by a new one.

        Raises:
            JobTimedOut: there was no time for all of them; it has what earlier rounds brought.
        """
        self._facts, self._identity = facts, identity
        try:
            return self._submit(identity, prepared, attempt, state, facts)
        except JobTimedOut as error:
            if state.manifest is not None and error.manifest is None:
                error.add(f"Earlier: {nothing_more(state.done, again=True)}")
                error.job_names = (*state.done, *(n for n in error.job_names if n not in state.done))
                error.manifest = state.manifest
            raise

    def _submit(
        self,
        identity: Identity,
        prepared: PreparedInput,
        attempt: Attempt,
        state: AttemptState,
        facts: InputFacts,
    ) -> list[BatchJob] | AskAgain:
        pieces = split(prepared, self._settings.max_requests_per_job, self._settings.max_bytes_per_job)
        self._check(pieces)
        records = self._task.records(state.round)
        records.expect(len(pieces))
        attempt = replace(attempt, since=self._task.owner.run_begin, whole_task=not state.round)
        jobs: list[BatchJob] = []
        going: dict[str, BatchJob] = {}
        sizes: dict[str, int] = {}
        late = ""
        online = identity.piece(self.part(prepared, state), state.round)
        for number, piece in enumerate(pieces):
            state.count_left(prepared.requests or 0, sizes, going)
            while not late and going and (len(going) >= self._most_active or self._is_full(going, piece)):
                self._waiting.wait(going, jobs, state, facts, identity, more=True)
                if self.ending.why is not Why.ENDED:
                    return jobs
                state.count_left(prepared.requests or 0, sizes, going)
            self._begun = identity.fingerprint if state.round or number else None
            own = identity.piece(self.part(piece, state, several=len(pieces) > 1), state.round)
            try:
                with self._telling(jobs, going):
                    found = self._come_to_job(
                        own,
                        piece,
                        prepared,
                        attempt,
                        state,
                        records.at(number),
                        several=len(pieces) > 1,
                        online=online,
                    )
            except _NoJobError as error:
                late = late or str(error)
                continue  # an earlier attempt may have created the jobs of pieces after it
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
            self._stop_if_killed(found.job)
        if late:
            self._waiting.ending = Ending(Why.SWITCH, {}, late)
            return jobs
        for job in self._journaled:
            state.come_to(job, reattached=True)
        jobs += self._journaled
        if going and self._settings.wait:
            state.count_left(prepared.requests or 0, sizes, going)
            self._waiting.wait(going, jobs, state, facts, identity, more=False)
        return jobs

    def _refuse_jobs(self, online: Identity, state: AttemptState) -> None:
        """Leave the round to calls that answer at once, where a job would be late or they have begun before.

        Raises:
            _NoJobError: it would, or they have.
        """
        ready = state.ready
        if ready is None:
            if self._settings.retry_tier is not None and self._asked_at_once(state):
                self._journaled = self._at_once
                raise _NoJobError
            return
        if state.left_until or self._client.service_time() >= ready.switch(ready.requests):
            msg = f"there is no time for a job of {ready.requests} requests"
            raise _NoJobError(msg)
        own = Journal(self._client, str(self._settings.results_uri), online.tag, None)
        if own.parts() or self._asked_at_once(state):
            msg = "an earlier attempt has begun to ask them at once"
            raise _NoJobError(msg)

    @cached_property
    def _at_once(self) -> list[BatchJob]:
        """What earlier attempts asked at once, whatever jobs it was to complete; empty: only in a first round."""
        uri, identity = self._settings.file_uri, self._identity
        if self._task.is_first_try or not self._settings.reattach or uri is None or identity is None:
            return []
        found = journaled_since(self._client, uri, identity, range(LAST_ROUND), model=self._order.model)
        return found if any(round_of(job.display_name) for job in found) else []

    def _asked_at_once(self, state: AttemptState) -> bool:
        """Whether an earlier attempt has asked at once what its jobs left, and they are not found any more."""
        return not state.round and not state.pilot and bool(self._at_once)

    @contextmanager
    def _telling(self, jobs: Sequence[BatchJob], going: Collection[str]) -> Iterator[None]:
        """Tell of the jobs before one that cannot be submitted."""
        try:
            yield
        except JobTimedOut as error:
            if not jobs:
                raise
            names = [job.name for job in jobs]
            raise JobTimedOut(f"{error} {self._left(names, [*going])}", job_names=names) from error
        except CallError:
            if jobs:
                log.warning("A job was refused. %s", self._left([job.name for job in jobs], []))
            raise

    @property
    def _most_active(self) -> int:
        """Return how many jobs go on at a time; the service has a limit for some models."""
        own = self._settings.max_active_jobs
        return min(own, jobs_at_once(self._settings.model) or own)

    def part(self, piece: PreparedInput, state: AttemptState, *, several: bool = False) -> list[Any] | None:
        """Return what tells a job from others of its task: the jobs whose rows it completes, and what it asks.

        That is said by its piece of several, or by what is left where answers were at hand. Where nothing of an earlier
        attempt is to be reattached, what this one alone asked at once tells its further jobs from those of others.
        """
        stands = _id if self._settings.reattach else _own_id
        followed = [*dict.fromkeys(stands(name) for name in state.done if name not in state.twins)]
        return ([*followed, piece.content] if several or piece.reduced else followed) or None

    def comes_to(
        self, jobs: Sequence[BatchJob], identity: Identity, prepared: PreparedInput, state: AttemptState
    ) -> bool:
        """Whether a round would take one of these jobs up."""
        pieces = split(prepared, self._settings.max_requests_per_job, self._settings.max_bytes_per_job)
        several = len(pieces) > 1
        owns = [identity.piece(self.part(piece, state, several=several), state.round) for piece in pieces]
        return any(own.owns(job) for own in owns for job in jobs)

    def _created(self, job: BatchJob) -> None:
        self._task.waiting_for = [*self._task.waiting_for, job.name]
        self._task.appear_until = self._waiting.appear_until([job])

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

    def _check_writable(self, state: AttemptState) -> None:
        """Find out whether rows can land before a job is created for them; the error names those that exist."""
        uri, media = self._settings.results_uri, self._settings.media_uri
        if self._writable:
            return
        try:
            if uri is not None:
                check_writable(uri, self._client)
            if media is not None:
                check_media_writable(media, self._client)
        except ConfigurationError as error:
            if not state.mine:
                raise
            raise ConfigurationError(f"{error} {self._left(state.mine, [])}") from error
        self._writable = True

    def _note(self, found: Found, jobs: Sequence[BatchJob], state: AttemptState) -> AskAgain | None:
        """Take note of a job; return how it ended if nobody reads its rows and a new one is to take its place."""
        state.pass_over([*found.before])
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
            self._runner.wait([found.job.name], plan)
        return again

    def _come_to_job(
        self,
        identity: Identity,
        piece: PreparedInput,
        whole: PreparedInput,
        attempt: Attempt,
        state: AttemptState,
        record: RecordKeeper,
        *,
        several: bool,
        online: Identity,
    ) -> Found:
        owner = self._task.owner
        room = self._room(piece)
        name = identity.display_name(
            self._order.display_name or owner.readable_name, None if room is None else room.tokens
        )
        if several and attempt.resumed:  # which of them was refused is found by looking
            attempt = replace(attempt, resumed=False, look_first=True, reattach=True)

        def spec() -> Any:
            self._refuse_jobs(online, state)
            if self._limit is not None:
                self._limit.check(whole, state.spent)
                self._limit = None  # it has been counted over all jobs of the round
            self._check_writable(state)
            placed = None
            if not piece.entries:
                place = staging_place(self._client, self._order.destination)
                placed = piece.place(self._client, identity, place)
            return self._order.spec(identity, name, piece, placed, owner.labels, several=several)

        def await_capacity(step: AwaitCapacity) -> None:
            self._refuse_jobs(online, state)
            state.deadline = step.deadline
            if state.ready is not None:
                left = state.ready.switch(state.ready.requests) - self._client.service_time()
                step = replace(step, seconds=max(1.0, min(step.seconds, left)))
            if self._settings.deferrable:
                self._defer_for_capacity(step, state)
            clock.sleep(step.seconds)
            self._refuse_jobs(online, state)

        return self._runner.submit(
            identity,
            spec,
            replace(attempt, deadline=state.deadline, conn_id=self._settings.conn_id, room=room),
            display_name=name,
            records=record,
            wanted=lambda: not self._task.killed,
            created=self._created,
            budget=self._settings.budget(self._order.backend),
            await_capacity=await_capacity,
        )

    def _is_full(self, going: Mapping[str, BatchJob], piece: PreparedInput) -> bool:
        """Whether the round's own jobs leave no room for one more among the connection's enqueued tokens."""
        room = self._room(piece) if self._settings.wait else None
        own = sum(tokens_of(job.display_name) or 0 for job in going.values())
        if room is None or own + room.tokens <= room.limit:
            return False
        log.info(
            "The next job asks for about %s tokens, and %s jobs that go on for %s: one of them has to end first "
            "(max_enqueued_tokens of the connection is %s).",
            room.tokens,
            len(going),
            own,
            room.limit,
        )
        return True

    def _room(self, piece: PreparedInput) -> Room | None:
        """Return what a job needs of the connection's enqueued tokens; None: there is no limit, or nobody can tell."""
        config = self._client.config
        limit = config.enqueued_tokens_of(self._order.model) if config.max_enqueued_tokens else None
        tokens = None if limit is None else enqueued_tokens(piece)
        return None if limit is None or tokens is None else Room(self._order.model, tokens, limit)

    def _left(self, names: Sequence[str], over: Sequence[str]) -> str:
        """Tell of the jobs before one that was not submitted; those whose time is over are cancelled, too."""
        became = "Those still running are left running and are billed as they go."
        if over and self._settings.on_timeout == "cancel":
            try:
                ends = cancel_jobs(self._client, over)
                stopping = any(end.asked for end in ends.values())
                became = " ".join(
                    [
                        *(["Cancellation of those still running was requested."] if stopping else []),
                        *(f"{name} {end.words}." for name, end in ends.items() if not end.asked),
                    ]
                )
            except CallError as error:
                became = f"Not all of those still running could be cancelled ({error}): they are billed as they go."
        return (
            f"Before it, {', '.join(names)} had been submitted. {became} The next attempt takes their rows."
        )

    def _stop_if_killed(self, job: BatchJob) -> None:
        if self._task.killed and (became := self._task.cancel_unwanted()):
            own = became.get(job.name)
            said = "has ended" if own is None else own.words
            msg = (
                f"The task was killed while it submitted job {job.name}, which {said}. What it has answered is billed. "
                "The next attempt takes its rows and asks for those that are missing."
            )
            raise JobCancelled(msg, job_names=[job.name])

    def _defer_for_capacity(self, step: AwaitCapacity, state: AttemptState) -> None:
        state = replace(state, before=[*{*state.before, *step.before}])
        checkpoint = Checkpoint(state, [], self._facts or InputFacts(), self._begun, refusals=step.refusals)
        self._task.defer_until(clock.time() + step.seconds, checkpoint.to_event())


def _id(name: str) -> str:
    """Return what stands for a job, or for all that wrote one journal: how many attempts that took says nothing."""
    return Writer.of(name).tag if is_journaled(name) else name.rpartition("/")[2]


def _own_id(name: str) -> str:
    """Return what stands for a job, or for what one attempt wrote to a journal."""
    return name if is_journaled(name) else _id(name)
