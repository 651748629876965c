"""What a task did in BigQuery."""

from __future__ import annotations

from airflow_provider_genai_batch.models.base import Line, Noun


class TableJobs(Noun):
    """Jobs of BigQuery's beside those of the model: statements and loads."""

    inputs: Line | None = None
    """Address of the snapshot of the rows that were asked about."""
    jobs: tuple[Line, ...] = ()
    """Their ids, as far as the process that wrote the result knows them."""
    bytes_billed: int = 0
    """By all of these; loads are free."""
