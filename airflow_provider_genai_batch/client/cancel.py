"""Cancels several jobs; if one cannot be cancelled, the others still are."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.client.jobs import cancel_job
from airflow_provider_genai_batch.client.storage.queries import Running
from airflow_provider_genai_batch.exceptions import CallError
from airflow_provider_genai_batch.models.jobs.cancellation import Cancellation

log = logging.getLogger(__name__)


def cancel_statement(client: GenAIBatchClient, statement: Running) -> None:
    """Cancel a job in BigQuery, unless it has ended or is gone. Errors are only logged, because it costs little."""
    try:
        cancelled = client.queries.cancel(statement)
    except CallError as error:
        log.warning("Job %s in BigQuery could not be cancelled: %s", statement.job_id, error)
    else:
        log.info("Job %s in BigQuery %s.", statement.job_id, "was cancelled" if cancelled else "had ended")


def cancel_jobs(
    client: GenAIBatchClient, names: Sequence[str], appear_until: float = 0.0
) -> dict[str, Cancellation]:
    """Cancel jobs, and return the outcome for each. A job that has ended or is gone is no error.

    Args:
        client: the client of the connection.
        names: the jobs.
        appear_until: until this time the jobs may be too new to be found by name, in seconds since the epoch by the
            service's clock.

    Raises:
        CallError: a job could not be cancelled; the error is that of the first one. The others were still tried.
    """
    became: dict[str, Cancellation] = {}
    trouble: list[CallError] = []
    for name in names:
        try:
            is_new = lambda: client.service_time() < appear_until  # noqa: E731 - names a comparison
            became[name] = client.run(cancel_job(client.calls, name, is_new=is_new))
            log.info("Job %s %s.", name, became[name].words)
        except CallError as error:
            log.error("Job %s could not be cancelled: %s", name, error)  # noqa: TRY400 - it is raised below
            trouble.append(error)
    if trouble:
        raise trouble[0]
    return became
