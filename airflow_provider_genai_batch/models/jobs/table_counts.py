"""Counts of the rows in a BigQuery table."""

from __future__ import annotations

from airflow_provider_genai_batch.models.base import Noun


class TableCounts(Noun):
    """Rows of a job's output table, counted by their ``status``."""

    total: int = 0
    ok: int = 0
    unanswered: int = 0
    """Rows with neither a status nor a response, because the job ended before it reached them."""
    failures: tuple[tuple[str, int], ...] = ()
    """The most common texts of ``status``, with the number of rows."""

    @property
    def failed(self) -> int:
        """Everything that is not ``ok``."""
        return self.total - self.ok
