"""What one attempt of a task does: ask, wait, settle, and ask again for rows that failed. Loaded when it runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.exceptions import PASSING, CallError, InputError, JobTimedOut
from airflow_provider_genai_batch.flows.backoff import backoff
from airflow_provider_genai_batch.flows.describe import describe
from airflow_provider_genai_batch.flows.identity import Identity
from airflow_provider_genai_batch.flows.settle import SubmitAnew
from airflow_provider_genai_batch.flows.submit import Attempt
from airflow_provider_genai_batch.flows.watch import Ending, Why
from airflow_provider_genai_batch.hooks.apart import check_apart, check_media_apart, warn_of_one_file
from airflow_provider_genai_batch.hooks.files import check_place
from airflow_provider_genai_batch.hooks.intake import Intake, columns_of, keys_of, take_in
from airflow_provider_genai_batch.hooks.jobs import JobDesk
from airflow_provider_genai_batch.hooks.landing import Asked, Landing
from airflow_provider_genai_batch.hooks.limit import cost_limit
from airflow_provider_genai_batch.hooks.media import check_media_place
from airflow_provider_genai_batch.hooks.metrics import told
from airflow_provider_genai_batch.hooks.owner import key_of
from airflow_provider_genai_batch.hooks.settings import check_order_settings
from airflow_provider_genai_batch.models.stored import read_stored
from airflow_provider_genai_batch.operators.built import keeps_media
from airflow_provider_genai_batch.operators.wave import Wave
from airflow_provider_genai_batch.triggers.pause import GenAIBatchPauseTrigger, LateRows
from airflow_provider_genai_batch.wire.output_type import job_check

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_genai_batch.hooks.order import Order
    from airflow_provider_genai_batch.models import BatchJob
    from airflow_provider_genai_batch.operators.submit import GenAIBatchOperator
    from airflow_provider_genai_batch.rows.landing import Carry

log = logging.getLogger(__name__)


@dataclass
class Memory:
    """What an attempt knows of what it did, small enough for a deferral."""

    deadline: float = 0.0
    """Until which a lack of capacity is waited out, in seconds since the epoch; 0: none has been met yet."""
    round: int = 0
    done: list[str] = field(default_factory=list)
    """Jobs of earlier rounds."""
    before: list[str] = field(default_factory=list)
    """Jobs of earlier attempts that are of no use."""
    idle: bool = True
    """All jobs so far are of earlier attempts, and had ended."""
    mine: list[str] = field(default_factory=list)
    """Jobs that this attempt came to, in all rounds."""
    taken_up: list[str] = field(default_factory=list)
    """Those of them that are of an earlier attempt."""
    failed_before: list[str] = field(default_factory=list)
    """Those of these that had failed, but left rows."""
    reached: int = 0
    """The round that this attempt was in before it was deferred."""
    twins: list[str] = field(default_factory=list)
    """Those of `mine` that ended beside another job of the same requests."""
    spent: float = 0.0
    """What jobs of earlier rounds are known to have cost, in USD."""

    def memo(
        self, jobs: Sequence[BatchJob], asked: Asked, identity: Identity, *, more: bool = False
    ) -> dict[str, Any]:
        """Return what is handed on over a deferral.

        Args:
            jobs: of this round.
            asked: what is known of the whole input.
            identity: of the whole input.
            more: the round has jobs that are yet to be submitted.
        """
        return {
            "memory": asdict(self),
            "jobs": [*self.done, *(job.name for job in jobs)],
            "asked": asdict(asked),
            "fingerprint": identity.fingerprint,
            "more": more,
        }


@dataclass(frozen=True)
class Memo:
    """What a deferral hands on, as `Memory.memo` and `Wave` write it; another version of this package may have."""

    memory: Memory = field(default_factory=Memory)
    jobs: list[str] = field(default_factory=list)
    asked: Asked = field(default_factory=Asked)
    fingerprint: str | None = None
    """Of the whole input; None: not known, or there are no jobs of it yet."""
    more: bool = False
    refusals: int = 0

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Memo:
        """Read what a trigger's event brings back."""
        memo = read_stored(cls, event.get("memo"))
        return memo if memo.jobs else replace(memo, jobs=[*event.get("job_names", ())])


