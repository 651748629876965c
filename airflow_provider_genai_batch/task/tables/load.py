"""Loads landed rows into a typed BigQuery table, and joins them to the rows that the task read."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, BinaryIO

from airflow_provider_genai_batch.client.storage.table_jobs import Load, Statement
from airflow_provider_genai_batch.exceptions import CallError
from airflow_provider_genai_batch.models.jobs.identity import digest
from airflow_provider_genai_batch.models.manifest.table_jobs import TableJobs
from airflow_provider_genai_batch.results.table_sink import TableSink
from airflow_provider_genai_batch.task.files.files import Draft, spool
from airflow_provider_genai_batch.task.tables.ask import TableAsk
from airflow_provider_genai_batch.task.tables.staged import DAYS, jobs_of
from airflow_provider_genai_batch.task.tables.typed import TypedTable
from airflow_provider_genai_batch.wire.tables.answers import KEY, TOKENS
from airflow_provider_genai_batch.wire.tables.joined import Joined
from airflow_provider_genai_batch.wire.tables.load import schema
from airflow_provider_genai_batch.wire.tables.sql import TableName
from airflow_provider_genai_batch.wire.tables.statements import options

if TYPE_CHECKING:
    from airflow_provider_genai_batch.client import GenAIBatchClient
    from airflow_provider_genai_batch.client.storage.queries import Queries

log = logging.getLogger(__name__)

_CHUNK = 256 * 1024


@dataclass(frozen=True)
class LoadedTable:
    """A table that landed rows are loaded into, with or without columns of a BigQuery input.

    Attributes:
        table: the name and columns of the table.
        key: identifies the task instance, so that load jobs of different tasks have different names.
        labels: the labels of DAG, task and run.
        ask: the rows of a BigQuery table that the task read; None: the input is not in BigQuery.
        inputs: the name of their snapshot.
    """

    table: TypedTable
    key: str
    labels: Mapping[str, str]
    ask: TableAsk | None = None
    inputs: str = ""

    def sink(self, out: BinaryIO) -> TableSink:
        """Return a sink that turns lines of rows into lines for the load job."""
        table = self.table
        return TableSink(
            out, table.fields, table.text, [*TOKENS], with_input=table.with_input, with_text=table.keyless
        )

    @contextmanager
    def published(self, client: GenAIBatchClient) -> Iterator[Draft]:
        """Yield a file to write. If the block ends without an error, its rows replace the table; otherwise it stays.

        Raises:
            OSError: BigQuery did not accept the rows.
        """
        with spool() as lines:
            draft = Draft(lines)
            yield draft
            if draft.good:
                try:
                    self._write(client.queries, lines)
                except CallError as error:
                    # The callers of row readers take a CallError for trouble with the batch job, which this is not.
                    raise OSError(str(error)) from error

    def jobs(self, client: GenAIBatchClient) -> TableJobs:
        """Return the jobs in BigQuery, with the bytes billed."""
        queries = client.queries
        if self.ask is not None:
            return jobs_of(queries, self._staged(self.ask, "inputs"))
        return TableJobs(jobs=tuple(queries.billed), bytes_billed=sum(queries.billed.values()))

    def keys(self, client: GenAIBatchClient) -> list[str] | None:
        """Return the keys of the rows that the task read; None if they are not kept in BigQuery."""
        if self.ask is None:
            return None
        queries, inputs = client.queries, self._staged(self.ask, "inputs")
        sql = f"SELECT {KEY} FROM {inputs}"  # noqa: S608 - names are checked where they are read
        return [row[0] for row in queries.stream(sql, queries.location_of(inputs.place), self.labels)]

    def _write(self, queries: Queries, lines: BinaryIO) -> None:
        lines.seek(0)
        content = sha256()
        while chunk := lines.read(_CHUNK):
            content.update(chunk)
        name = self.table.name
        location = queries.location_of(name.place)
        target = name if self.ask is None else self._staged(self.ask, "rows")
        tag = digest([self.key, target.uri, name.uri, content.hexdigest()])[:16]
        job_id = queries.run(
            Load(lines, target, schema(self.table.columns), f"genai_load_{tag}", location, self.labels)
        )
        log.info("Job %s has loaded the rows into %s.", job_id, target.uri)
        if self.ask is None:
            return
        queries.keep_for(target, DAYS, self.labels)
        inputs = self._staged(self.ask, "inputs")
        kept = self.ask.columns or [one for one in queries.facts_of(inputs).columns if one != KEY]
        sql = Joined(inputs, kept, target, self.table.answer_columns).create(name, options(self.labels))
        queries.run(Statement(sql, f"genai_result_{digest([tag, sql])[:16]}", location, self.labels))
        log.info("%s is written.", name.uri)

    def _staged(self, ask: TableAsk, kind: str) -> TableName:
        """Return one of this run's tables in the staging dataset."""
        return ask.staging.table(f"genai_{kind}_{self.inputs.removeprefix('genai_inputs_')}")
