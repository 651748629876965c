"""What one attempt of a task does: ask, wait, settle, and ask again for rows that failed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.exceptions import PASSING, CallError, InputError, JobTimedOut
from airflow_provider_genai_batch.flows.outcome.manifest import describe
from airflow_provider_genai_batch.flows.outcome.messages import nothing_more
from airflow_provider_genai_batch.flows.outcome.settle import SubmitAnew
from airflow_provider_genai_batch.flows.outcome.stray_jobs import Strays
from airflow_provider_genai_batch.flows.retry import backoff
from airflow_provider_genai_batch.flows.submission.attempt import Attempt
from airflow_provider_genai_batch.flows.watch import Ending, Why
from airflow_provider_genai_batch.models.identity import Identity
from airflow_provider_genai_batch.task.cost.limit import cost_limit
from airflow_provider_genai_batch.task.files.files import check_place
from airflow_provider_genai_batch.task.files.overlap import check_apart, check_media_apart
from airflow_provider_genai_batch.task.inputs.prepared import Intake
from airflow_provider_genai_batch.task.inputs.read import take_in
from airflow_provider_genai_batch.task.inputs.subset import subset
from airflow_provider_genai_batch.task.landing.land import Asked, Landing
from airflow_provider_genai_batch.task.landing.media import check_media_place
from airflow_provider_genai_batch.task.landing.read_again import columns_of, keys_of
from airflow_provider_genai_batch.task.port import TaskPort
from airflow_provider_genai_batch.task.round import Round
from airflow_provider_genai_batch.task.runner import JobDesk
from airflow_provider_genai_batch.task.settings import RunSettings
from airflow_provider_genai_batch.task.state import AttemptState, Memo
from airflow_provider_genai_batch.task.stray_jobs import StrayJobs
from airflow_provider_genai_batch.task.waiting import Waiting
from airflow_provider_genai_batch.wire.schemas.output_type import job_check

if TYPE_CHECKING:
    from airflow_provider_genai_batch.models import BatchJob
    from airflow_provider_genai_batch.results.write import Carry
    from airflow_provider_genai_batch.task.order import Order

log = logging.getLogger(__name__)


class TaskAttempt:
    """One attempt, or the part of it before or after a deferral.

    Args:
        settings: what is wanted.
        task: the task instance, as far as an attempt sees it.
        client: of the task's connection.
    """

    def __init__(self, settings: RunSettings, task: TaskPort, client: GenAIBatchClient) -> None:
        self._settings, self._task, self._client = settings, task, client
        self._desk = JobDesk(client, task.open_client)

    def run(
        self, attempt: Attempt, before: AttemptState | None = None, fingerprint: str | None = None
    ) -> dict[str, Any]:
        """Submit, wait and settle, round after round.

        Args:
            attempt: what is known beforehand.
            before: what this attempt did before it was deferred; its rounds are gone through again from the first.
            fingerprint: of the whole input, if this attempt has jobs of it already.

        Returns:
            The manifest as JSON.

        Raises:
            InputError: the input is another than that of the jobs that are there.
        """
        settings = self._settings
        order = settings.order(self._client.config)
        cost_limit(settings.max_cost, order)  # one that cannot be checked is refused before all else
        check_apart(order.source, settings.results_uri)
        check_media_apart(order.source, settings.results_uri, settings.media_uri)
        self._task.check_mapped_results()
        if settings.results_uri is not None:
            check_place(settings.results_uri, self._client)
        if settings.media_uri is not None:
            check_media_place(settings.media_uri, self._client)
        memory = AttemptState()
        if before is not None:
            attempt = replace(attempt, before=before.before, mine=before.mine)
            memory = replace(before, round=0, done=[], reached=max(before.round, before.reached))
            self._task.waiting_for = before.mine
            self._task.stop_if_over()

        def again(error: CallError, failures: int) -> None:
            self._read_later(error, failures, order, attempt, memory, fingerprint)

        with self._task.metrics(self._desk.books), self._taken_in(order, again) as (intake, identity):
            if fingerprint not in (None, identity.fingerprint):
                # Asking it from the start would pay for all of it, and again after every deferral that it changes in.
                msg = (
                    "The input is not what it was when this attempt submitted jobs of it, so no others are submitted. "
                    "Those that are there go on and are paid. The next attempt asks the input as it is then: see to it "
                    "that it stays the same while the task waits."
                )
                raise InputError(msg)
            return self._rounds(order, intake, identity, attempt, memory, intake)

    def _read_later(
        self,
        error: CallError,
        failures: int,
        order: Order,
        attempt: Attempt,
        memory: AttemptState,
        fingerprint: str | None,
    ) -> None:
        """Wait because the input cannot be read for now, or leave by a deferral.

        Raises:
            JobTimedOut: the time for that is over.
        """
        failures += attempt.refusals
        now = self._client.service_time()
        memory.deadline = memory.deadline or now + self._settings.budget(order.backend)
        pause = backoff(failures, getattr(error, "retry_after", None), longest=300.0)
        if now + pause > memory.deadline:
            became = nothing_more(memory.mine, again=not self._task.is_first_try)
            msg = f"The input could not be read until the deadline ({error}). {became}"
            raise JobTimedOut(msg, job_names=memory.mine, manifest=memory.manifest) from error
        log.warning(
            "The input cannot be read for now (%s). %s; trying again in %.0f s.",
            error,
            "Nothing was created for it, and nothing is billed"
            if self._task.is_first_try and not memory.mine
            else "Nothing was created for it; jobs that are there are left as they are",
            pause,
        )
        if self._settings.deferrable:
            memo = {
                "memory": asdict(memory),
                "refusals": failures,
                "fingerprint": fingerprint,
                "looked": attempt.resumed,
                "look_first": attempt.look_first,
            }
            self._task.defer_until(clock.time() + pause, memo)
        clock.sleep(pause)

    def resume(self, attempt: Attempt, event: dict[str, Any]) -> dict[str, Any]:
        """Ask again after a lack of capacity; see `run`."""
        memo = Memo.of({"memo": event})
        return self.run(attempt, memo.memory, memo.fingerprint)

    def complete(self, event: dict[str, Any]) -> dict[str, Any]:
        """Go on after a deferral; see `run`."""
        memo = Memo.of(event)
        memory = memo.memory
        self._task.waiting_for = [name for name in memory.mine if name not in memo.jobs]
        if memo.more and Ending.from_dict(event).why is Why.ENDED:
            return self.run(Attempt(look_first=True), memory, memo.fingerprint)
        known = Identity(self._task.key, memo.fingerprint) if memo.fingerprint else None
        with self._task.metrics(self._desk.books):
            strays = self._strays(known, memo.asked, memory)
            try:
                return strays.settled(Ending.from_dict(event), memo, self._settle, event)
            except SubmitAnew as again:
                memory.manifest = again.manifest
                order = self._settings.order(self._client.config)
                attempt = Attempt(look_first=True, mine=memory.mine)

                def later(error: CallError, failures: int) -> None:
                    self._read_later(error, failures, order, attempt, memory, memo.fingerprint)

                with self._taken_in(order, later) as (intake, identity):
                    if identity.fingerprint != memo.fingerprint:
                        log.warning("The input is not what it was, so no request of it is asked again.")
                        raise (again.failure or again) from again
                    attempt = Attempt(mine=memory.mine)
                    further = self._go_on(again, order, intake, identity, attempt, memory, strays)
                    if isinstance(further, dict):
                        return further
                    return self._rounds(order, intake, identity, further[0], memory, further[1])

    def _rounds(
        self,
        order: Order,
        intake: Intake,
        identity: Identity,
        attempt: Attempt,
        memory: AttemptState,
        asked_now: Intake,
    ) -> dict[str, Any]:
        asked = Asked.of(intake)
        while True:
            round_ = Round(self._settings, self._task, self._client, self._desk, order)
            strays = self._strays(identity, asked, memory)
            try:
                jobs = self._submitted(round_, identity, asked_now, attempt, memory, asked)
                if not self._settings.wait:
                    return describe(jobs).model_dump(mode="json")
                names = [*memory.done, *(job.name for job in jobs)]
                memo = Memo(memory, names, asked, identity.fingerprint)
                return strays.settled(round_.ending, memo, partial(self._settle, intake=intake))
            except SubmitAnew as again:
                further = self._go_on(again, order, intake, identity, attempt, memory, strays)
            if isinstance(further, dict):
                return further
            attempt, asked_now = further

    @staticmethod
    def _submitted(
        round_: Round,
        identity: Identity,
        asked_now: Intake,
        attempt: Attempt,
        memory: AttemptState,
        asked: Asked,
    ) -> list[BatchJob]:
        """Come to the jobs of a round; where that fails for want of time, what earlier rounds brought is not lost."""
        try:
            return round_.submit(identity, asked_now, attempt, memory, asked)
        except JobTimedOut as error:
            if memory.manifest is not None and error.manifest is None:
                error.add(f"Earlier: {nothing_more(memory.done, again=True)}")
                error.job_names = (*memory.done, *(n for n in error.job_names if n not in memory.done))
                error.manifest = memory.manifest
            raise

    def _strays(self, identity: Identity | None, asked: Asked, memory: AttemptState) -> StrayJobs:
        def wait(going: Sequence[BatchJob], jobs: Sequence[BatchJob]) -> Ending:
            assert identity is not None  # noqa: S101 - else there are no such jobs
            waiting = Waiting(self._settings, self._task, self._client, self._desk)
            return waiting.wait_for(going, jobs, memory, asked, identity)

        return StrayJobs(self._settings, self._task, self._desk, identity, asked, memory, wait)

    def _go_on(
        self,
        again: SubmitAnew,
        order: Order,
        intake: Intake,
        identity: Identity,
        attempt: Attempt,
        memory: AttemptState,
        strays: StrayJobs,
    ) -> tuple[Attempt, Intake] | dict[str, Any]:
        """Choose what is asked next; if a job that only a list tells of has asked it already, settle with its rows.

        Returns:
            What the next round begins with; or the manifest as JSON.
        """
        while True:
            before = asdict(memory)
            further = self._next(intake, again, memory, attempt)
            later, strays.later = strays.later, Strays()
            if not later or memory.round <= before["round"]:
                return further
            round_ = Round(self._settings, self._task, self._client, self._desk, order)
            if round_.comes_to(later.jobs, identity, further[1], memory):
                return further
            vars(memory).update(before)
            memo = Memo(memory, [*again.job_names], Asked.of(intake), identity.fingerprint)
            try:
                return strays.settled(*strays.joined(memo, later), partial(self._settle, intake=intake))
            except SubmitAnew as more:
                again = more

    def _next(
        self, intake: Intake, again: SubmitAnew, memory: AttemptState, attempt: Attempt
    ) -> tuple[Attempt, Intake]:
        """Choose what is asked next: the requests without an answer, or all where they cannot be told."""
        try:
            rest = intake.going_on(again.tables) if again.tables else None
            rest = subset(intake, again.tally.unanswered) if again.tally else rest
        except InputError:
            rest = None
        memory.deadline = 0.0
        has_jobs = memory.reached > memory.round  # the next round, from before a deferral
        attempt = replace(
            attempt,
            look_first=attempt.look_first or has_jobs or bool(memory.taken_up),
            resumed=False,
            refusals=0,
        )
        memory.manifest = again.manifest
        if rest is not None:
            memory.round += 1
            memory.done = [*again.job_names]
            memory.spent = self._desk.books.spent
            what = f"{rest.requests} requests" if rest.requests else "what failed, by going on with its table"
            log.warning("%s; asking again for %s.", again, what)
            return replace(attempt, reattach=True, before=memory.before), rest
        if not again.cut_short:
            raise (again.failure or again) from again
        memory.before += [name for name in again.useless if name not in memory.before]
        memory.round, memory.done = 0, []
        memory.spent += self._desk.books.spent
        log.warning("%s; submitting a new job.", again)
        return replace(attempt, look_first=True, before=memory.before), intake

    def _settle(
        self,
        ending: Ending,
        memo: Memo,
        event: Mapping[str, Any] | None = None,
        *,
        intake: Intake | None = None,
    ) -> dict[str, Any]:
        """Land rows and decide the outcome.

        Args:
            ending: how the waiting for the round's jobs ended.
            memo: what the attempt knows.
            event: of the trigger that told of this, if one did; late rows are waited for in place without one.
            intake: the whole input, if it is open.
        """
        settings, client = self._settings, self._client
        asked, memory = memo.asked, memo.memory
        if event is None:
            event = {**ending.as_dict(), "memo": memo.as_dict()}
        with self._columns(asked, intake) as carry:
            landing = Landing(
                results_uri=settings.results_uri,
                media_uri=settings.media_uri,
                max_failed_rows=settings.max_failed_rows,
                asked=asked,
                keys=lambda: (
                    [*intake.keys()]
                    if intake is not None and intake.readable
                    else keys_of(client, lambda: settings.order(client.config), asked.key_sum)
                ),
                ordered=settings.ordered,
                validate=job_check(settings.output_type, settings.request_defaults),
                answers=settings.answers,
                output_type=settings.output_type,
                carry=carry,
            )
            manifest = self._desk.settle(
                ending,
                memo.jobs,
                landing,
                patience=self._task.late_rows(event) if settings.deferrable else None,
                taken_up=[name for name in memory.taken_up if name not in memory.done],
                failed_before=memory.failed_before,
                may_ask_again=memory.idle or memory.round < max(settings.retry_failed_rows, memory.reached),
            )
        return manifest.model_dump(mode="json")

    @contextmanager
    def _columns(self, asked: Asked, intake: Intake | None) -> Iterator[Carry | None]:
        """Give the columns of a table's rows, where they are to land beside the answers."""
        settings, client = self._settings, self._client
        if settings.prompt is None or settings.results_uri is None:
            yield None
            return
        with columns_of(client, lambda: settings.order(client.config), asked.content, intake) as columns:
            yield columns

    @contextmanager
    def _taken_in(
        self, order: Order, again: Callable[[CallError, int], None] | None = None
    ) -> Iterator[tuple[Intake, Identity]]:
        """Read the input; where trouble that may pass is met, `again` waits, else it is raised."""
        with ExitStack() as stack:
            failures = 0
            while True:
                try:
                    intake = stack.enter_context(
                        take_in(
                            self._client,
                            order.source,
                            model=order.model,
                            request_defaults=order.request_defaults,
                            prompt=order.prompt,
                            several_jobs=True,
                            keeps_media=self._settings.keeps_media,
                        )
                    )
                    break
                except PASSING as error:
                    if again is None:
                        raise
                    failures += 1
                    again(error, failures)
            fingerprint = order.fingerprint(self._client.config, self._settings.conn_id, intake)
            yield intake, Identity(self._task.key, fingerprint)
