"""A client for a while, and what is done with it in more than one place. Light to import."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_genai_batch.client import GenAIBatchClient

log = logging.getLogger(__name__)

DEFAULT_CONN_ID = "genai_batch_default"


@contextmanager
def borrowed_client(conn_id: str) -> Iterator[GenAIBatchClient]:
    """Open a client of a connection for a while. Imports late: DAG files are parsed all day."""
    from airflow_provider_genai_batch.hooks.genai_batch import GenAIBatchHook

    with GenAIBatchHook(conn_id).get_conn() as client:
        yield client


def cancel_jobs(conn_id: str, names: Sequence[str]) -> None:
    """Ask for the cancellation of jobs; one that has ended or is gone is fine.

    Raises:
        CallError: of the first job that could not be cancelled. The others were asked for all the same.
    """
    from airflow_provider_genai_batch.exceptions import CallError

    trouble: list[CallError] = []
    with borrowed_client(conn_id) as client:
        for name in names:
            try:
                cancel_job(client, name)
            except CallError as error:
                log.error("Job %s could not be cancelled: %s", name, error)  # noqa: TRY400 - it is raised below
                trouble.append(error)
    if trouble:
        raise trouble[0]


def cancel_job(client: GenAIBatchClient, name: str) -> None:
    """Ask for a job's cancellation unless it has ended or is being cancelled. A paused one may yet go on.

    Raises:
        ApiError: the service refused although the job goes on.
    """
    from airflow_provider_genai_batch.exceptions import BadRequest, NotFound, PreconditionFailed

    try:
        if _is_over(client, name):
            log.info("Job %s has ended or is being cancelled; there is nothing to cancel.", name)
            return
        client.cancel(name)
        log.info("Asked for the cancellation of job %s.", name)
    except NotFound:
        log.info("Job %s does not exist (any more).", name)
    except (BadRequest, PreconditionFailed):
        if not _is_over(client, name):
            raise
        log.info("Job %s ended meanwhile.", name)


def _is_over(client: GenAIBatchClient, name: str) -> bool:
    from airflow_provider_genai_batch.models import JobState

    job = client.get(name)
    return job.state is JobState.CANCELLING or (job.done and job.state is not JobState.PAUSED)
