"""Merges the tables of all parts in BigQuery; the rows do not pass through the worker."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.client.storage.table_jobs import Statement
from airflow_provider_genai_batch.exceptions import CallError, InputError
from airflow_provider_genai_batch.models import Manifest
from airflow_provider_genai_batch.models.jobs.identity import digest
from airflow_provider_genai_batch.models.manifest.table_jobs import TableJobs
from airflow_provider_genai_batch.task.tables.staged import DAYS
from airflow_provider_genai_batch.wire.tables.sql import read_table
from airflow_provider_genai_batch.wire.tables.statements import options
from airflow_provider_genai_batch.wire.tables.union import union

log = logging.getLogger(__name__)


def merge_tables(
    parts: Sequence[Manifest],
    client: GenAIBatchClient,
    results_uri: str,
    labels: Mapping[str, str],
) -> TableJobs:
    """Write the rows of all parts to one table, which replaces an existing one. The parts' tables are kept for 30 days.

    Args:
        parts: the manifests, in the order of the input. Their rows have landed in tables of the dataset of
            `results_uri`.
        client: the client of the task's connection.
        results_uri: ``bq://project.dataset.table``.
        labels: the labels of DAG, task and run.

    Returns:
        The jobs in BigQuery, with the bytes billed.

    Raises:
        InputError: the columns of the parts differ.
        OSError: BigQuery did not write the table.
    """
    queries, target = client.queries, read_table(results_uri, "results_uri")
    tables = [read_table(str(part.results_uri), "the part's results_uri") for part in parts]
    try:
        columns = [queries.facts_of(table).whole for table in tables]
        _check_columns(columns)
        sql = union([*zip(tables, map(tuple, columns), strict=True)], target, options(labels))
        location = queries.location_of(target.place)
        queries.run(Statement(sql, f"genai_merge_{digest([sql])[:16]}", location, labels))
        for table in tables:
            queries.keep_for(table, DAYS, labels)
    except CallError as error:
        # The callers of row readers take a CallError for trouble with a job, which this is not.
        raise OSError(str(error)) from error
    log.info("%s is written.", target.uri)
    return TableJobs(jobs=tuple(queries.billed), bytes_billed=sum(queries.billed.values()))


def _check_columns(tables: Sequence[Mapping[str, str]]) -> None:
    first, *others = tables
    differ = sorted({name for one in others for name, _ in one.items() ^ first.items()})
    if differ:
        msg = (
            f"the tables of the parts have different columns ({', '.join(differ)}): clear the parts, so that all are "
            "written by the same version of the DAG."
        )
        raise InputError(msg)
