"""Airflow's metrics of jobs: each job is counted once, when it has been settled."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_genai_batch.exceptions import GenAIBatchError
from airflow_provider_genai_batch.hooks.state_store.records import ReportedJobs
from airflow_provider_genai_batch.models import BatchJob, RowStatus, Usage
from airflow_provider_genai_batch.models.jobs.journal import Writer, is_journaled
from airflow_provider_genai_batch.models.tier import Tier
from airflow_provider_genai_batch.printable import printable
from airflow_provider_genai_batch.task.cost.prices import cost_of
from airflow_provider_genai_batch.task.landing.usage_ledger import UsageLedger

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

log = logging.getLogger(__name__)

JOBS, ROWS, TOKENS = "genai_batch.jobs", "genai_batch.rows", "genai_batch.tokens"
"""Counters; a state, a status or a kind follows."""
COST = "genai_batch.cost"
"""A counter, of what follows it: counters are whole numbers."""
_MICRO = 1_000_000
QUEUED, RUN, LIVED = "genai_batch.queued_duration", "genai_batch.run_duration", "genai_batch.job_duration"
"""Timers."""
_SPANS = {
    QUEUED: ("create_time", "start_time"),
    RUN: ("start_time", "end_time"),
    LIVED: ("create_time", "end_time"),
}


@contextmanager
def report_metrics(ledger: UsageLedger, context: Context) -> Iterator[None]:
    """At the end of the block, report what was settled in it, however it ended, but not at a deferral."""
    try:
        yield
    except GenAIBatchError:
        _report(ledger, context)
        raise
    _report(ledger, context)


def _report(ledger: UsageLedger, context: Context) -> None:
    """Report the jobs in the ledger that have not been reported yet.

    Reported jobs are recorded in Airflow's task state store first, so a retry does not count them twice (before Airflow
    3.3 there is no store, and it does).

    Metrics that cannot be sent are only a warning: the jobs are paid for, and their outcome stands.
    """
    try:
        _report_new(ledger, context)
    except Exception as error:  # noqa: BLE001 - Airflow has several backends of metrics, each with failures of its own
        log.warning(
            "Airflow's metrics could not be reported: %s: %s", type(error).__name__, printable(str(error))
        )


def _report_new(ledger: UsageLedger, context: Context) -> None:
    store = ReportedJobs(context)
    reported = store.read()
    new = [job for name, job in ledger.jobs.items() if name not in reported]
    if not new or not store.add([job.name for job in new]):
        return
    for job in new:
        if not is_journaled(job.name):
            _report_job(job)
        if job.name in ledger.shares:
            share = ledger.shares[job.name]
            _count(ROWS, share.rows.items(), job)
            _count(TOKENS, share.usage, job)
            cost = cost_of([(job, share)])
            _count(COST, [("micro_usd", 0 if cost is None else round(cost.usd * _MICRO))], job)
    _report_requests(ledger, new[-1])


def _report_requests(ledger: UsageLedger, job: BatchJob) -> None:
    """Count requests without a row in any job, and all rows if they stay in BigQuery."""
    if ledger.counts is None:
        return
    read = ledger.shares.keys() & ledger.jobs.keys()
    statuses = ["missing"] if read else [status.value for status in RowStatus]
    _count(ROWS, ((status, getattr(ledger.counts, status)) for status in statuses), job)


def _report_job(job: BatchJob) -> None:
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
    """Return the tags of a job, short: the model's name without its path."""
    tier = Writer.of(job.name).tier if is_journaled(job.name) else Tier.BATCH
    model = (job.model or "unknown").rpartition("/")[2]
    return {"backend": job.backend.value, "model": model, "tier": tier.value}
