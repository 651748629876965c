"""The snapshot of a query's rows in BigQuery, beside the table that the answers land in."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack

from msgspec.json import encode

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.client.storage.table_jobs import Load
from airflow_provider_genai_batch.exceptions import PASSING, ApiError, ConfigurationError
from airflow_provider_genai_batch.models import SqlSource
from airflow_provider_genai_batch.task.files.files import read_chunks, spool
from airflow_provider_genai_batch.task.inputs.queries.rows import FetchedRows, KeptRows, tag_of, words_of
from airflow_provider_genai_batch.task.tables.staged import DAYS
from airflow_provider_genai_batch.wire.tables.load import schema
from airflow_provider_genai_batch.wire.tables.sql import DatasetName, TableName
from airflow_provider_genai_batch.wire.tables.types import Column

log = logging.getLogger(__name__)

_CHUNK = 1024 * 1024
_COLUMNS = (Column("number", "INT64"), Column("lines", "STRING"))
_TOTAL = -1
"""The number of the row that has the digest of all rows, see `FetchedRows.total`."""


class TableSnapshot:
    """The table with the rows of one query in one run of a task, if there is no place for a file; see `Snapshot`.

    Each row of the table has a number and some lines of JSON; the numbers give their order.

    Args:
        client: the client of the task's connection.
        place: the dataset of the table with the answers.
        query: the query.
        key: key of the task instance.
        first_try: number of the first try, or of the first try after a clear.
        labels: the labels of DAG, task and run.
    """

    def __init__(
        self,
        client: GenAIBatchClient,
        place: DatasetName,
        query: SqlSource,
        key: str,
        first_try: int,
        labels: Mapping[str, str],
    ) -> None:
        self._client, self._place, self._query, self._labels = client, place, query, labels
        self._whose = tag_of(query, key)
        self._first_try = first_try

    def found(self) -> str | None:
        """Return the address of the rows that this attempt or an earlier one has kept; None: there are none.

        Raises:
            CallError: BigQuery refused, or could not be reached.
        """
        table = self._table(self._first_try)
        return table.uri if self._client.queries.exists(table) else None

    def kept(self, address: str) -> KeptRows:
        """Return the kept rows."""
        return KeptRows(words_of(self._query), lambda: read_chunks(address, self._client))

    def as_before(self, fetched: FetchedRows, stack: ExitStack) -> FetchedRows:
        """Return the rows in the order that they had before the task was cleared, if they are the same rows."""
        for number in range(self._first_try - 1, 0, -1):
            table = self._table(number)
            if self._client.queries.exists(table) and self._total(table) == fetched.total:
                log.info("The rows are the same as in %s, and keep its order.", table.uri)
                lines = stack.enter_context(spool())
                lines.writelines(read_chunks(table.uri, self._client))
                return FetchedRows(lines, fetched.total)
        return fetched

    def keep(self, fetched: FetchedRows) -> None:
        """Write the rows, completely or not at all.

        Raises:
            ConfigurationError: they cannot be written there.
            CallError: a call failed; a later attempt may succeed.
        """
        table, queries, what = self._table(self._first_try), self._client.queries, words_of(self._query)
        with spool() as lines:
            lines.writelines(_rows(fetched))
            try:
                location = queries.location_of(self._place)
                queries.run(Load(lines, table, schema(_COLUMNS), table.table, location, self._labels))
                queries.keep_for(table, DAYS, self._labels)
            except PASSING:
                raise
            except ApiError as error:
                msg = (
                    f"The rows of {what} cannot be kept in {table.uri}: {error.message}. A retry could get other rows, "
                    "so nothing was submitted for them and nothing is billed."
                )
                raise ConfigurationError(msg) from error
        log.info("The rows of %s are kept in %s, for retries.", what, table.uri)

    def _table(self, first_try: int) -> TableName:
        return self._place.table(f"genai_query_{self._whose}_{first_try}")

    def _total(self, table: TableName) -> str:
        sql = f"SELECT lines FROM {table} WHERE number = {_TOTAL}"  # noqa: S608 - names are checked
        queries = self._client.queries
        return "".join(
            row["lines"] for row in queries.ask(sql, queries.location_of(table.place), self._labels)
        )


def _rows(fetched: FetchedRows) -> Iterator[bytes]:
    yield encode({"number": _TOTAL, "lines": fetched.total}) + b"\n"
    fetched.lines.seek(0)
    number = 0
    while some := fetched.lines.readlines(_CHUNK):
        yield encode({"number": number, "lines": b"".join(some).decode()}) + b"\n"
        number += 1
