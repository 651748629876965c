"""Counts rows that stay in BigQuery, if possible."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.exceptions import BadRequest, PermissionDenied
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.jobs.table_counts import TableCounts
from airflow_provider_genai_batch.wire.tables.installed import can_ask

log = logging.getLogger(__name__)

_BY_SERVICE = (
    "The service's own counters decide instead; they may lag, and failed rows cannot be submitted again."
)


def count_tables(client: GenAIBatchClient, jobs: Iterable[BatchJob]) -> dict[str, TableCounts] | None:
    """Count the rows of jobs in their tables; return None, and log the reason, if that is impossible.

    Args:
        client: the client of the task's connection.
        jobs: jobs whose rows are in BigQuery.

    Raises:
        CallError: a table cannot be read for now, or is not there yet.
    """
    if not can_ask():
        log.warning('The extra "bigquery" is not installed, so no table is counted. %s', _BY_SERVICE)
        return None
    counted: dict[str, TableCounts] = {}
    for job in jobs:
        try:
            counted[job.name] = client.count_rows(job)
        except (PermissionDenied, BadRequest) as error:
            # A permission or a column is missing: trying again would not help.
            log.warning("%s cannot be counted (%s). %s", job.output.bigquery_table, error, _BY_SERVICE)
            return None
        found = counted[job.name]
        log.info("%s: %d of %d rows are ok.", job.output.bigquery_table, found.ok, found.total)
    return counted
