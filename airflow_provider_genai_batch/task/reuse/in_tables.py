"""Finds existing answers for the rows of a BigQuery table, with one statement, before anything is sent."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.client.storage.queries import Queries, TableFacts
from airflow_provider_genai_batch.client.storage.table_jobs import Statement
from airflow_provider_genai_batch.exceptions import (
    BadRequest,
    InputError,
    NotFound,
    PermissionDenied,
)
from airflow_provider_genai_batch.models import Manifest, Plan, Reuse
from airflow_provider_genai_batch.models.jobs.identity import Identity, merge_labels
from airflow_provider_genai_batch.models.manifest.plan import with_reuse
from airflow_provider_genai_batch.task.checks.reuse_checks import refuse_no_table
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.task.reuse.named import named
from airflow_provider_genai_batch.task.tables.ask import TableAsk
from airflow_provider_genai_batch.task.tables.staged import DAYS, StagedTable, at_hand_name
from airflow_provider_genai_batch.wire.tables.at_hand import (
    NEEDED,
    AtHand,
    EarlierTable,
    counts_at_hand,
    digest_begin,
)
from airflow_provider_genai_batch.wire.tables.fitting import type_of
from airflow_provider_genai_batch.wire.tables.load import schema
from airflow_provider_genai_batch.wire.tables.sql import TableName, is_table, read_table
from airflow_provider_genai_batch.wire.tables.statements import Requests, options

log = logging.getLogger(__name__)

_UNBILLED = "Nothing was sent, and no model is billed."


@dataclass(frozen=True)
class RowsAtHand:
    """The numbers of rows in a snapshot that need no job.

    Attributes:
        table: the table that has the details of each row.
        rows: the number of all rows.
        reused: the number of rows that an earlier result answers.
        same: the number of rows whose request is equal to that of another row. Only that one is sent.
        sums: checksums of the rows that have to be sent.
        found_anew: whether this attempt has searched: no earlier attempt left the table, or it is gone.
    """

    table: TableName
    rows: int
    reused: int
    same: int
    sums: tuple[int, int]
    found_anew: bool

    @property
    def left(self) -> int:
        """The number of rows whose requests have to be sent."""
        return self.rows - self.reused - self.same

    def in_plan(self, plan: Plan | None) -> Plan | None:
        """Return a plan with the numbers of reused and equal rows; an empty plan if nothing is left to send."""
        return with_reuse(plan, left=self.left, reused=self.reused, same=self.same)

    def rest(self, prepared: PreparedInput) -> PreparedInput | None:
        """Return an input with the rows whose requests have to be sent; None if there are none."""
        if not self.left:
            return None
        if self.left == self.rows:
            return prepared
        tokens = None if prepared.tokens is None else prepared.tokens.times(self.left / self.rows)
        content = [prepared.content, self.left, *self.sums]
        return replace(prepared, requests=self.left, content=content, tokens=tokens, reduced=True)


@dataclass(frozen=True)
class TableSearch:
    """The search for existing answers to the rows of a table.

    Attributes:
        queries: BigQuery, through the task's connection.
        ask: which rows, and where the answers go.
        model: the model of the job.
        reuse: names earlier results; None: none are used.
        dedupe: whether equal requests are sent once.
        labels: the labels of DAG, task and run.
        manifest: returns the manifest of the task's latest earlier run, if there is one.
        read_manifest: reads a manifest.
    """

    queries: Queries
    ask: TableAsk
    model: str
    reuse: Reuse | None
    dedupe: bool
    labels: Mapping[str, str]
    manifest: Callable[[], Mapping[str, Any] | None]
    read_manifest: Callable[[Any], Manifest]

    def begin(self, table: StagedTable, identity: Identity) -> RowsAtHand:
        """Search, or use what an earlier attempt has found.

        Args:
            table: the snapshot with the rows.
            identity: the identity of the whole input.

        Raises:
            InputError: earlier results cannot be used, or BigQuery refused the search.
            CallError: a call failed; a later attempt may succeed.
        """
        queries, name = self.queries, at_hand_name(self.ask.staging, identity)
        labels = merge_labels(self.labels, identity.labels())
        found_anew = not queries.exists(name)
        try:
            if found_anew:
                self._find(table, name, labels)
            (found,) = queries.ask(counts_at_hand(name), table.location, labels)
        except (BadRequest, NotFound, PermissionDenied) as error:
            msg = f"BigQuery could not look for answers of earlier results: {error.message}. {_UNBILLED}"
            raise InputError(msg) from error
        counted = {one: int(found[one] or 0) for one in ("total", "reused", "same", "sum_a", "sum_b")}
        at_hand = RowsAtHand(
            name,
            counted["total"],
            counted["reused"],
            counted["same"],
            (counted["sum_a"], counted["sum_b"]),
            found_anew,
        )
        repeats = at_hand.left - int(found["different"])
        if repeats:
            log.info(
                "Requests that are equal to another one: %d. dedupe=True would send them only once.", repeats
            )
        log.info(
            "Of %d rows, earlier results answer %d, and %d are equal to another one. To be submitted: %d. The details "
            "are in %s.",
            at_hand.rows,
            at_hand.reused,
            at_hand.same,
            at_hand.left,
            name.uri,
        )
        return at_hand

    def _find(self, table: StagedTable, name: TableName, labels: Mapping[str, str]) -> None:
        whole = table.answers is None and not table.cut_off_is_ok
        found = AtHand(
            Requests(table.inputs, table.pieces, table.types),
            digest_begin(self.model, whole=whole),
            table.answers,
            [*self._earlier(table.location)],
            self._since(),
            self.dedupe,
        )
        sql = found.create(name, options(labels, DAYS))
        self.queries.run(Statement(sql, name.table, table.location, labels, makes=name, again=True))

    def _since(self) -> datetime | None:
        age = None if self.reuse is None else self.reuse.max_age
        return None if age is None else clock.now() - age

    def _earlier(self, location: str) -> Iterator[EarlierTable]:
        """Yield the tables of earlier results that can be used.

        Raises:
            InputError: one cannot be read, is not a result, or does not exist.
        """
        reuse = self.reuse
        if reuse is None:
            return
        named, missing = self._named(reuse), list[str]()
        for name, by_hand in named.items():
            facts = self._facts(name)
            if facts is None:
                missing.append(name.uri)
            elif self._serves(name, facts, by_hand=by_hand):
                self._refuse_elsewhere(name, location)
                yield EarlierTable(name, self.ask.answer_columns)
        if missing:
            log.info("There are no earlier results at %s.", ", ".join(missing))
        if missing and not reuse.missing_ok:
            msg = (
                f"Earlier results are not there: {', '.join(missing)}. {_UNBILLED} Give others, or missing_ok=True to "
                "submit all rows if there are none."
            )
            raise InputError(msg)

    def _named(self, reuse: Reuse) -> dict[TableName, bool]:
        """Return the tables with earlier results, and whether the user named each. The last one named comes first.

        Raises:
            InputError: a name is not that of a table.
        """
        found: dict[TableName, bool] = {}
        for uri, by_hand in reversed(named(reuse, self.ask.result.uri, self.manifest, self.read_manifest)):
            # Of the task's own results, only tables answer rows of a table.
            if not by_hand and not is_table(uri):
                continue
            refuse_no_table(uri)
            found.setdefault(read_table(uri, "reuse"), by_hand)
        return found

    def _facts(self, name: TableName) -> TableFacts | None:
        try:
            return self.queries.facts_of(name)
        except NotFound:
            return None
        except PermissionDenied as error:
            msg = (
                f"The connection's account lacks BigQuery Data Viewer (roles/bigquery.dataViewer) on {name.uri}, which "
                f"reuse names ({error.message}). {_UNBILLED} Give it the role, or leave reuse out."
            )
            raise InputError(msg) from error

    def _serves(self, name: TableName, facts: TableFacts, *, by_hand: bool) -> bool:
        """Whether the rows of a table can be used again; if not, the reason is logged.

        Raises:
            InputError: the user named the table, and it does not have the columns that are needed.
        """
        there = {one.lower(): kind for one, kind in facts.whole.items()}
        lacks = [one for one in NEEDED if one not in there]
        if lacks and by_hand:
            msg = (
                f"reuse names {name.uri}, which has no column {', '.join(lacks)}: it is not the result of a task with "
                f"reuse or dedupe, so the requests of its rows are not known. {_UNBILLED} Name another table; with "
                "reuse=True a task submits all rows once, and its table can be used from then on."
            )
            raise InputError(msg)
        if lacks:
            log.info(
                "%s was written without reuse or dedupe, so the requests of its rows are not known.", name.uri
            )
            return False
        answers = schema(self.ask.table.columns[: len(self.ask.answer_columns)])
        others = [one["name"] for one in answers if there.get(one["name"].lower()) != type_of(one)]
        if others:
            log.info(
                "%s has answers of other types (%s), so none is used again.", name.uri, ", ".join(others)
            )
        return not others

    def _refuse_elsewhere(self, name: TableName, location: str) -> None:
        if name.place in (self.ask.result.place, self.ask.staging):
            return
        where = self.queries.location_of(name.place)
        if where.lower() != location.lower():
            msg = (
                f"{name.uri}, which reuse names, is in {where}, and the input rows are in {location}, but a statement "
                f"runs in one location. {_UNBILLED} Copy the table, or leave reuse out."
            )
            raise InputError(msg)
