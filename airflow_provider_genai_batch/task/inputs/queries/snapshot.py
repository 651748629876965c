"""The snapshot of a query's rows, beside the results: every attempt of a run uses the same rows."""

from __future__ import annotations

import logging
from contextlib import ExitStack

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.exceptions import ConfigurationError, UnsupportedError
from airflow_provider_genai_batch.models import SqlSource
from airflow_provider_genai_batch.task.files.files import (
    matching_files,
    published,
    read_chunks,
    spool,
)
from airflow_provider_genai_batch.task.inputs.queries.rows import FetchedRows, KeptRows, tag_of, words_of

log = logging.getLogger(__name__)


class Snapshot:
    """The file with the rows of one query in one run of a task.

    Its name contains the task instance, its first try, and an order-independent digest of the rows. A retry uses the
    rows of its run's first try. A cleared task queries the database again, because somebody may have cleared it to get
    new rows. If the rows are the same, it uses their old order, in which the existing jobs have them.

    Args:
        client: the client of the task's connection.
        place: the file beside which the snapshot is kept.
        query: the query.
        key: key of the task instance.
        first_try: number of the first try, or of the first try after a clear.
    """

    def __init__(
        self, client: GenAIBatchClient, place: str, query: SqlSource, key: str, first_try: int
    ) -> None:
        self._client, self._query = client, query
        self._whose = f"{place}.rows-{tag_of(query, key)}"
        self._begin = f"{self._whose}-{first_try}-"

    def found(self) -> str | None:
        """Return the address of the rows that this attempt or an earlier one has kept; None: there are none.

        Raises:
            InputError: their folder cannot be listed.
            CallError: a call failed; a later attempt may succeed.
        """
        return next(iter(self._like(self._begin)), None)

    def kept(self, address: str) -> KeptRows:
        """Return the kept rows."""
        return KeptRows(words_of(self._query), lambda: read_chunks(address, self._client))

    def as_before(self, fetched: FetchedRows, stack: ExitStack) -> FetchedRows:
        """Return the rows in the order that they had before the task was cleared, if they are the same rows."""
        before = [one for one in self._like(f"{self._whose}-") if one.endswith(f"-{fetched.total}")]
        if not before:
            return fetched
        log.info("The rows are the same as in %s, and keep its order.", before[0])
        lines = stack.enter_context(spool())
        lines.writelines(read_chunks(before[0], self._client))
        return FetchedRows(lines, fetched.total)

    def keep(self, fetched: FetchedRows) -> None:
        """Write the rows, completely or not at all.

        Raises:
            ConfigurationError: they cannot be written there.
        """
        address = f"{self._begin}{fetched.total}"
        try:
            with published(address, self._client) as draft:
                assert draft.stream is not None  # noqa: S101 - published always opens one
                draft.stream.writelines(fetched.chunks())
        except OSError as error:
            msg = (
                f"The rows of {words_of(self._query)} cannot be kept in {address}: {error}. A retry could get other "
                "rows, so nothing was submitted for them and nothing is billed."
            )
            raise ConfigurationError(msg) from error
        log.info("The rows of %s are kept in %s, for retries.", words_of(self._query), address)

    def _like(self, begin: str) -> list[str]:
        return matching_files(f"{begin}*", self._client)


def no_place(query: SqlSource) -> UnsupportedError:
    """Return the error if there is no place for a snapshot."""
    return UnsupportedError(
        f"The rows of {words_of(query)} must be kept in a file, so that a retry has the same rows, and there is no "
        "place for it: give a file or a table as results_uri, or on Vertex AI staging_uri in the connection or dest as "
        "gs://bucket/prefix/"
    )
