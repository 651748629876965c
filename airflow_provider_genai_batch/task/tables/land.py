"""Writes and counts the result table of a task in BigQuery."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_genai_batch.checks import Check
from airflow_provider_genai_batch.client.storage.table_jobs import Statement
from airflow_provider_genai_batch.exceptions import BadRequest, ResultsNotWritten
from airflow_provider_genai_batch.models import BatchJob, Checked, RowCounts
from airflow_provider_genai_batch.models.jobs.identity import digest
from airflow_provider_genai_batch.models.jobs.job_totals import LONG_PROMPT
from airflow_provider_genai_batch.models.manifest.table_jobs import TableJobs
from airflow_provider_genai_batch.results.counting.row_counter import RowCounter
from airflow_provider_genai_batch.results.counting.unread_rows import count_by_result
from airflow_provider_genai_batch.results.gates import found_in_table
from airflow_provider_genai_batch.task.tables.ask import TableAsk
from airflow_provider_genai_batch.task.tables.staged import answers_of, jobs_of
from airflow_provider_genai_batch.task.tables.totals import shares_of, tiers_of
from airflow_provider_genai_batch.wire.answers.answer import PlainRow
from airflow_provider_genai_batch.wire.tables.answers import (
    KEY,
    TOKENS,
    KeptAtHand,
    Result,
    counts,
    measured,
    usage,
)
from airflow_provider_genai_batch.wire.tables.at_hand import counts_unpaid
from airflow_provider_genai_batch.wire.tables.sql import TableName, read_table
from airflow_provider_genai_batch.wire.tables.statements import options

if TYPE_CHECKING:
    from airflow_provider_genai_batch.client import GenAIBatchClient
    from airflow_provider_genai_batch.client.storage.queries import Queries

log = logging.getLogger(__name__)


class Meter(Protocol):
    """Measures rows that are only counted."""

    def begin(self) -> None:
        """Start again from nothing."""
        ...

    def watch(self, rows: Iterable[PlainRow]) -> Iterator[PlainRow]:
        """Measure rows, and pass them on."""
        ...


@dataclass(frozen=True)
class TableLanding:
    """How rows land in a table, together with columns of the input.

    Attributes:
        ask: the rows that were read, and the table that is written.
        inputs: the name of the snapshot.
        labels: the labels of DAG, task and run.
        cut_off_is_ok: see `Answers`.
        at_hand: the table of existing answers; None: there was no search for them.
        checks: the checks of all rows together.
    """

    ask: TableAsk
    inputs: str
    labels: Mapping[str, str]
    cut_off_is_ok: bool = True
    at_hand: TableName | None = None
    checks: tuple[Check, ...] = ()

    def land(self, client: GenAIBatchClient, jobs: Sequence[BatchJob]) -> RowCounter:
        """Write the result table from the answers of jobs, and count its rows. An existing table is replaced.

        Raises:
            ApiError: a table of answers does not exist yet, or BigQuery refused.
            ResultsNotWritten: BigQuery refused the statement that writes the table.
            TransportError: BigQuery could not be reached.
        """
        ask, queries = self.ask, client.queries
        written = [job for job in jobs if job.output.bigquery_table]
        tables = [job.output.bigquery_table for job in written if job.output.bigquery_table]
        answers = answers_of(queries, tables, ask.answers, self.cut_off_is_ok)
        inputs = TableName(ask.staging.project, ask.staging.dataset, self.inputs)
        location = queries.location_of(ask.staging)
        kept = ask.columns or [one for one in queries.facts_of(inputs).columns if one != KEY]
        result = Result(inputs, {one: one for one in kept}, answers, ask.rename, self._kept(queries))
        sql = result.create(ask.result, options(self.labels))
        job_id = f"genai_result_{digest([self.inputs, sql])[:16]}"
        try:
            queries.run(Statement(sql, job_id, location, self.labels))
        except BadRequest as error:
            if not jobs:
                msg = (
                    f"BigQuery could not write {ask.result.uri}: {error.message}. No job was needed for its rows, and "
                    "no model is billed. The next attempt writes the table again."
                )
                raise ResultsNotWritten(msg, job_names=()) from error
            names = ", ".join(job.name for job in jobs)
            msg = (
                f"BigQuery could not write {ask.result.uri}: {error.message}. {names} has ended and its answered rows "
                f"are paid for; they are in {', '.join(tables)}. The next attempt writes the table again and pays "
                "nothing."
            )
            raise ResultsNotWritten(msg, job_names=[job.name for job in jobs]) from error
        found = queries.ask(counts(ask.result), location, self.labels)
        used = queries.ask(usage(answers, LONG_PROMPT), location, self.labels) if answers.tables else []
        log.info(
            "%s is written; BigQuery billed %d bytes for it.", ask.result.uri, sum(queries.billed.values())
        )
        tally = RowCounter(expected=None, reuses=self.at_hand is not None)
        unpaid = [] if self.at_hand is None else queries.ask(counts_unpaid(ask.result), location, self.labels)
        tiers = tiers_of(client, answers, written, location, self.labels)
        count_by_result(tally, found, shares_of(used, jobs), unpaid, tiers)
        tally.checked = self._checked(queries, location, tally.counts)
        return tally

    def _checked(self, queries: Queries, location: str, rows: RowCounts) -> tuple[Checked, ...]:
        """Let BigQuery count what the checks look at in the table that was written."""
        gates, found = self.ask.gates(self.checks), dict[str, Any]()
        if gates.needs_query:
            (found,) = queries.ask(gates.query(self.ask.result), location, self.labels)
        return found_in_table(self.checks, found, rows)

    def _kept(self, queries: Queries) -> KeptAtHand | None:
        if self.at_hand is None:
            return None
        return KeptAtHand(self.at_hand, "tokens" in queries.facts_of(self.at_hand).columns)

    def measure(self, client: GenAIBatchClient, jobs: Sequence[BatchJob], meter: Meter) -> RowCounter:
        """Read the answers to the requests of jobs, and count them; nothing is written.

        Raises:
            ApiError: a table of answers does not exist yet, or BigQuery refused.
            TransportError: BigQuery could not be reached.
        """
        queries, ended = client.queries, [job for job in jobs if job.output.bigquery_table]
        tables = [job.output.bigquery_table for job in ended if job.output.bigquery_table]
        answers = answers_of(queries, tables, self.ask.answers, self.cut_off_is_ok)
        asked = [uri for job in ended if job.source and (uri := job.source.bigquery_uri)]
        location = queries.location_of(self.ask.staging)
        sql = measured([read_table(uri, "The input of a job") for uri in asked], answers)
        meter.begin()
        found = Counter[tuple[str, str]]()
        for row in meter.watch(_as_row(*one) for one in queries.stream(sql, location, self.labels)):
            said = str((row["error"] or {}).get("message") or "")
            found[row["status"], said.partition(":")[0] if row["status"] == "invalid" else said] += 1
        alike = Counter[str]()
        for (status, _), number in found.items():
            alike[status] += number
        lines = [
            {"row_status": status, "cause": cause, "number": number, "alike": alike[status]}
            for (status, cause), number in found.most_common()
        ]
        used = queries.ask(usage(answers, LONG_PROMPT), location, self.labels)
        tally = RowCounter(expected=None)
        tiers = tiers_of(client, answers, ended, location, self.labels)
        count_by_result(tally, lines, shares_of(used, jobs), tiers=tiers)
        return tally

    def jobs(self, client: GenAIBatchClient, jobs: Sequence[BatchJob]) -> TableJobs:
        """Return the jobs in BigQuery that prepared the input of these batch jobs and wrote their result."""
        asked = [str(job.source).rpartition(".")[2] for job in jobs]
        inputs = TableName(self.ask.staging.project, self.ask.staging.dataset, self.inputs)
        return jobs_of(client.queries, inputs, [one for one in asked if one.startswith("genai_requests_")])


def _as_row(key: str, status: str, error: str | None, text: str | None, *tokens: int | None) -> PlainRow:
    """Make a row, as it would be read from a job's output, from the columns of `measured`."""
    spent = {kind: number or 0 for kind, number in zip(TOKENS, tokens, strict=True)}
    return {
        "key": key,
        "index": None,
        "status": status,
        "text": text,
        "output": None,
        "error": None if error is None else {"message": error},
        "finish_reason": None,
        "usage": spent if any(spent.values()) else None,
        "model_version": None,
    }
