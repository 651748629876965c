"""Calls to BigQuery through Google's own client, which comes with the extra ``bigquery``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any, TypeVar

from airflow_provider_genai_batch.client.auth.google import Auth
from airflow_provider_genai_batch.client.config import ClientConfig
from airflow_provider_genai_batch.exceptions import (
    ApiError,
    AuthenticationError,
    TransportError,
    UnsupportedError,
)
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.base import Task
from airflow_provider_genai_batch.models.jobs.job import Verdict
from airflow_provider_genai_batch.models.jobs.table_counts import TableCounts
from airflow_provider_genai_batch.wire.catalog.publishers import family_of, task_of
from airflow_provider_genai_batch.wire.services import bigquery as wire
from airflow_provider_genai_batch.wire.services.errors import api_error
from airflow_provider_genai_batch.wire.services.http import HttpAnswer
from airflow_provider_genai_batch.wire.tables.installed import can_ask

_METHOD = "jobs.query"
_TOO_MUCH = ("rateLimitExceeded", "quotaExceeded")
"""Reasons for which BigQuery answers 403, where other services answer 429."""
_T = TypeVar("_T")
_SAMPLE_SECONDS = 20.0
"""Time limit for reading a sample, which the task does not need."""
_SECONDS = 120.0
"""Time limit for one call with its retries. The settling of a job repeats it for a while."""


def count_rows(config: ClientConfig, auth: Auth, job: BatchJob) -> TableCounts:
    """Count the rows of an ended job's table. This blocks.

    Args:
        config: has the project to bill, and BigQuery's address.
        auth: the connection's credentials.
        job: a job whose rows are in BigQuery.

    Raises:
        UnsupportedError: its rows are not in BigQuery, or Google's client is not installed.
        ApiError: BigQuery refused; `NotFound` as long as there is no such table.
        TransportError: BigQuery could not be reached.
    """
    if job.output.bigquery_table is None:
        msg = f"The rows of {job.name} are not in BigQuery."
        raise UnsupportedError(msg)
    if not can_ask():
        msg = (
            "Counting rows in BigQuery needs Google's client: install airflow-provider-genai-batch[bigquery]."
        )
        raise UnsupportedError(msg)
    early = job.verdict is not Verdict.ROWS and task_of(job.model or "") is Task.GENERATE
    query = wire.count_rows(job.output.bigquery_table, early=early, family=family_of(job.model))
    return wire.read_counts(renewed(auth, lambda headers: _ask(config, headers, query)))


def sample_requests(
    config: ClientConfig, auth: Auth, table: str, most: int, column: str = "request"
) -> list[Any]:
    """Read the first requests in a column of a table. This costs nothing, and blocks.

    Args:
        config: has BigQuery's address.
        auth: the connection's credentials.
        table: ``bq://project.dataset.table``.
        most: the most requests to read.
        column: the column with the requests.

    Raises:
        UnsupportedError: Google's client is not installed, or the rows of the table cannot be listed.
        ApiError: BigQuery refused.
        TransportError: BigQuery could not be reached.
    """
    if not can_ask():
        msg = (
            "Reading rows in BigQuery needs Google's client: install airflow-provider-genai-batch[bigquery]."
        )
        raise UnsupportedError(msg)
    return renewed(auth, lambda headers: _sample(config, headers, table.removeprefix("bq://"), most, column))


def renewed(auth: Auth, call: Callable[[Mapping[str, str]], _T]) -> _T:
    """Call with a token; if it is refused, call once more with a new one."""
    try:
        return call(auth.headers())
    except AuthenticationError as error:
        if error.code != 401 or not auth.renewable:
            raise
        return call(auth.headers(renew=True))


def _ask(config: ClientConfig, headers: Mapping[str, str], query: str) -> list[dict[str, Any]]:
    """Run a query."""
    from google.cloud import bigquery

    with open_bigquery(config, headers, _METHOD) as client:
        retry = bigquery.DEFAULT_RETRY.with_timeout(_SECONDS)
        lines = client.query_and_wait(
            query,
            retry=retry,
            job_retry=None,  # means no retries, according to its docstring
            wait_timeout=_SECONDS,
        )
        return [dict(line) for line in lines]


def _sample(
    config: ClientConfig, headers: Mapping[str, str], table: str, most: int, column: str
) -> list[Any]:
    from google.cloud import bigquery

    with open_bigquery(config, headers, "tabledata.list") as client:
        retry = bigquery.DEFAULT_RETRY.with_timeout(_SAMPLE_SECONDS)
        found = client.get_table(table, retry=retry, timeout=_SAMPLE_SECONDS)
        columns = [one for one in found.schema if one.name == column]
        if not columns or found.table_type != "TABLE":
            msg = f"{table} is a {found.table_type} with the columns {', '.join(one.name for one in found.schema)}"
            raise UnsupportedError(msg)
        rows = client.list_rows(
            found, selected_fields=columns, max_results=most, retry=retry, timeout=_SAMPLE_SECONDS
        )
        return [row[column] for row in rows]


@contextmanager
def open_bigquery(config: ClientConfig, headers: Mapping[str, str], method: str) -> Iterator[Any]:
    """Open Google's client with a valid token; its errors become errors of this package.

    It only gets the token. With google-auth's credentials object, it would call hosts that do not exist for an emulator
    or a private endpoint.
    """
    from google.api_core.exceptions import GoogleAPICallError, GoogleAPIError
    from google.auth.exceptions import GoogleAuthError, RefreshError
    from google.cloud import bigquery
    from google.oauth2.credentials import Credentials
    from requests.exceptions import RequestException

    given = {name.lower(): value for name, value in headers.items()}
    credentials = Credentials(  # type: ignore[no-untyped-call]  # google-auth is only partly typed
        given["authorization"].removeprefix("Bearer "), quota_project_id=given.get("x-goog-user-project")
    )
    where = {"api_endpoint": config.bigquery_endpoint} if config.bigquery_endpoint else None
    try:
        with closing(bigquery.Client(config.project, credentials, client_options=where)) as client:
            yield client
    except GoogleAPICallError as error:
        raise refused(error, method) from error
    except RefreshError as error:  # after a 401 it tries a refresh, which needs more than a token
        raise AuthenticationError("the token was refused", code=401, method=method) from error
    except (GoogleAPIError, GoogleAuthError, RequestException, TimeoutError) as error:
        raise TransportError(str(error), method=method) from error


def refused(error: Any, method: str) -> ApiError | TransportError:
    """Turn an error of Google's client into one of this package."""
    if error.code is None:
        return TransportError(str(error), method=method)
    detail = next((one for one in error.errors or () if isinstance(one, dict)), {})
    status = 429 if detail.get("reason") in _TOO_MUCH else int(error.code)
    body = {"error": {"message": detail.get("message") or error.message}}
    return api_error(HttpAnswer(status, {}, json.dumps(body).encode()), method)
