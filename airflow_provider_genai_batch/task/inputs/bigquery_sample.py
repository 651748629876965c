"""Checks the first requests of a BigQuery table that the service reads in place."""

from __future__ import annotations

import logging
from typing import Any

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.exceptions import CallError, RequestError, UnsupportedError
from airflow_provider_genai_batch.models.family import Family
from airflow_provider_genai_batch.requests.line_kind import parse, says
from airflow_provider_genai_batch.requests.write import Check
from airflow_provider_genai_batch.wire.catalog.publishers import family_of, task_of
from airflow_provider_genai_batch.wire.lines.request import rest_request
from airflow_provider_genai_batch.wire.partners.request import check_whole, column_of
from airflow_provider_genai_batch.wire.prompts.embed import takes_text_only

log = logging.getLogger(__name__)

MOST = 100
"""Rows to check: most mistakes are in every row."""


def check_sample(client: GenAIBatchClient, table: str, model: str, check: Check | None = None) -> None:
    """Check the first requests of a table like those of a file; log if they cannot be read.

    Args:
        client: the client of the task's connection.
        table: ``bq://project.dataset.table``.
        model: the job's model.
        check: refuses further requests, which the service would accept.

    Raises:
        RequestError: one of them would be refused.
    """
    if takes_text_only(model, client.config.backend):
        return
    if client.config.host and not client.config.bigquery_endpoint:
        log.info(
            "The requests in %s are not checked: the connection has a host, but no bigquery_endpoint.", table
        )
        return
    try:
        rows = client.sample_requests(table, MOST, column_of(family_of(model)))
    except (UnsupportedError, CallError) as error:
        log.warning("The requests in %s could not be checked before submitting them: %s", table, error)
        return
    for number, row in enumerate(rows, 1):
        where = f"row {number} of those that BigQuery lists first in {table}"
        try:
            _check(client, row, model, check, where)
        except RequestError as error:
            raise error.at(where) from error
    log.info("The first %d requests in %s are right; the others were not checked.", len(rows), table)


def _check(client: GenAIBatchClient, row: Any, model: str, check: Check | None, where: str) -> None:
    if row is None:
        msg = f"{column_of(family_of(model))} is null"
        raise RequestError(msg, "Leave such rows out of the table.")
    given = parse(row.encode()) if isinstance(row, str) else row
    family = family_of(model)
    column = column_of(family)
    asked = rest_request({column: given}, backend=client.config.backend, task=task_of(model), model=model)
    if check is not None:
        check(asked.request, where)
    if family is not Family.GOOGLE:
        check_whole(given, asked.request, family)
    elif not says(given, asked.request, task_of(model)):
        log.warning(
            "The request in %s is not in the format that the service expects. It is sent unchanged and may fail.",
            where,
        )
