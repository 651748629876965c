"""Settles an attempt: lands the rows of ended jobs by its settings, and decides its outcome by them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.flows.outcome.settle import Done, Outcome
from airflow_provider_genai_batch.flows.watch import Ending
from airflow_provider_genai_batch.models.jobs.identity import (
    FALLBACK_ROUNDS,
    Identity,
    fallback_of,
    merge_labels,
)
from airflow_provider_genai_batch.models.tier import Tier
from airflow_provider_genai_batch.task.attempt_input import AttemptInput
from airflow_provider_genai_batch.task.fallbacks.ways import Ways
from airflow_provider_genai_batch.task.inputs.facts import InputFacts
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.task.jobs.patience import Patience
from airflow_provider_genai_batch.task.jobs.settler import JobSettler
from airflow_provider_genai_batch.task.landing.landing import Landing
from airflow_provider_genai_batch.task.landing.read_again import reread_columns, reread_keys
from airflow_provider_genai_batch.task.port import TaskPort
from airflow_provider_genai_batch.task.settings.settings import RunSettings
from airflow_provider_genai_batch.task.state import AttemptState, Checkpoint
from airflow_provider_genai_batch.task.tables.land import TableLanding
from airflow_provider_genai_batch.task.tables.load import LoadedTable
from airflow_provider_genai_batch.task.tables.staged import at_hand_name
from airflow_provider_genai_batch.wire.schemas.output_type import job_check

if TYPE_CHECKING:
    from airflow_provider_genai_batch.results.write import Carry
    from airflow_provider_genai_batch.task.settings.order import Order


@dataclass
class Settlement:
    """Settles the jobs of one attempt.

    Args:
        settings: the task's settings.
        task: the port to the task instance.
        client: the client of the task's connection.
        settler: lands rows.
        asked: the input.
        ways: the fallbacks; None: there are none.
    """

    _settings: RunSettings
    _task: TaskPort
    _client: GenAIBatchClient
    _settler: JobSettler
    _input: AttemptInput
    _ways: Ways | None = None

    def settle(
        self,
        ending: Ending,
        checkpoint: Checkpoint,
        event: Mapping[str, Any] | None = None,
        *,
        prepared: PreparedInput | None = None,
        stops: bool = False,
    ) -> Outcome:
        """Land rows and decide the outcome.

        Args:
            ending: how the wait for the round's jobs ended.
            checkpoint: the state of the attempt.
            event: the trigger's event that reported this, if any; without one, late rows are awaited in place.
            prepared: the whole input, if it is open.
            stops: whether nothing is submitted again in this attempt, even if rounds are left.
        """
        facts, state = checkpoint.facts, checkpoint.state
        self._settler.ledger.conn_of = self._whom(state)
        with self._columns(facts, prepared) as carry:
            return self._settler.settle(
                ending,
                checkpoint.jobs,
                self._landing(facts, prepared, carry, state, checkpoint.fingerprint),
                patience=self.late_rows(ending, checkpoint, event),
                reattached=[name for name in state.reattached if not stops and name not in state.done],
                failed_before=state.failed_before,
                may_ask_again=not stops and (self.may_ask_again(state) or self._leads_on(state)),
                rounds_left=not stops and facts.requests is not None and self._rounds_left(state),
            )

    def _whom(self, state: AttemptState) -> Callable[[str], str] | None:
        """Return a function from a job to its connection; None: no fallback has been used."""
        if self._ways is None or not state.fallback:
            return None
        conn_of, own = self._ways.conn_of(state), self._settings.conn_id
        return lambda name: conn_of(name) or own

    def _leads_on(self, state: AttemptState) -> bool:
        return self._ways is not None and self._ways.has_next(state)

    def may_ask_again(self, state: AttemptState) -> bool:
        """Whether failed rows may be submitted once more in the same way."""
        return state.idle or self._rounds_left(state)

    def _rounds_left(self, state: AttemptState) -> bool:
        if state.left_until and not Tier(state.tier).at_once:
            return True
        rounds = self._settings.retry_failed_rows + state.pilot
        own = state.round - state.fallback * FALLBACK_ROUNDS
        came_further = state.round < state.reached and fallback_of(state.reached) == state.fallback
        return own < rounds or came_further

    def _landing(
        self,
        facts: InputFacts,
        prepared: PreparedInput | None,
        carry: Carry | None,
        state: AttemptState,
        fingerprint: str | None,
    ) -> Landing:
        settings, client = self._settings, self._client
        into = self._into(facts, fingerprint)
        loads = into if isinstance(into, LoadedTable) else None
        check = job_check(settings.output_type, settings.request_defaults)
        return Landing(
            results_uri=settings.file_uri if loads is None else loads.table.name.uri,
            media_uri=settings.media_uri,
            max_failed_rows=settings.max_failed_rows,
            facts=facts,
            keys=lambda: (
                [*prepared.keys()]
                if prepared is not None and prepared.readable
                else (loads and loads.keys(client))
                or reread_keys(client, self._input.order_again, facts.key_sum)
            ),
            ordered=settings.ordered and loads is None,
            listed=settings.listed and loads is None,
            validate=check if loads is None else loads.table.checked(check),
            answers=settings.answers,
            output_type=settings.output_type,
            carry=carry,
            checks=tuple(settings.checks or ()),
            on_check=settings.on_check,
            at_hand=self._input.at_hand,
            into=into if isinstance(into, TableLanding) else None,
            loads=loads,
            client_of=None if self._ways is None else self._ways.client_of(state),
        )

    def late_rows(
        self, ending: Ending, checkpoint: Checkpoint, event: Mapping[str, Any] | None
    ) -> Patience | None:
        """Return how to wait for late rows; None: in place."""
        if not self._settings.deferrable:
            return None
        return self._task.late_rows(event or {**ending.as_dict(), "memo": checkpoint.to_event()})

    @contextmanager
    def _columns(self, facts: InputFacts, prepared: PreparedInput | None) -> Iterator[Carry | None]:
        """Yield the columns of the input rows, if they land beside the answers."""
        settings = self._settings
        if settings.prompt is None or settings.results_uri is None or facts.snapshot is not None:
            yield None
            return
        with reread_columns(self._client, self._input.order_again, facts.content, prepared) as columns:
            yield columns

    def land_at_hand(self, order: Order, prepared: PreparedInput, fingerprint: str) -> Done:
        """Land the rows of an input that is answered already."""
        facts = InputFacts.of(prepared)
        with self._columns(facts, prepared) as carry:
            landing = self._landing(facts, prepared, carry, AttemptState(), fingerprint)
            return self._settler.land_at_hand(order, landing)

    def table_of(self, facts: InputFacts) -> TableLanding | None:
        """Return the BigQuery table that a statement writes; None: the task writes none."""
        into = None if facts.snapshot is None else self._into(facts, None)
        return into if isinstance(into, TableLanding) else None

    def _into(self, facts: InputFacts, fingerprint: str | None) -> TableLanding | LoadedTable | None:
        """Return the BigQuery table in which rows land; None if the task has none."""
        settings, owner = self._settings, self._task.owner
        if facts.snapshot is None and settings.file_uri == settings.results_uri:
            return None
        order = settings.order(self._client.config)
        labels = merge_labels(owner.labels, order.labels)
        if order.table is None:
            table = settings.typed(order.backend)
            return None if table is None else LoadedTable(table, owner.key, labels)
        inputs = facts.snapshot or ""
        if order.table.streamed:
            return LoadedTable(order.table.table, owner.key, labels, order.table, inputs)
        at_hand = None
        if order.table.looks_back and fingerprint is not None:
            at_hand = at_hand_name(order.table.staging, Identity(owner.key, fingerprint))
        checks = tuple(settings.checks or ())
        return TableLanding(order.table, inputs, labels, settings.truncated == "ok", at_hand, checks)
