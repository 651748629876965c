"""Checks the rows of a BigQuery table and keeps a snapshot of them, before anything is paid."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import astuple, dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.client.storage.queries import Queries, TableFacts
from airflow_provider_genai_batch.client.storage.table_jobs import Statement
from airflow_provider_genai_batch.exceptions import (
    ApiError,
    BadRequest,
    InputError,
    NotFound,
    PermissionDenied,
)
from airflow_provider_genai_batch.models import BatchSource
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.models.jobs.identity import digest
from airflow_provider_genai_batch.models.jobs.job_totals import LONG_PROMPT
from airflow_provider_genai_batch.requests.tables.prompt_template import Prompt
from airflow_provider_genai_batch.requests.token_estimate import BYTES_A_TOKEN, TokenEstimate
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.task.tables.ask import TableAsk
from airflow_provider_genai_batch.task.tables.staged import DAYS, StagedTable, snapshot_name
from airflow_provider_genai_batch.wire.catalog.limits import limits_of
from airflow_provider_genai_batch.wire.schemas.output_type import asks_for_type
from airflow_provider_genai_batch.wire.tables.sql import DatasetName, check_names, name
from airflow_provider_genai_batch.wire.tables.statements import Slot, Snapshot, options

if TYPE_CHECKING:
    from airflow_provider_genai_batch.client import GenAIBatchClient

log = logging.getLogger(__name__)

_MANY_REGIONS = ("us", "eu")
_ANYWHERE = "global"
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
        job_location = _ANYWHERE if ask.streamed else config.location
        with _explained(queries):
            facts, location = _Preflight(queries, ask, job_location).look()
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
        _Preflight(queries, ask, job_location).estimate(rows, location)
        nonce = facts.last_change if facts.kind == "TABLE" else f"{clock.time():.3f}"
        tag = digest([self.key, rows.select(), nonce])[:16]
        table = ask.staging.table(snapshot) if snapshot else snapshot_name(ask.staging, tag)
        labels = {**self.labels, "genai_batch_key": f"k{self.key[:16]}"}
        with _explained(queries):
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
        back = ask.columns or tuple(facts.columns)
        try:
            check_names([*back, *ask.answer_columns, *ask.own_columns], "The table of the results")
        except InputError as error:
            problems.append(f"{error}, or choose the columns that come back by columns")
        _refuse(problems)
        kept = dict.fromkeys([*back, *needed, *ask.key])
        types = {one: facts.columns[there[one.lower()]] for one in kept}
        return Snapshot(ask.source, types, ask.key, ask.where, needed, bare)


class _Preflight:
    """Checks datasets, tables and statements without cost."""

    def __init__(self, queries: Queries, ask: TableAsk, job_location: str) -> None:
        self._queries, self._ask, self._job_location = queries, ask, job_location

    def look(self) -> tuple[TableFacts, str]:
        """Return the facts about the source, and the location of the datasets.

        Raises:
            InputError: a dataset or table does not exist, may not be read, or is in another location.
        """
        ask, problems = self._ask, list[str]()
        places: dict[DatasetName, str] = {}
        for what, dataset in (
            ("src", ask.source.place),
            ("staging", ask.staging),
            ("dest", ask.result.place),
        ):
            if dataset in places:
                continue
            try:
                places[dataset] = self._queries.location_of(dataset)
            except NotFound:
                problems.append(f"the dataset {dataset} of {what} does not exist: create it")
            except PermissionDenied as error:
                problems.append(
                    _lacks(
                        "BigQuery Data Viewer (roles/bigquery.dataViewer)", f"the dataset {dataset}", error
                    )
                )
        facts = None
        try:
            facts = self._queries.facts_of(ask.source)
        except NotFound:
            if ask.source.place in places:
                problems.append(f"the table {ask.source.uri} does not exist")
        except PermissionDenied as error:
            problems.append(_lacks("BigQuery Data Viewer (roles/bigquery.dataViewer)", ask.source.uri, error))
        if len({where.lower() for where in places.values()}) > 1:
            said = ", ".join(f"{dataset} is in {where}" for dataset, where in places.items())
            problems.append(
                f"src, staging and dest are in several locations, but a statement runs in one: {said}"
            )
        elif places and (said := self._elsewhere(next(iter(places.values())))):
            problems.append(said)
        _refuse(problems)
        assert facts is not None  # noqa: S101 - else there is a problem
        return facts, places[ask.source.place]

    def _elsewhere(self, where: str) -> str:
        """Return the problem if the jobs run in another region than the datasets; empty if there is none."""
        job = self._job_location.lower()
        if job == _ANYWHERE or where.lower() == job:
            return ""
        if where.lower() in _MANY_REGIONS:
            log.warning(
                "The datasets are in %s and the jobs run in %s. Google's page on batch jobs asks for one region; if "
                "the job is refused, use datasets in %s.",
                where,
                job,
                job,
            )
            return ""
        return f"the datasets are in {where} and the connection runs jobs in {job}: give it that location or use others"

    def estimate(self, rows: Snapshot, location: str) -> None:
        """Let BigQuery check the statements without running them.

        Raises:
            InputError: a statement is wrong, reads too much, or is not allowed.
        """
        ask, problems = self._ask, list[str]()
        probe = "AS SELECT 1 AS probe"
        writes = {f"CREATE TABLE IF NOT EXISTS {ask.staging.table('genai_probe')} {probe}": ask.staging}
        writes[f"CREATE OR REPLACE TABLE {ask.result} {probe}"] = ask.result.place
        try:
            size = self._queries.estimate(rows.select(), location)
        except PermissionDenied as error:
            problems.append(_lacks_job(self._queries, error, f"BigQuery Data Viewer on {ask.source.place}"))
        except (BadRequest, NotFound) as error:
            problems.append(f"BigQuery cannot read the rows of {ask.source.uri}{_by(ask)}: {error.message}")
        else:
            log.info("Reading the rows of %s scans %d bytes.", ask.source.uri, size)
            if ask.max_bytes is not None and size > ask.max_bytes:
                problems.append(
                    f"reading {ask.source.uri} scans {size} bytes, and max_bytes={ask.max_bytes} allows fewer: name "
                    "columns, give where with a condition on the partitions, or raise it"
                )
            for sql, dataset in writes.items():
                try:
                    self._queries.estimate(sql, location)
                except PermissionDenied as error:
                    problems.append(
                        _lacks(
                            "BigQuery Data Editor (roles/bigquery.dataEditor)",
                            f"the dataset {dataset}",
                            error,
                        )
                    )
        _refuse(problems)


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


@contextmanager
def _explained(queries: Queries) -> Iterator[None]:
    try:
        yield
    except PermissionDenied as error:
        _refuse([_lacks_job(queries, error, "those on the datasets")])
    except (BadRequest, NotFound) as error:
        _refuse([f"BigQuery refused a statement: {error.message}"])


def _refuse_rows(found: Mapping[str, Any], rows: Snapshot, ask: TableAsk) -> None:
    total, problems = int(found["total"]), list[str]()
    if not total:
        problems.append(f"{ask.source.uri} has no rows{_by(ask)}: there is nothing to ask")
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
                f"{found[f'file_{number}']} of {total} rows have no gs:// address in {', '.join(file.columns)}, which "
                "the prompt needs for a file, and one would fail the whole job: leave them out by where"
            )
    _refuse(problems)


def _by(ask: TableAsk) -> str:
    return f" where {ask.where}" if ask.where else ""


def _lacks(role: str, where: str, error: ApiError) -> str:
    return f"the connection's account lacks {role} on {where} ({error.message})"


def _lacks_job(queries: Queries, error: ApiError, other: str) -> str:
    return (
        "the connection's account lacks BigQuery Job User (roles/bigquery.jobUser) in the project "
        f"{queries.project}, or {other} ({error.message})"
    )


def _refuse(problems: list[str]) -> None:
    if not problems:
        return
    said = problems[0]
    if len(problems) > 1:
        numbered = "; ".join(f"({number}) {each}" for number, each in enumerate(problems, 1))
        said = f"{len(problems)} things are wrong: {numbered}"
    msg = f"{said[0].upper() + said[1:]}. Nothing was sent, and no model is billed."
    raise InputError(msg)
