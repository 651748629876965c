"""What Airflow's metrics are told of jobs: each job once, when it has been settled."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_genai_batch.exceptions import GenAIBatchError
from airflow_provider_genai_batch.flows.outcome.settle import SubmitAnew
from airflow_provider_genai_batch.hooks.records import Told
from airflow_provider_genai_batch.models import BatchJob, RowStatus, Usage
from airflow_provider_genai_batch.printable import printable
from airflow_provider_genai_batch.task.landing.usage_ledger import Books

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

log = logging.getLogger(__name__)

JOBS, ROWS, TOKENS = "genai_batch.jobs", "genai_batch.rows", "genai_batch.tokens"
"""Counters; a state, a status or a kind follows."""
QUEUED, RUN, LIVED = "genai_batch.queued_duration", "genai_batch.run_duration", "genai_batch.job_duration"
"""Timers."""
_SPANS = {
    QUEUED: ("create_time", "start_time"),
    RUN: ("start_time", "end_time"),
    LIVED: ("create_time", "end_time"),
}


@contextmanager
def told(books: Books, context: Context) -> Iterator[None]:
    """Tell Airflow's metrics at the end what was settled, however it ended; but not at a deferral."""
    try:
        yield
    except (GenAIBatchError, SubmitAnew):
        _tell(books, context)
        raise
    _tell(books, context)


def _tell(books: Books, context: Context) -> None:
    """Tell Airflow's metrics of the jobs in the books that they have not been told of.

    Those that they have are noted in Airflow's task state store, before they are told: a retry that takes a job up does
    not count it again. Before Airflow 3.3 there is no such store, and it does.

    Metrics that cannot be told are no more than a warning: the jobs are paid for, and so is their outcome.
    """
    try:
        _tell_fresh(books, context)
    except Exception as error:  # noqa: BLE001 - Airflow has several backends of metrics, each with failures of its own
        log.warning(
            "Airflow's metrics could not be told: %s: %s", type(error).__name__, printable(str(error))
        )


def _tell_fresh(books: Books, context: Context) -> None:
    notes = Told(context)
    told = notes.read()
    fresh = [job for name, job in books.jobs.items() if name not in told]
    if not fresh or not notes.add([job.name for job in fresh]):
        return
    for job in fresh:
        _tell_job(job)
        if job.name in books.shares:
            share = books.shares[job.name]
            _count(ROWS, share.rows.items(), job)
            _count(TOKENS, share.usage, job)
    _tell_requests(books, fresh[-1])


def _tell_requests(books: Books, job: BatchJob) -> None:
    """Count requests that no job has a row for; and all rows where they stay in BigQuery."""
    if books.counts is None:
        return
    read = books.shares.keys() & books.jobs.keys()
    statuses = ["missing"] if read else [status.value for status in RowStatus]
    _count(ROWS, ((status, getattr(books.counts, status)) for status in statuses), job)


def _tell_job(job: BatchJob) -> None:
    from airflow.providers.common.compat.sdk import Stats

    _count(JOBS, [(job.state.value.lower(), 1)], job)
    for name, (begin, end) in _SPANS.items():
        begun, ended = getattr(job, begin), getattr(job, end)
        if isinstance(begun, datetime) and isinstance(ended, datetime):
            Stats.timing(name, max(ended - begun, timedelta()), tags=_tags(job))


def _count(what: str, numbers: Iterable[tuple[str, int]] | Usage, job: BatchJob) -> None:
    from airflow.providers.common.compat.sdk import Stats

    for kind, number in numbers:
        if number:
            Stats.incr(f"{what}.{kind}", number, tags=_tags(job))


def _tags(job: BatchJob) -> dict[str, Any]:
    """Return what tells jobs apart, short: the model's name without its path."""
    return {"backend": job.backend.value, "model": (job.model or "unknown").rpartition("/")[2]}
