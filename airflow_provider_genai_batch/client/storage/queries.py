"""Runs statements in BigQuery with job ids that are chosen here, so that no statement runs twice.

A job id can be used only once. So a statement whose answer was lost is sent again with the same id: the service either
accepts it, or answers 409; then the existing job with that id is adopted.

Sources: BigQuery's "Running jobs programmatically" and ``jobs.insert``; its "Error messages" for reasons.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.client.auth.google import Auth
from airflow_provider_genai_batch.client.config import ClientConfig
from airflow_provider_genai_batch.client.storage.bigquery import open_bigquery, refused, renewed
from airflow_provider_genai_batch.client.storage.table_jobs import Load, Statement
from airflow_provider_genai_batch.exceptions import (
    PASSING,
    AlreadyExists,
    AuthenticationError,
    ConfigurationError,
    NotFound,
    QuotaExceeded,
    TransportError,
    UnsupportedError,
)
from airflow_provider_genai_batch.wire.tables.fitting import type_of
from airflow_provider_genai_batch.wire.tables.installed import can_ask
from airflow_provider_genai_batch.wire.tables.sql import DatasetName, TableName

log = logging.getLogger(__name__)
_T = TypeVar("_T")

_SECONDS = 60.0
"""Time limit for one call with its retries."""
_TRIES = 4
"""How often to send a statement whose answer is lost each time."""
_PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds between looks at a job; the last value is for all later ones."""
_REFUSED = 401
_PAGE_ROWS = 2000
"""Rows in memory at a time."""
_MOST_NUMBERS = 100
"""The most jobs of one statement: ended ones that failed or whose table is gone are replaced by a new one."""


@dataclass(frozen=True)
class TableFacts:
    """BigQuery's metadata of a table.

    Attributes:
        kind: TABLE, VIEW, MATERIALIZED_VIEW, EXTERNAL or SNAPSHOT.
        columns: column types by name, in order; an array is ``ARRAY``.
        last_change: milliseconds since the epoch.
        whole: column types by name, including nested types, see `wire.tables.fitting.type_of`.
        divided: it is partitioned or clustered.
    """

    kind: str
    columns: Mapping[str, str]
    last_change: int
    whole: Mapping[str, str]
    divided: bool = False


@dataclass(frozen=True)
class Running:
    """A job that may be running.

    Attributes:
        job_id: the id of the job.
        location: the location of the job.
        labels: the labels of the job, if it is the one that was started here.
    """

    job_id: str
    location: str
    labels: Mapping[str, str]


