"""Jobs whose rows stay in BigQuery: which tables have the final rows, and which a further job can continue.

Google: a new job whose input is the output of an earlier one processes only the requests that failed or were never
reached, and merges the rest ("Resume an incomplete batch inference job"). So its table has all rows, and replaces the
one that it read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.base import Task
from airflow_provider_genai_batch.models.family import Family
from airflow_provider_genai_batch.models.jobs.job import Verdict, total_of
from airflow_provider_genai_batch.models.jobs.table_counts import TableCounts
from airflow_provider_genai_batch.results.counting.row_counter import RowCounter
from airflow_provider_genai_batch.results.counting.unread_rows import count_by_service, count_by_table
from airflow_provider_genai_batch.wire.catalog.publishers import family_of, task_of

Counted = Mapping[str, TableCounts]
"""Row counts of tables, by the names of their jobs."""


def standing(jobs: Sequence[BatchJob], counted: Counted | None) -> list[BatchJob]:
    """Return the jobs with the final rows, leaving out those whose table another of these jobs continued.

    A job that continued a table and ended early may have fewer good rows than its input. Then the earlier rows count.
    """
    places = {job.output.bigquery_table for job in jobs} - {None}
    return [_best(job, jobs, counted) for job in jobs if _given(job) not in places]


def count(jobs: Sequence[BatchJob], all_jobs: Sequence[BatchJob], counted: Counted | None) -> RowCounter:
    """Count the final rows: by their tables, or else by the service's own counters.

    Args:
        jobs: the jobs with the final rows.
        all_jobs: these and the jobs before them.
        counted: row counts of their tables.
    """
    if counted is None:
        tally = RowCounter(expected=total_of(jobs))
        count_by_service(tally, [job.counts for job in jobs])
        return tally
    tally = RowCounter(expected=None)
    for job in jobs:
        count_by_table(tally, counted[job.name], max(_requests(one) for one in _before(job, all_jobs)))
    return tally


def is_short(jobs: Sequence[BatchJob], counted: Counted | None) -> bool:
    """Whether the service has counted more rows than a table shows: since counters lag, the table is incomplete."""
    if counted is None:
        return False
    return any(counted[job.name].total < job.counts.finished for job in jobs)


def to_go_on_with(jobs: Sequence[BatchJob], counted: Counted | None) -> tuple[str, ...]:
    """Return the final tables with rows that a further job can submit again."""
    if counted is None:
        return ()
    return tuple(
        job.output.bigquery_table
        for job in jobs
        if job.output.bigquery_table
        and task_of(job.model or "") is Task.GENERATE
        and family_of(job.model) is Family.GOOGLE  # partner models refuse a table with response and status
        and (counted[job.name].failed or (counted[job.name].total and job.verdict is not Verdict.ROWS))
    )


def _given(job: BatchJob) -> str | None:
    return job.source.bigquery_uri if job.source else None


def _best(root: BatchJob, jobs: Sequence[BatchJob], counted: Counted | None) -> BatchJob:
    """Choose among a job and those that continued it; among equals, the later one."""

    def good(job: BatchJob) -> float:
        if job.output.bigquery_table is None:  # late, or without output
            return float("inf") if job.verdict is Verdict.ROWS else -1
        return counted[job.name].ok if counted is not None else job.counts.succeeded or 0

    best = root
    for job in _after(root, jobs):
        best = job if good(job) >= good(best) else best
    return best


def _after(job: BatchJob, jobs: Sequence[BatchJob]) -> Iterator[BatchJob]:
    """Yield the jobs that continued a job, and those that continued these."""
    table = job.output.bigquery_table
    for other in jobs:
        if table is not None and _given(other) == table and other.name != job.name:
            yield other
            yield from _after(other, jobs)


def _before(job: BatchJob, jobs: Sequence[BatchJob]) -> Iterator[BatchJob]:
    """Yield a job, and those that it continued."""
    yield job
    for other in jobs:
        if other.output.bigquery_table is not None and other.output.bigquery_table == _given(job):
            yield from _before(other, jobs)


def _requests(job: BatchJob) -> int:
    """Return how many requests a job had, by counters that may lag.

    Incomplete requests count only if the job ended before it reached them; otherwise they are complete by now.
    """
    done = job.counts.finished
    return done if job.verdict is Verdict.ROWS else max(done, job.counts.total or 0)