class Errand:
    """One attempt, or the part of it before or after a deferral.

    Args:
        task: what is wanted.
        context: Airflow's.
        client: of the task's connection.
    """

    def __init__(self, task: GenAIBatchOperator, context: Context, client: GenAIBatchClient) -> None:
        self._task, self._context, self._client = task, context, client
        self._desk = JobDesk(client)

    def run(
        self, attempt: Attempt, before: Memory | None = None, fingerprint: str | None = None
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
        check_order_settings(self._task)
        order = self._task.order(self._client.config)
        cost_limit(self._task.max_cost, order)  # one that cannot be checked is refused before all else
        check_apart(order.source, self._task.results_uri)
        check_media_apart(order.source, self._task.results_uri, self._task.media_uri)
        warn_of_one_file(self._context, self._task.results_uri)
        if self._task.results_uri is not None:
            check_place(self._task.results_uri, self._client)
        if self._task.media_uri is not None:
            check_media_place(self._task.media_uri, self._client)
        memory = Memory()
        if before is not None:
            attempt = replace(attempt, before=before.before, mine=before.mine)
            memory = replace(before, round=0, done=[], reached=max(before.round, before.reached))
            self._task.waiting_for = before.mine
            self._task.stop_if_over()

        def again(error: CallError, failures: int) -> None:
            self._read_later(error, failures, order, attempt, memory, fingerprint)

        with told(self._desk.books, self._context), self._taken_in(order, again) as (intake, identity):
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
        memory: Memory,
        fingerprint: str | None,
    ) -> None:
        """Wait because the input cannot be read for now, or leave by a deferral.

        Raises:
            JobTimedOut: the time for that is over.
        """
        task, failures = self._task, attempt.refusals + failures
        now = self._client.service_time()
        memory.deadline = memory.deadline or now + task.budget(order.backend)
        pause = backoff(failures, getattr(error, "retry_after", None), longest=300.0)
        if now + pause > memory.deadline:
            msg = (
                f"The input could not be read until the deadline ({error}). Nothing was created for it, and nothing is "
                "billed. The next attempt tries again."
            )
            raise JobTimedOut(msg, job_names=memory.mine) from error
        log.warning(
            "The input cannot be read for now (%s). Nothing was created for it, and nothing is billed; trying again in "
            "%.0f s.",
            error,
            pause,
        )
        if task.deferrable:
            memo = {
                "memory": asdict(memory),
                "refusals": failures,
                "fingerprint": fingerprint,
                "looked": attempt.resumed,
                "look_first": attempt.look_first,
            }
            trigger = GenAIBatchPauseTrigger(
                clock.time() + pause, memo, task.conn_id, task.waiting_for, task.cancel_on_kill
            )
            task.defer(trigger=trigger, method_name="execute_after_refusal")
        clock.sleep(pause)

    def resume(self, attempt: Attempt, event: dict[str, Any]) -> dict[str, Any]:
        """Ask again after a lack of capacity; see `run`."""
        memo = read_stored(Memo, event)
        return self.run(attempt, memo.memory, memo.fingerprint)

    def complete(self, event: dict[str, Any]) -> dict[str, Any]:
        """Go on after a deferral; see `run`."""
        memo = Memo.of(event)
        memory = memo.memory
        self._task.waiting_for = [name for name in memory.mine if name not in memo.jobs]
        if memo.more and Ending.from_dict(event).why is Why.ENDED:
            return self.run(Attempt(look_first=True), memory, memo.fingerprint)
        with told(self._desk.books, self._context):
            try:
                return self._settle(event)
            except SubmitAnew as again:
                order = self._task.order(self._client.config)
                with self._taken_in(order) as (intake, identity):
                    if identity.fingerprint != memo.fingerprint:
                        log.warning("The input is not what it was, so no request of it is asked again.")
                        raise (again.failure or again) from again
                    attempt, wave = self._next(intake, again, memory, Attempt(mine=memory.mine))
                    return self._rounds(order, intake, identity, attempt, memory, wave)

    def _rounds(
        self,
        order: Order,
        intake: Intake,
        identity: Identity,
        attempt: Attempt,
        memory: Memory,
        asked_now: Intake,
    ) -> dict[str, Any]:
        asked = Asked.of(intake)
        while True:
            wave = Wave(self._task, self._context, self._client, self._desk, order)
            try:
                jobs = wave.submit(identity, asked_now, attempt, memory, asked)
                if not self._task.wait:
                    return describe(jobs).model_dump(mode="json")
                return self._settle(
                    {**wave.ending.as_dict(), "memo": memory.memo(jobs, asked, identity)}, intake
                )
            except SubmitAnew as again:
                attempt, asked_now = self._next(intake, again, memory, attempt)

    def _next(
        self, intake: Intake, again: SubmitAnew, memory: Memory, attempt: Attempt
    ) -> tuple[Attempt, Intake]:
        """Choose what is asked next: the requests without an answer, or all where they cannot be told."""
        try:
            rest = intake.going_on(again.tables) if again.tables else None
            rest = intake.subset(again.tally.unanswered) if again.tally else rest
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

    def _settle(self, event: dict[str, Any], intake: Intake | None = None) -> dict[str, Any]:
        """Settle what the trigger's event tells of, or would tell of."""
        task, client, memo = self._task, self._client, Memo.of(event)
        asked, memory = memo.asked, memo.memory
        late = LateRows(task, event, task.waiting_for, cancel_on_kill=task.cancel_on_kill)
        with self._columns(asked, intake) as carry:
            landing = Landing(
                results_uri=task.results_uri,
                media_uri=task.media_uri,
                max_failed_rows=task.max_failed_rows,
                asked=asked,
                keys=lambda: (
                    [*intake.keys()]
                    if intake is not None and intake.readable
                    else keys_of(client, lambda: task.order(client.config), asked.key_sum)
                ),
                ordered=task.ordered,
                validate=job_check(task.output_type, task.request_defaults),
                carry=carry,
            )
            manifest = self._desk.settle(
                Ending.from_dict(event),
                memo.jobs,
                landing,
                patience=late.patience if task.deferrable else None,
                taken_up=[name for name in memory.taken_up if name not in memory.done],
                failed_before=memory.failed_before,
                may_ask_again=memory.idle or memory.round < max(task.retry_failed_rows, memory.reached),
            )
        return manifest.model_dump(mode="json")

    @contextmanager
    def _columns(self, asked: Asked, intake: Intake | None) -> Iterator[Carry | None]:
        """Give the columns of a table's rows, where they are to land beside the answers."""
        task, client = self._task, self._client
        if task.prompt is None or task.results_uri is None:
            yield None
            return
        with columns_of(client, lambda: task.order(client.config), asked.content, intake) as columns:
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
                            keeps_media=keeps_media(self._task),
                        )
                    )
                    break
                except PASSING as error:
                    if again is None:
                        raise
                    failures += 1
                    again(error, failures)
            fingerprint = order.fingerprint(self._client.config, self._task.conn_id, intake)
            yield intake, Identity(key_of(self._context), fingerprint)
