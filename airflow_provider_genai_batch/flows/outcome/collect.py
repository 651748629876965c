"""Collects ended jobs and their rows, and retries after temporary errors and while output is late."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_genai_batch.exceptions import (
    PASSING,
    ApiError,
    CallError,
    JobLost,
    NotFound,
    OutputNotReadable,
    PermissionDenied,
)
from airflow_provider_genai_batch.flows.outcome.bigquery_output import (
    Counted,
    count,
    is_short,
    standing,
    to_go_on_with,
)
from airflow_provider_genai_batch.flows.outcome.messages import LARGE_INLINE, next_attempt
from airflow_provider_genai_batch.flows.retry import RetryClock
from airflow_provider_genai_batch.flows.steps import CountTables, Fetch, Land, SettleStep, Sleep
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.jobs.job import Verdict, Worth, total_of, worth
from airflow_provider_genai_batch.results.counting.row_counter import RowCounter

READ_PATIENCE = 600.0
"""Seconds to keep trying to read the rows of an ended job that are not there yet."""
CLOCKS_APART = 600.0
"""Seconds by which the service's clock, by its answers, may be ahead of the times of its jobs."""
_NOT_SEEN = (PermissionDenied, *PASSING)
"""Errors that do not say whether there are rows."""
_NOT_YET = (NotFound, *_NOT_SEEN)


@dataclass(frozen=True)
class Rows:
    """The rows of jobs, as collected."""

    tally: RowCounter
    jobs: tuple[BatchJob, ...]
    """The jobs with the final rows."""
    in_bigquery: bool = False
    tables: tuple[str, ...] = ()
    """The tables that a further job can continue."""
    short: bool = False
    """Whether a table shows fewer rows than the service has counted."""


def landed(
    jobs: tuple[BatchJob, ...],
    clock: Callable[[], float],
    service_clock: Callable[[], float],
    until: float,
    patience: float,
    submits: bool,
) -> Generator[SettleStep, Any, Rows]:
    """Land rows; if fewer can be read than the service has counted, look again for a while.

    Until then nothing is written. Rows that have not come by then are missing, and the rows decide.
    """
    tries = RetryClock(clock, deadline=until)
    names = [job.name for job in jobs]
    overdue = False
    while True:
        trouble: CallError | None = None
        enough: Rows | None = None
        now = service_clock()
        overdue = overdue or (patience > 0 and clock() >= until)
        fresh = [] if overdue else [job for job in jobs if is_fresh(job, now, unknown=patience > 0)]
        try:
            rows = yield from _read(jobs, partly=not fresh)
            said = _awaited(rows, fresh)
            enough = rows if rows.tally.rows_read else None
            if (enough and not said) or not _promised(jobs):
                return rows
            said = said or "the service has no answered row to show yet"
        except _NOT_YET as error:
            # A read error does not mean that there is nothing to read.
            if not _promised(jobs) and not isinstance(error, PASSING):
                return Rows(RowCounter(expected=total_of(jobs)), jobs)
            trouble, said = error, str(error)
        pause = tries.pause(trouble)
        if pause is None:
            if enough and patience:
                overdue = True  # rows that have not come by now are missing: read once more, and write
                continue
            if not isinstance(trouble, _NOT_SEEN) and all(job.verdict is Verdict.FAILED for job in jobs):
                # A failed job need not show its rows.
                return Rows(RowCounter(expected=total_of(jobs)), jobs)
            large = isinstance(trouble, PASSING) and any(job.output.inline for job in jobs)
            msg = (
                f"The rows of {', '.join(names)} could not be read for {patience:.0f} s: {said}. The job has ended and "
                f"its rows are paid for. {next_attempt(jobs, submits)}{f' {LARGE_INLINE}' if large else ''}"
            )
            raise OutputNotReadable(msg, job_names=names) from trouble
        yield Sleep(pause)
        jobs = tuple((yield from fetched(names, clock, until)))


