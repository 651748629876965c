"""Checks the rows of a BigQuery table and keeps a snapshot of them, before anything is paid."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import astuple, dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.client.storage.queries import TableFacts
from airflow_provider_genai_batch.client.storage.table_jobs import Statement
from airflow_provider_genai_batch.exceptions import InputError
from airflow_provider_genai_batch.models import BatchSource
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.models.jobs.identity import digest
from airflow_provider_genai_batch.models.jobs.job_totals import LONG_PROMPT
from airflow_provider_genai_batch.requests.tables.prompt_template import Prompt
from airflow_provider_genai_batch.requests.token_estimate import BYTES_A_TOKEN, TokenEstimate
from airflow_provider_genai_batch.task.inputs.bigquery.preflight import (
    ANYWHERE,
    TablePreflight,
    explained,
    refuse,
    where_of,
)
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.task.tables.ask import TableAsk
from airflow_provider_genai_batch.task.tables.staged import DAYS, StagedTable, snapshot_name
from airflow_provider_genai_batch.wire.catalog.limits import limits_of
from airflow_provider_genai_batch.wire.schemas.output_type import asks_for_type
from airflow_provider_genai_batch.wire.tables.answers import KEY
from airflow_provider_genai_batch.wire.tables.sql import check_names, name
from airflow_provider_genai_batch.wire.tables.statements import Slot, Snapshot, options

if TYPE_CHECKING:
    from airflow_provider_genai_batch.client import GenAIBatchClient

log = logging.getLogger(__name__)

_LEAST_GUARD = 100 * 1024**2
"""Lowest byte limit of a statement: BigQuery bills at least ten megabytes for each table, which estimates leave out."""


@dataclass(frozen=True)
class KeptTable:
    """A snapshot of rows that passed the checks.

    Attributes:
        table: the snapshot, and how requests are made from it.
        rows: the number of rows.
        tokens: an estimate of the tokens of their requests.
        sums: checksums of the rows.
    """

    table: StagedTable
    rows: int
    tokens: TokenEstimate
    sums: tuple[Any, Any]


@dataclass(frozen=True)
class TableReader:
    """Reads the rows of a table once.

    Attributes:
        client: the client of the task's connection.
        ask: which rows to read, and the table for the answers.
        prompt: the template that makes a request from each row.
        model: the model of the job.
        defaults: fields of every request.
        key: the key of the task instance.
        labels: the labels of DAG, task and run.
        cut_off_is_ok: see `Answers`.
    """

    client: GenAIBatchClient
    ask: TableAsk
    prompt: Prompt
    model: str
    defaults: Any
    key: str
    labels: Mapping[str, str]
    cut_off_is_ok: bool = True

    def read(self, stack: ExitStack, snapshot: str | None = None) -> PreparedInput:
        """Make the checks that cost nothing, take a snapshot of the rows, and check it.

        Args:
            stack: closes what is opened.
            snapshot: the snapshot that this attempt has already.

        Raises:
            InputError: the rows cannot be used; the message lists all problems that were found.
            CallError: BigQuery could not be reached, or failed.
        """
        kept = self.keep(snapshot)
        asked = [piece if isinstance(piece, str) else astuple(piece) for piece in kept.table.pieces]
        return PreparedInput(
            source=BatchSource(bigquery_uri=self.ask.source.uri),
            content=digest([*kept.sums, kept.rows, asked]),
            backend=Backend.VERTEX,
            limits=limits_of(Backend.VERTEX, Task.GENERATE, self.model),
            stack=stack,
            requests=kept.rows,
            asks_for_type=asks_for_type(None, self.defaults),
            table=kept.table,
            tokens=kept.tokens,
        )

    def keep(self, snapshot: str | None = None) -> KeptTable:
        """Take a snapshot of the rows, and check it; see `read`."""
        queries, ask, config = self.client.queries, self.ask, self.client.config
        job_location = ANYWHERE if ask.streamed else config.location
        with explained(queries):
            facts, location = TablePreflight(queries, ask, job_location).look()
        pieces = self.prompt.pieces(self.model, self.defaults, config.backend)
        alone = [one for one in pieces if isinstance(one, Slot) and not "".join(one.literals).strip()]
        rows = self._snapshot(facts, tuple(one.columns for one in alone))
        slots = tuple(one for one in pieces if isinstance(one, Slot))
        form = TokenEstimate().add(
            [from_json("".join(one if isinstance(one, str) else '""' for one in pieces))]
        )
        rows = replace(rows, slots=slots, long_text=int(BYTES_A_TOKEN * (LONG_PROMPT - form.input)))
        if config.backend is Backend.VERTEX:
            rows = replace(rows, files=tuple(one for one in slots if one.is_file))
        TablePreflight(queries, ask, job_location).estimate(rows, facts, location)
        nonce = facts.last_change if facts.kind == "TABLE" else f"{clock.time():.3f}"
        tag = digest([self.key, rows.select(), nonce])[:16]
        table = ask.staging.table(snapshot) if snapshot else snapshot_name(ask.staging, tag)
        labels = {**self.labels, "genai_batch_key": f"k{self.key[:16]}"}
        with explained(queries):
            queries.run(
                Statement(
                    rows.create(table, options(labels, DAYS)),
                    table.table,
                    location,
                    labels,
                    makes=table,
                    again=True,
                    max_bytes=None if ask.max_bytes is None else max(ask.max_bytes, _LEAST_GUARD),
                )
            )
            (found,) = queries.ask(rows.check(table), location, labels)
        _refuse_rows(found, rows, ask)
        log.info("%d rows of %s are kept in %s.", found["total"], ask.source.uri, table.uri)
        staged = StagedTable(
            table, pieces, rows.columns, ask.answers, location, self.labels, self.cut_off_is_ok
        )
        total = int(found["total"])
        return KeptTable(staged, total, _tokens(found, form), (found["sum_a"], found["sum_b"]))

    def _snapshot(self, facts: TableFacts, bare: tuple[tuple[str, ...], ...]) -> Snapshot:
        """Choose the columns of the snapshot.

        Raises:
            InputError: columns do not exist, or their names clash.
        """
        ask, needed = self.ask, self.prompt.columns
        there = {one.lower(): one for one in facts.columns}
        wanted = [("prompt", needed), ("key", ask.key), ("columns", ask.columns or ())]
        problems = [
            f"{what} names {one!r}, and {ask.source.uri} has no such column; there are {', '.join(facts.columns)}"
            for what, columns in wanted
            for one in columns
            if one.lower() not in there
        ]
        problems += [
            f"prompt names {one!r}, and the task gives this name to a column of its own: let a view rename the source's"
            for one in needed
            if one.lower() == KEY
        ]
        back = ask.columns or tuple(facts.columns)
        try:
            check_names([*back, *ask.answer_columns, *ask.own_columns], "The table of the results")
        except InputError as error:
            problems.append(f"{error}, or choose the columns that come back by columns")
        refuse(problems)
        kept = dict.fromkeys([*back, *needed, *ask.key])
        types = {one: facts.columns[there[one.lower()]] for one in kept}
        return Snapshot(ask.source, types, ask.key, ask.where, needed, bare)


def _tokens(found: Mapping[str, Any], form: TokenEstimate) -> TokenEstimate:
    """Return the tokens of all requests, from the bytes that BigQuery has counted and a request without its columns."""
    total, some = int(found["total"]), int(found["long_rows"])
    return TokenEstimate(
        total,
        form.input * total + int(found["bytes"]) / BYTES_A_TOKEN,
        form.output * total,
        form.input * some + int(found["long_bytes"]) / BYTES_A_TOKEN,
        form.output * some,
        form.unbounded * total,
        form.unsized * total,
    )


def _refuse_rows(found: Mapping[str, Any], rows: Snapshot, ask: TableAsk) -> None:
    total, problems = int(found["total"]), list[str]()
    if not total:
        problems.append(f"the table {ask.source.uri} has no rows{where_of(ask)}: there is nothing to ask")
    keys = ", ".join(ask.key)
    if found["without_key"]:
        problems.append(
            f"{found['without_key']} of {total} rows have null in the key ({keys}): choose another key, or leave them "
            "out by where"
        )
    twice = total - int(found["without_key"]) - int(found["distinct_keys"])
    if twice > 0:
        problems.append(
            f"the key ({keys}) is not unique: {twice} of {total} rows have the same key as another row. Name more "
            "columns, or leave key out"
        )
    for number, column in enumerate(rows.needed):
        if nulls := found[f"null_{number}"]:
            problems.append(
                f"{nulls} of {total} rows have null in {column!r}, which the prompt names: leave them out by "
                f'where="{name(column)} IS NOT NULL", or fill them in'
            )
    for number, columns in enumerate(rows.bare):
        if found[f"empty_{number}"] and not any(found[f"null_{rows.needed.index(one)}"] for one in columns):
            problems.append(
                f"{found[f'empty_{number}']} of {total} rows have nothing but blanks in {', '.join(columns)}, and "
                "that part of the prompt has no other text: leave them out by where, or add words to the prompt"
            )
    for number, file in enumerate(rows.files):
        if found[f"file_{number}"] and not any(
            found[f"null_{rows.needed.index(one)}"] for one in file.columns
        ):
            problems.append(
                f"{found[f'file_{number}']} of {total} rows have no address gs://bucket/object in "
                f"{', '.join(file.columns)}, which the prompt needs for a file, and one would fail the whole job: "
                "leave them out by where"
            )
    refuse(problems)
