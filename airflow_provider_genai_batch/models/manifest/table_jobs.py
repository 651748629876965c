"""The jobs of a task in BigQuery."""

from __future__ import annotations

from airflow_provider_genai_batch.models.base import Line, Noun


class TableJobs(Noun):
    """Jobs in BigQuery, apart from batch jobs of the model: statements and loads."""

    inputs: Line | None = None
    """Address of the snapshot of the input rows."""
    jobs: tuple[Line, ...] = ()
    """Their ids, as far as the process that wrote the result knows them."""
    bytes_billed: int = 0
    """Bytes billed for all these jobs; loads are free."""