def _awaited(rows: Rows, fresh: Sequence[BatchJob]) -> str:
    """Return text about recently ended jobs whose rows are not there yet; rows of other jobs must not hide that."""
    if rows.short and any(job in fresh for job in rows.jobs):
        return f"{rows.tally.rows_read} rows are there, and the service has counted more"
    late = behind([job for job in rows.jobs if job in fresh], rows.tally)
    return f"not all rows that it has counted are there yet: {'; '.join(late)}" if late else ""


def behind(jobs: Sequence[BatchJob], tally: RowCounter) -> list[str]:
    """Return texts about the jobs with fewer rows than there should be, by the service's own counts.

    Output is written in pieces: when a job has ended, one of its shards, or the end of a file, may not be there yet.
    If the service counts nothing, a job that ended well should have a row for each of its requests.
    """
    shortfalls = []
    for job in jobs:
        came = tally.came_of(job.name)
        owed = job.counts.finished
        if not owed and job.verdict is Verdict.ROWS:
            owed = job.counts.total or 0
            if not owed and came is not None:
                owed = max(came + tally.counts.missing, 1)
        if came is not None and came < owed:
            shortfalls.append(f"{came} of {owed} of {job.name}")
    return shortfalls


def _read(jobs: tuple[BatchJob, ...], *, partly: bool) -> Generator[SettleStep, Any, Rows]:
    """Land rows, and count those that stay in BigQuery."""
    tables = tuple(job for job in jobs if job.output.bigquery_table)
    if not tables:
        return Rows((yield Land(jobs, partly=partly)), jobs)
    counted: Counted | RowCounter | None = yield CountTables(tables)
    if isinstance(counted, RowCounter):
        more = tuple(job.output.bigquery_table or "" for job in tables) if counted.counts.failed else ()
        return Rows(counted, jobs, in_bigquery=True, tables=more)
    stand = standing(jobs, counted)
    in_tables = [job for job in stand if job.output.bigquery_table]
    others = tuple(job for job in stand if not job.output.bigquery_table)
    tally = count(in_tables, jobs, counted)
    if others:
        rest: RowCounter = yield Land(others, tally.counts.total, partly)
        tally = rest.absorb(tally) if rest.rows_read or not _promised(others) else rest
    more = to_go_on_with(in_tables, counted)
    return Rows(tally, tuple(stand), in_bigquery=True, tables=more, short=is_short(in_tables, counted))


def fetched(
    names: Sequence[str], clock: Callable[[], float], until: float
) -> Generator[SettleStep, Any, list[BatchJob]]:
    """Get ended jobs, retrying after temporary errors."""
    jobs: list[BatchJob] = []
    for name in names:
        tries = RetryClock(clock, deadline=until)
        while True:
            try:
                job: BatchJob = yield Fetch(name)
                if all(job.name != other.name for other in jobs):  # Vertex AI takes two names for one job
                    jobs.append(job)
                break
            except PASSING as error:
                pause = tries.pause(error)
                if pause is None:
                    msg = (
                        f"Job {name} has ended, but the service does not return it ({error}). Its answered rows "
                        "are paid for. The next attempt reattaches to it and pays nothing."
                        f"{f' {LARGE_INLINE}' if name.startswith('batches/') else ''}"
                    )
                    raise OutputNotReadable(msg, job_names=names) from error
                yield Sleep(pause)
            except ApiError as error:
                msg = (
                    f"Job {name} has ended, but can no longer be read: {error}. Its answered rows are paid for. "
                    "The next attempt looks for it again; if the connection lost its permissions, restore them first."
                )
                raise JobLost(msg, job_names=names) from error
    return jobs


def _promised(jobs: Sequence[BatchJob]) -> bool:
    """Whether there should be rows: a job ended well, or the service counts answers."""
    return any(job.verdict is Verdict.ROWS or worth(job) is Worth.ROWS for job in jobs)


def is_fresh(job: BatchJob, now: float, *, unknown: bool) -> bool:
    """Whether a job ended so recently that its output may be incomplete; return `unknown` if its end is unknown.

    A front end's clock may be ahead of the job's times, so a job may have ended later than it seems. So the task waits
    for its rows as long as the looks themselves may take.
    """
    return unknown if job.end_time is None else now - job.end_time.timestamp() < READ_PATIENCE + CLOCKS_APART
