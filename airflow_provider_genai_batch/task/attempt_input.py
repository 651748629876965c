"""The input of an attempt: read it, or wait until it can be read, and find the answers that already exist."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.exceptions import PASSING, CallError, InputError, JobTimedOut
from airflow_provider_genai_batch.flows.outcome.messages import nothing_more
from airflow_provider_genai_batch.flows.outcome.settle import AskAgain
from airflow_provider_genai_batch.flows.queue import short
from airflow_provider_genai_batch.flows.retry import LONGEST_OF_HOURS, RetryClock
from airflow_provider_genai_batch.flows.submission.attempt import Attempt
from airflow_provider_genai_batch.models import BatchSource, SqlSource
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.jobs.identity import Identity, merge_labels
from airflow_provider_genai_batch.models.settings.fallback import read_fallbacks
from airflow_provider_genai_batch.models.settings.ready_by import ReadyBy
from airflow_provider_genai_batch.task.checks.checks import keeps_media
from airflow_provider_genai_batch.task.inputs.bigquery.rows import TableReader
from airflow_provider_genai_batch.task.inputs.bigquery.stream import read_stream
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.task.inputs.queries.rows import KeptRows, fetch_rows, words_of
from airflow_provider_genai_batch.task.inputs.queries.snapshot import Snapshot, no_place
from airflow_provider_genai_batch.task.inputs.queries.table_snapshot import TableSnapshot
from airflow_provider_genai_batch.task.inputs.read import staging_place
from airflow_provider_genai_batch.task.inputs.reading import InputReader
from airflow_provider_genai_batch.task.inputs.subset import subset
from airflow_provider_genai_batch.task.port import TaskPort
from airflow_provider_genai_batch.task.reuse.earlier import read_reuse
from airflow_provider_genai_batch.task.reuse.find import Wanted
from airflow_provider_genai_batch.task.reuse.in_tables import RowsAtHand, TableSearch
from airflow_provider_genai_batch.task.reuse.named import last_results
from airflow_provider_genai_batch.task.reuse.prepare import Search
from airflow_provider_genai_batch.task.settings.job_names import read_manifest
from airflow_provider_genai_batch.task.settings.settings import RunSettings
from airflow_provider_genai_batch.task.state import Checkpoint
from airflow_provider_genai_batch.wire.schemas.output_type import job_check
from airflow_provider_genai_batch.wire.tables.sql import read_table

if TYPE_CHECKING:
    from airflow_provider_genai_batch.task.reuse.at_hand import AtHand
    from airflow_provider_genai_batch.task.settings.order import Order
    from airflow_provider_genai_batch.task.tables.ask import TableAsk

log = logging.getLogger(__name__)


@dataclass
class AttemptInput:
    """The input of an attempt.

    Args:
        settings: the task's settings.
        task: the port to the task instance.
        client: the client of the task's connection.

    Attributes:
        at_hand: existing answers to the input; None: the task does not look for any, or has not read the input.
        in_table: the same for rows of a BigQuery table.
    """

    _settings: RunSettings
    _task: TaskPort
    _client: GenAIBatchClient
    at_hand: AtHand | None = None
    in_table: RowsAtHand | None = None

    @contextmanager
    def read(
        self, order: Order, attempt: Attempt, checkpoint: Checkpoint, snapshot: str | None = None
    ) -> Iterator[tuple[PreparedInput, Identity]]:
        """Read the input; after temporary errors wait, in place or by a deferral, and try again.

        Args:
            order: the job's parameters, which say where the input is.
            attempt: what is known beforehand.
            checkpoint: the state that a deferral saves.
            snapshot: the table in which this attempt has kept the rows of a BigQuery table.

        Raises:
            JobTimedOut: the input could not be read until the deadline.
        """
        with ExitStack() as stack:
            failures = 0
            while True:
                try:
                    if order.table is not None:
                        prepared = self._of_table(order, order.table, stack, snapshot)
                    elif order.source.sql is not None:
                        prepared = self._of_query(order, order.source.sql, stack)
                    else:
                        prepared = stack.enter_context(self._reading(order))
                    fingerprint = order.fingerprint(self._client.config, self._settings.conn_id, prepared)
                    identity = Identity(self._task.owner.key, fingerprint)
                    if self.search is not None:
                        self.at_hand = self.search.begin(self._client, prepared, identity, stack)
                    elif prepared.table is not None and order.table is not None and order.table.looks_back:
                        search = self._table_search(order, order.table)
                        self.in_table = search.begin(prepared.table, identity)
                        table = replace(prepared.table, at_hand=self.in_table.table)
                        prepared = replace(prepared, table=table)
                    break
                except PASSING as error:
                    failures += 1
                    self._wait(error, failures, order, attempt, checkpoint)
            yield prepared, identity

    def order_again(self) -> Order:
        """Return the job's parameters for reading the input once more; the rows of a query come from their snapshot.

        Raises:
            InputError: the snapshot no longer exists.
        """
        order = self._settings.order(self._client.config)
        if order.source.sql is None:
            return order
        snapshot = self._snapshot(order, order.source.sql)
        found = None if snapshot is None else snapshot.found()
        if found is None:
            msg = f"the snapshot of {words_of(order.source.sql)} no longer exists"
            raise InputError(msg)
        return replace(order, source=BatchSource(path=found))

    def _reading(self, order: Order, kept: KeptRows | None = None) -> AbstractContextManager[PreparedInput]:
        with_ledger, media = self.search is not None, keeps_media(self._settings)
        return order.read(self._client, keeps_media=media, with_ledger=with_ledger, kept=kept)

    def _of_query(self, order: Order, query: SqlSource, stack: ExitStack) -> PreparedInput:
        """Read the rows of a query from the snapshot of an earlier attempt, or run the query and keep a snapshot.

        Raises:
            InputError: there is no place for a snapshot.
        """
        snapshot, only = self._snapshot(order, query), self._settings.plan_only
        if snapshot is None and not only:
            raise no_place(query)
        found = None if snapshot is None else snapshot.found()
        if snapshot is not None and found is not None:
            log.info("The rows of %s come from the snapshot %s.", words_of(query), found)
            return stack.enter_context(self._reading(order, snapshot.kept(found)))
        assert order.prompt is not None  # noqa: S101 - rows are asked about by one
        named = order.rows.named(order.prompt.columns)
        fetched = fetch_rows(self._task.open_query, query, named, stack)
        if snapshot is not None:
            fetched = snapshot.as_before(fetched, stack)
        prepared = stack.enter_context(self._reading(order, KeptRows(words_of(query), fetched.chunks)))
        if snapshot is not None and not only:
            snapshot.keep(
                fetched
            )  # only after the check: after a refusal the next attempt should read new rows
        return prepared

    def _snapshot(self, order: Order, query: SqlSource) -> Snapshot | TableSnapshot | None:
        """Return the snapshot of a query's rows; None: there is no place for one."""
        place = self._settings.file_uri
        if place is None:
            staging = staging_place(self._client, order.destination)
            on_vertex = order.backend is Backend.VERTEX
            place = f"{staging.rstrip('/')}/query" if on_vertex and staging is not None else None
        owner, results = self._task.owner, self._settings.results_uri
        if place is not None:
            return Snapshot(self._client, place, query, owner.key, owner.first_try)
        if results is None:
            return None
        beside = read_table(results, "results_uri").place
        labels = merge_labels(owner.labels, order.labels)
        return TableSnapshot(self._client, beside, query, owner.key, owner.first_try, labels)

    @cached_property
    def search(self) -> Search | None:
        """Return how to look for existing answers; None: the task uses none."""
        settings = self._settings
        if not (settings.reuse or settings.dedupe) or settings.file_uri is None:
            return None
        reuse, manifest = read_reuse(settings.reuse), self._task.earlier_manifest
        keep, others = not settings.plan_only, _other_models(settings)
        found = (settings.file_uri, reuse, settings.dedupe, wanted_of(settings), manifest, read_manifest)
        return Search(*found, keep=keep, other_models=others)

    @property
    def last_results(self) -> str | None:
        """Return where the rows of the task's last earlier run landed; None: unknown, or they are not used again."""
        return last_results(self._task.earlier_manifest()) if self._settings.reuse else None

    def rest(self, prepared: PreparedInput) -> PreparedInput | None:
        """Return the requests without an existing answer; None: all have one."""
        found = self.in_table or self.at_hand
        return prepared if found is None else found.rest(prepared)

    @property
    def found_anew(self) -> bool:
        """Whether the task looks for existing answers, and no earlier attempt has left its findings."""
        found = self.in_table or self.at_hand
        return found is not None and found.found_anew

    def unanswered(self, prepared: PreparedInput, again: AskAgain) -> PreparedInput | None:
        """Return the requests without an answer; None if they are unknown or cannot be read."""
        same = self.at_hand.same if self.at_hand is not None else ()
        try:
            if again.tally:
                return subset(prepared, again.tally.unanswered, same.__contains__)
        except InputError:
            return None
        return prepared.going_on(again.tables, again.left) if again.tables else None

    def _wait(
        self, error: CallError, failures: int, order: Order, attempt: Attempt, checkpoint: Checkpoint
    ) -> None:
        """Wait because the input cannot be read for now, in place or by a deferral.

        Raises:
            JobTimedOut: the deadline has passed.
        """
        state = checkpoint.state
        tries = RetryClock(
            self._client.service_time,
            deadline=state.deadline or None,
            budget=self._settings.budget(order.backend),
            failures=attempt.refusals + failures - 1,
            longest=LONGEST_OF_HOURS,
        )
        pause = tries.pause(error)
        state.deadline = tries.deadline
        if pause is None:
            became = nothing_more(state.mine, again=not self._task.is_first_try)
            msg = f"The input could not be read until the deadline ({error}). {became}"
            raise JobTimedOut(msg, job_names=state.mine, manifest=state.manifest) from error
        log.warning(
            "The input cannot be read for now (%s). %s; trying again in %.0f s.",
            error,
            "Nothing was created for it, and nothing is billed"
            if self._task.is_first_try and not state.mine
            else "Nothing was created for it; existing jobs were left alone",
            pause,
        )
        if self._settings.deferrable:
            checkpoint = replace(
                checkpoint, refusals=tries.failures, looked=attempt.resumed, look_first=attempt.look_first
            )
            self._task.defer_until(clock.time() + pause, checkpoint.to_event())
        clock.sleep(pause)

    def _of_table(self, order: Order, ask: TableAsk, stack: ExitStack, snapshot: str | None) -> PreparedInput:
        reader = self._table_reader(order, ask)
        if not ask.streamed:
            return reader.read(stack, snapshot)
        asks = (order.source, order.model, order.request_defaults, None)
        lines = InputReader(
            stack, self._client, *asks, several_jobs=True, keeps_media=keeps_media(self._settings)
        )
        return read_stream(reader, lines, snapshot)

    def _table_search(self, order: Order, ask: TableAsk) -> TableSearch:
        settings, labels = self._settings, merge_labels(self._task.owner.labels, order.labels)
        return TableSearch(
            self._client.queries,
            ask,
            order.model,
            read_reuse(settings.reuse),
            settings.dedupe,
            labels,
            self._task.earlier_manifest,
            read_manifest,
        )

    def _table_reader(self, order: Order, ask: TableAsk) -> TableReader:
        labels = merge_labels(self._task.owner.labels, order.labels)
        cut_off_is_ok = self._settings.truncated == "ok"
        assert order.prompt is not None  # noqa: S101 - rows of a table are asked about by one
        asked = (order.prompt, order.model, order.request_defaults)
        return TableReader(self._client, ask, *asked, self._task.owner.key, labels, cut_off_is_ok)


def _other_models(settings: RunSettings) -> frozenset[str]:
    """Return the models, by their short names, that may be asked in place of the task's own."""
    ready_by = ReadyBy.of(settings.ready_by)
    found = [one.model for one in read_fallbacks(settings.fallbacks)]
    found += [] if ready_by is None else [ready_by.model]
    return frozenset(short(model) for model in found if model is not None) - {short(settings.model)}


def wanted_of(settings: RunSettings) -> Wanted:
    """Return the conditions, apart from age, on earlier rows to be used instead of new answers."""
    return Wanted(
        validate=job_check(settings.output_type, settings.request_defaults),
        whole=settings.truncated == "invalid" or settings.answers.typed,
        with_response=settings.keep == "response",
        with_media=settings.media_uri is not None,
    )
