"""The snapshot of a query's rows, beside the results: what every attempt of a run asks about."""

from __future__ import annotations

import logging
from contextlib import ExitStack

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.exceptions import ConfigurationError, UnsupportedError
from airflow_provider_genai_batch.models import SqlSource
from airflow_provider_genai_batch.models.jobs.identity import digest
from airflow_provider_genai_batch.task.files.files import (
    matching_files,
    published,
    read_chunks,
    spool,
)
from airflow_provider_genai_batch.task.inputs.queries.rows import FetchedRows, KeptRows, words_of

log = logging.getLogger(__name__)


class Snapshot:
    """Where the rows of one query of one run of a task are kept.

    Its name says whose rows they are, since which try, and what they are in whatever order. A retry takes the rows of
    its run's first try. A task that was cleared asks the database anew, for somebody may have cleared it because other
    rows are there now; where they are the same it takes the old order, in which their jobs asked them.

    Args:
        client: of the task's connection.
        place: beside which they are kept.
        query: gives the rows.
        key: of the task instance.
        first_try: with which Airflow began it, or began it anew.
    """

    def __init__(
        self, client: GenAIBatchClient, place: str, query: SqlSource, key: str, first_try: int
    ) -> None:
        self._client, self._query = client, query
        self._whose = f"{place}.rows-{digest([key, query.conn_id, query.sql, query.parameters])[:16]}"
        self._begin = f"{self._whose}-{first_try}-"

    def found(self) -> str | None:
        """Return the address of the rows that this attempt or one before it has kept; None: none has.

        Raises:
            InputError: their place cannot be listed.
            CallError: trouble that may pass.
        """
        return next(iter(self._like(self._begin)), None)

    def kept(self, address: str) -> KeptRows:
        """Return rows that are there."""
        return KeptRows(words_of(self._query), lambda: read_chunks(address, self._client))

    def as_before(self, fetched: FetchedRows, stack: ExitStack) -> FetchedRows:
        """Return rows in the order in which the task asked about them before it was cleared, if they are the same."""
        before = [one for one in self._like(f"{self._whose}-") if one.endswith(f"-{fetched.total}")]
        if not before:
            return fetched
        log.info("The rows are those that %s has, and are asked in its order.", before[0])
        lines = stack.enter_context(spool())
        lines.writelines(read_chunks(before[0], self._client))
        return FetchedRows(lines, fetched.total)

    def keep(self, fetched: FetchedRows) -> None:
        """Keep rows, whole or not at all.

        Raises:
            ConfigurationError: they cannot be written there.
        """
        address = f"{self._begin}{fetched.total}"
        try:
            with published(address, self._client) as draft:
                assert draft.stream is not None  # noqa: S101 - there is a place
                draft.stream.writelines(fetched.chunks())
        except OSError as error:
            msg = (
                f"The rows of {words_of(self._query)} cannot be kept in {address}: {error}. A retry would not ask the "
                "same, so nothing was submitted for them and nothing is billed."
            )
            raise ConfigurationError(msg) from error
        log.info("The rows of %s are kept in %s: a retry asks about them.", words_of(self._query), address)

    def _like(self, begin: str) -> list[str]:
        return matching_files(f"{begin}*", self._client)


def no_place(query: SqlSource) -> UnsupportedError:
    """Return the error of rows that could be kept nowhere."""
    return UnsupportedError(
        f"The rows of {words_of(query)} are kept in a file, so that a retry asks the same, and it has no place: give a "
        "file or a table as results_uri, or on Vertex AI staging_uri in the connection or dest as gs://bucket/prefix/"
    )
