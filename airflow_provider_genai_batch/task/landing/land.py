"""Lands rows: reads them, counts them, and writes them to the task's `results_uri`."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.exceptions import InputError, ResultsNotWritten
from airflow_provider_genai_batch.flows.outcome.collect import behind
from airflow_provider_genai_batch.flows.outcome.messages import next_attempt
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.results.counting.row_counter import RowCounter
from airflow_provider_genai_batch.task.files.files import Draft, published
from airflow_provider_genai_batch.task.landing.job_rows import write_rows
from airflow_provider_genai_batch.task.landing.landing import Landing
from airflow_provider_genai_batch.task.landing.media import MediaFolder
from airflow_provider_genai_batch.task.landing.not_landed import tell_what_did_not_land

log = logging.getLogger(__name__)


def land_jobs(client: GenAIBatchClient, jobs: Sequence[BatchJob], landing: Landing) -> RowCounter:
    """Read the rows of jobs, count them, and write them.

    Args:
        client: the client of the task's connection.
        jobs: the jobs of all rounds, in any order.
        landing: the settings for the rows.

    Raises:
        ResultsNotWritten: the rows cannot be written.
        InputError: no row has a key, and the rows have to be joined to their requests.
        CallError: the rows cannot be read, or only in part.
    """
    uri, media_uri = (landing.results_uri, landing.media_uri) if landing.meter is None else (None, None)
    try:
        with _draft(client, landing, uri) as draft:
            media = MediaFolder(media_uri, client) if media_uri else None
            tally = write_rows(client, jobs, landing, draft.stream, media)
            _check_joined(jobs, tally, landing)
            late = [] if landing.partly else behind(jobs, tally)
            draft.good = (tally.rows_read > 0 or bool(tally.reused)) and not late
    except (OSError, sqlite3.Error) as error:
        names, place = [job.name for job in jobs], uri or landing.media_uri
        if not jobs:
            msg = (
                f"The rows of earlier results could not be written to {place}: {error}. No job was needed for them, "
                "and nothing is billed. The next attempt writes them again."
            )
            raise ResultsNotWritten(msg, job_names=()) from error
        msg = (
            f"The rows of {', '.join(names)} could not be written to {place}: {error}. {', '.join(names)} has ended "
            f"and its answered rows are paid for; they are still at the service. {next_attempt(jobs, landing.submits)}"
        )
        raise ResultsNotWritten(msg, job_names=names) from error
    if late:
        log.warning("Fewer rows arrived than the service has counted (%s); reading again.", "; ".join(late))
    else:
        tell_what_did_not_land(tally)
    return tally


def _draft(client: GenAIBatchClient, landing: Landing, uri: str | None) -> AbstractContextManager[Draft]:
    """Open the file that rows are written to."""
    if uri is None:
        return nullcontext(Draft(landing.stream))
    return published(uri, client) if landing.loads is None else landing.loads.published(client)


def _check_joined(jobs: Sequence[BatchJob], tally: RowCounter, landing: Landing) -> None:
    """Refuse rows without keys from jobs that this task did not submit; their requests would count as missing.

    The position of a row in the file does not help, because the services write rows in any order.

    Raises:
        InputError: no row has a key, so none can be joined to its request.
    """
    if not landing.submits and tally.rows_read and tally.unjoined == tally.rows_read:
        names = ", ".join(job.name for job in jobs)
        msg = (
            f"None of the {tally.rows_read} rows of {names} has a key, so none can be joined to a request of src. "
            "Nothing was landed; the rows are paid for, and are still at the service. Leave src out: then the rows "
            "land in the order in which the service has them."
        )
        raise InputError(msg)