class Queries:
    """BigQuery, with the rights of the connection's account. All calls block.

    Args:
        config: has the project to bill, and BigQuery's address.
        auth: the connection's credentials.

    Raises:
        UnsupportedError: Google's client is not installed.
        ConfigurationError: the connection names no project to bill.
    """

    def __init__(self, config: ClientConfig, auth: Auth) -> None:
        if not can_ask():
            msg = (
                "Statements in BigQuery need Google's client: install airflow-provider-genai-batch[bigquery]."
            )
            raise UnsupportedError(msg)
        if not config.project:
            msg = (
                'A table in BigQuery needs a project that its jobs are billed to: set "project" in the connection\'s '
                'extra, with "backend": "gemini" for the Gemini API, beside an account ("key_path" or another; without '
                "one the Application Default Credentials)."
            )
            raise ConfigurationError(msg)
        self._config, self._auth = config, auth
        self.billed: dict[str, int] = {}
        """Billed bytes, by the ids of the jobs that ran."""
        self.running: Running | None = None
        """The job that this object is waiting for, or was waiting for when it was interrupted."""

    @property
    def project(self) -> str:
        """The project that is billed."""
        return self._config.project or ""

    def location_of(self, dataset: DatasetName) -> str:
        """Return the location of a dataset. This costs nothing.

        Raises:
            ApiError: BigQuery refused, for example with `NotFound` or `PermissionDenied`.
            TransportError: BigQuery could not be reached.
        """
        found = self._call(
            "datasets.get", lambda client, retry: client.get_dataset(str(dataset), retry=retry)
        )
        return str(found.location)

    def facts_of(self, table: TableName) -> TableFacts:
        """Return the metadata of a table. This costs nothing.

        Raises:
            ApiError: BigQuery refused, for example with `NotFound` or `PermissionDenied`.
            TransportError: BigQuery could not be reached.
        """
        address = f"{table.project}.{table.dataset}.{table.table}"
        found = self._call("tables.get", lambda client, retry: client.get_table(address, retry=retry))
        columns = {one.name: "ARRAY" if one.mode == "REPEATED" else one.field_type for one in found.schema}
        changed = 0 if found.modified is None else int(found.modified.timestamp() * 1000)
        whole = {one.name: type_of(one.to_api_repr()) for one in found.schema}
        divided = bool(found.time_partitioning or found.range_partitioning or found.clustering_fields)
        kind = str(found.table_type)
        # On the service, a clone is a TABLE with a `cloneDefinition`; some emulators call it by its kind in SQL.
        return TableFacts("TABLE" if kind == "CLONE" else kind, columns, changed, whole, divided)

    def exists(self, table: TableName) -> bool:
        """Whether a table exists. This costs nothing."""
        try:
            self.facts_of(table)
        except NotFound:
            return False
        return True

    def estimate(self, sql: str, location: str) -> int:
        """Return the bytes that a statement would read. This costs nothing.

        Raises:
            ApiError: it cannot be run; the message is BigQuery's.
            TransportError: BigQuery could not be reached.
        """

        def ask(client: Any, retry: Any) -> Any:
            from google.cloud import bigquery

            config = bigquery.QueryJobConfig(dry_run=True, use_query_cache=False)
            return client.query(sql, job_config=config, location=location, retry=retry, job_retry=None)

        return int(self._call("jobs.insert", ask).total_bytes_processed or 0)

    def try_table(self, table: TableName) -> None:
        """Check that a table can be written. This changes nothing and costs nothing.

        Raises:
            ApiError: it cannot be written; the message is BigQuery's.
            TransportError: BigQuery could not be reached.
        """
        sql = f"CREATE OR REPLACE TABLE {table} AS SELECT 1 AS probe"
        self.estimate(sql, self.location_of(table.place))

    def ask(self, sql: str, location: str, labels: Mapping[str, str]) -> list[dict[str, Any]]:
        """Run a query that changes nothing, and return its rows.

        Raises:
            ApiError: BigQuery refused.
            TransportError: BigQuery could not be reached.
        """

        def ask(client: Any, retry: Any) -> list[dict[str, Any]]:
            from google.cloud import bigquery

            config = bigquery.QueryJobConfig(labels=dict(labels))
            job = client.query(sql, job_config=config, location=location, retry=retry, job_retry=None)
            rows = [dict(row) for row in job.result(job_retry=None)]
            self.billed[job.job_id] = int(job.total_bytes_billed or 0)
            return rows

        return self._call("jobs.insert", ask)

    def stream(self, sql: str, location: str, labels: Mapping[str, str]) -> Iterator[tuple[Any, ...]]:
        """Run a query that changes nothing, and yield its rows; only one page is in memory at a time.

        Raises:
            ApiError: BigQuery refused.
            TransportError: BigQuery could not be reached.
        """

        def begin(client: Any, retry: Any) -> str:
            from google.cloud import bigquery

            config = bigquery.QueryJobConfig(labels=dict(labels))
            job = client.query(sql, job_config=config, location=location, retry=retry, job_retry=None)
            return str(job.job_id)

        job_id = self._call("jobs.insert", begin)
        self.running = Running(job_id, location, labels)
        self._finish(job_id, location)
        given, renewed_at = 0, -1
        while True:
            try:
                for row in self._rows(job_id, location, given, renew=renewed_at == given):
                    given += 1
                    yield row
            except AuthenticationError as error:
                # A token lasts an hour, and reading all rows may take longer.
                if error.code != _REFUSED or not self._auth.renewable or renewed_at == given:
                    raise
                renewed_at = given
            else:
                return

    def _rows(self, job_id: str, location: str, first: int, *, renew: bool) -> Iterator[tuple[Any, ...]]:
        from google.cloud import bigquery

        headers = self._auth.headers(renew=renew)
        with open_bigquery(self._config, headers, "jobs.getQueryResults") as client:
            retry = bigquery.DEFAULT_RETRY.with_timeout(_SECONDS)
            job = client.get_job(job_id, location=location, retry=retry)
            for row in job.result(start_index=first, page_size=_PAGE_ROWS, retry=retry, job_retry=None):
                yield row.values()

    def keep_for(self, table: TableName, days: int, labels: Mapping[str, str]) -> None:
        """Let a table expire after some days, and label it. This costs nothing.

        Raises:
            ApiError: BigQuery refused.
            TransportError: BigQuery could not be reached.
        """

        def change(client: Any, retry: Any) -> None:
            from google.cloud import bigquery

            one = bigquery.Table(f"{table.project}.{table.dataset}.{table.table}")
            one.expires = clock.now() + timedelta(days=days)
            one.labels = dict(labels)
            client.update_table(one, ["expires", "labels"], retry=retry)

        self._call("tables.patch", change)

    def run(self, statement: Statement | Load) -> str:
        """Run a statement or a load job once, or adopt an existing job that is running or has run it.

        Returns:
            The id of the job.

        Raises:
            ApiError: the statement failed; the message is BigQuery's.
            TransportError: BigQuery could not be reached. If there is a job, the next attempt adopts it.
        """
        for number in range(_MOST_NUMBERS):
            job_id = f"{statement.job_id}_{number}"
            self.running = Running(job_id, statement.location, statement.labels)
            if self._insert(statement, job_id):
                self._finish(job_id, statement.location)
                return job_id
            job = self._job(job_id, statement.location)
            if job.state != "DONE":
                log.info("Adopted job %s, which is running the statement already.", job_id)
                self._finish(job_id, statement.location)
                return job_id
            self.running = None
            if job.error_result is None and statement.again and self._made(statement):
                log.info("Adopted job %s, which has run the statement already.", job_id)
                return job_id
        msg = f"{_MOST_NUMBERS} jobs {statement.job_id}_… failed"
        raise TransportError(msg, method="jobs.insert")

    def look_up(self, job_id: str, location: str) -> None:
        """Add the jobs of a statement to `billed`, also those of an earlier process. This costs nothing.

        Args:
            job_id: the id in the statement, without a number.
            location: the location of the jobs.

        Raises:
            ApiError: BigQuery refused.
            TransportError: BigQuery could not be reached.
        """
        for number in range(_MOST_NUMBERS):
            name = f"{job_id}_{number}"
            if name in self.billed:
                continue
            try:
                job = self._job(name, location)
            except NotFound:
                return
            self.billed[name] = int(getattr(job, "total_bytes_billed", None) or 0)

    def cancel(self, running: Running) -> bool:
        """Read a job, and cancel it if it is the right one.

        Returns:
            False if it has ended, does not exist, or is another job.

        Raises:
            ApiError: BigQuery refused.
            TransportError: BigQuery could not be reached.
        """
        try:
            job = self._job(running.job_id, running.location)
        except NotFound:
            return False
        if job.state == "DONE" or dict(job.labels or {}) != dict(running.labels):
            return False
        self._call("jobs.cancel", lambda _, retry: job.cancel(retry=retry))
        return True

    def _made(self, statement: Statement | Load) -> bool:
        return statement.makes is None or self.exists(statement.makes)

    def _insert(self, statement: Statement | Load, job_id: str) -> bool:
        """Create a job; return False if there already is one with that id that was not created here."""
        unknown = False
        for pause in (*_PAUSES[:_TRIES], None):
            try:
                self._call("jobs.insert", lambda client, _: statement.begin(client, job_id, _SECONDS))
            except AlreadyExists:
                return unknown
            except PASSING as error:
                if pause is None:
                    raise
                unknown = unknown or not isinstance(error, QuotaExceeded)
                log.warning(
                    "It is not known whether BigQuery accepted job %s (%s); sending it again.", job_id, error
                )
                clock.sleep(pause)
            else:
                return True
        return True

    def _job(self, job_id: str, location: str) -> Any:
        return self._call(
            "jobs.get", lambda client, retry: client.get_job(job_id, location=location, retry=retry)
        )

    def _finish(self, job_id: str, location: str) -> None:
        """Wait for the end of a job.

        Raises:
            ApiError: it failed.
        """
        for number in range(10**9):
            job = self._job(job_id, location)
            if job.state == "DONE":
                break
            clock.sleep(_PAUSES[min(number, len(_PAUSES) - 1)])
        self.running = None
        self.billed[job_id] = int(getattr(job, "total_bytes_billed", None) or 0)  # loads are free
        if job.error_result is not None:
            raise refused(job.exception(), "jobs.get")

    def _call(self, method: str, call: Callable[[Any, Any], _T]) -> _T:
        def once(headers: Mapping[str, str]) -> _T:
            from google.cloud import bigquery

            with open_bigquery(self._config, headers, method) as client:
                return call(client, bigquery.DEFAULT_RETRY.with_timeout(_SECONDS))

        return renewed(self._auth, once)
