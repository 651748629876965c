"""The outcome table: how waiting that ended becomes a manifest or a named failure. It lives here once."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Generator, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_genai_batch.exceptions import (
    PASSING,
    ApiError,
    CallError,
    JobCancelled,
    JobError,
    JobExpired,
    JobFailed,
    JobLost,
    JobPaused,
    JobTimedOut,
    NotFound,
    OutputNotReadable,
    PermissionDenied,
    TooManyFailedRows,
    UnsupportedError,
)
from airflow_provider_genai_batch.flows.backoff import backoff
from airflow_provider_genai_batch.flows.describe import describe
from airflow_provider_genai_batch.flows.steps import Discard, Sleep
from airflow_provider_genai_batch.flows.submit import usable
from airflow_provider_genai_batch.flows.tables import (
    Counted,
    CountTables,
    count,
    is_short,
    standing,
    to_go_on_with,
)
from airflow_provider_genai_batch.flows.watch import Ending, Why
from airflow_provider_genai_batch.models import BatchJob, Manifest, RowCounts
from airflow_provider_genai_batch.models.job import Verdict, total_of
from airflow_provider_genai_batch.rows.tally import Tally

READ_PATIENCE = 600.0
"""Seconds for which rows of a job that ended are asked for again when they are not there yet."""
_SUBMITS_ANEW = "The next attempt submits a new job of all rows."
_ASKS_THE_REST = (
    "The next attempt takes its rows up, pays nothing for them, and asks again for the failed ones where it can read "
    "the requests."
)
_LOOKS_AGAIN = "This task submits no job: its next attempt looks at the same ones again."
_NOT_SEEN = (PermissionDenied, *PASSING)
"""Trouble that does not say whether there are rows."""
_NOT_YET = (NotFound, *_NOT_SEEN)


class SubmitAnew(Exception):
    """Too many rows failed, and this attempt may ask for them again.

    It may when rounds are left, and when jobs of an earlier attempt failed: that has been told. A task that is killed,
    cleared or out of time has its job cancelled. The attempt after it waits for that job's end, so that no two of them
    run at once, and takes its rows if they are enough. If not, that is no failure of this attempt's own.

    Attributes:
        job_names: the jobs.
        cut_short: a cancellation or failure left too few rows.
        tally: knows which requests are unanswered; None where rows are in BigQuery.
        tables: those in BigQuery whose rows a further job can go on with.
        useless: the jobs that a new one takes the place of, where it cannot be told which rows to ask again.
        failure: what to raise where they cannot be asked again.
    """

    def __init__(
        self,
        job_names: Sequence[str],
        tally: Tally | None = None,
        failure: JobError | None = None,
        *,
        cut_short: bool = True,
        tables: Sequence[str] = (),
        useless: Sequence[str] = (),
    ) -> None:
        how = "ended cancelled" if cut_short else "ended"
        rows = f", with {tally.counts.ok} of {tally.counts.total} rows" if tally else ""
        super().__init__(f"{', '.join(job_names)} {how}{rows}")
        self.job_names, self.tally, self.failure = tuple(job_names), tally, failure
        self.cut_short, self.tables = cut_short, tuple(tables)
        self.useless = tuple(useless) or self.job_names


@dataclass(frozen=True)
class Fetch:
    """Get an ended job; answers a `BatchJob`."""

    name: str


@dataclass(frozen=True)
class Land:
    """Read the rows of jobs, and write them where the task wants them; answers a `Tally`."""

    jobs: tuple[BatchJob, ...]
    besides: int = 0
    """How many of the task's requests other jobs had, whose rows are in BigQuery."""


@dataclass(frozen=True)
class _Rows:
    """What became of the rows of jobs."""

    tally: Tally
    jobs: tuple[BatchJob, ...]
    """Those whose rows stand."""
    in_bigquery: bool = False
    tables: tuple[str, ...] = ()
    """Those that a further job can go on with."""
    short: bool = False
    """A table shows fewer rows than the service has counted."""


def settle(  # noqa: PLR0913 - one a setting; keyword-only
    ending: Ending,
    names: Sequence[str],
    *,
    max_failed_rows: float,
    results_uri: str | None,
    clock: Callable[[], float],
    patience: float = READ_PATIENCE,
    since: float | None = None,
    taken_up: Collection[str] = (),
    failed_before: Collection[str] = (),
    may_ask_again: bool = False,
    submits: bool = True,
) -> Generator[Any, Any, Manifest]:
    """Turn an ending into a manifest.

    Args:
        ending: how the waiting ended.
        names: the jobs.
        max_failed_rows: rows that may fail: a count (int) or a fraction of all (float up to 1.0).
        results_uri: where rows land.
        clock: tells the seconds since the epoch.
        patience: seconds to keep looking for output that is not readable yet.
        since: when the looking began, in seconds since the epoch; None: now.
        taken_up: those that are of an earlier attempt.
        failed_before: those of them whose failure an earlier attempt has told. The rows that they left decide.
        may_ask_again: rows that failed may be asked for once more.
        submits: the task submits jobs itself; one that does not can only look at them again.

    Raises:
        SubmitAnew: too many rows failed, and may be asked for again.
        JobError: one of its kinds, as the outcome table says.
        UnsupportedError: rows that are in BigQuery are to be landed.
    """
    if ending.why is Why.LOST:
        raise JobLost(_lost(ending), job_names=names)
    if ending.why is Why.TIMED_OUT:
        raise JobTimedOut(_timed_out(ending, names), job_names=names)
    until = (clock() if since is None else since) + patience
    jobs = yield from _fetched(names, clock, until)
    refuse_paused(jobs)
    yield Discard(tuple(jobs))
    for job in jobs:
        if job.verdict is Verdict.FAILED and job.name not in failed_before:
            raise JobFailed(
                _failed(job, submits), job_names=names, manifest=describe(jobs).model_dump(mode="json")
            )
        if results_uri and job.output.bigquery_table:
            msg = (
                f"The rows of {job.name} are in {job.output.bigquery_table} and stay there: read them with SQL, or "
                f"export the table, instead of landing them at {results_uri}."
            )
            raise UnsupportedError(msg)
    rows = yield from _land(tuple(jobs), clock, until, patience, submits)
    tally = rows.tally
    manifest = describe(
        jobs,
        counts=tally.counts,
        usage=tally.usage,
        results_uri=results_uri,
        causes=tally.commonest,
        rows_of=rows.jobs,
    )
    try:
        _judge(jobs, tally, manifest, max_failed_rows, submits)
    except JobError as failure:
        short = _cut_short(jobs, tally, max_failed_rows)
        if may_ask_again or any(name in taken_up for name in short):
            told = None if rows.in_bigquery else tally  # counts do not say which failed
            raise SubmitAnew(
                names, told, failure, cut_short=bool(short), tables=rows.tables, useless=short
            ) from failure
        raise
    return manifest


def _cut_short(jobs: Sequence[BatchJob], tally: Tally, max_failed_rows: float) -> list[str]:
    """Return the jobs of which a cancellation or failure left too few rows.

    A Gemini job that was cancelled while it ran ends as SUCCEEDED, and only its rows tell.
    """
    if tally.rows_read and tally.counts.failed <= _allowed(max_failed_rows, tally.counts.total):
        return []
    short = [job.name for job in jobs if job.verdict in (Verdict.CANCELLED, Verdict.FAILED)]
    return short or ([job.name for job in jobs] if tally.counts.cancelled else [])


def refuse_paused(jobs: Sequence[BatchJob]) -> None:
    """Leave paused jobs alone.

    Raises:
        JobPaused: one is.
    """
    for job in jobs:
        if job.verdict is Verdict.PAUSED:
            msg = (
                f"Job {job.name} is paused. It was left alone and bills what it has done. Resume or cancel it at the "
                "service; the next attempt takes it up again."
            )
            raise JobPaused(msg, job_names=[job.name for job in jobs])


def _land(
    jobs: tuple[BatchJob, ...], clock: Callable[[], float], until: float, patience: float, submits: bool
) -> Generator[Any, Any, _Rows]:
    """Land rows; where they are not readable yet, though the service says there are some, ask again for a while."""
    failures = 0
    names = [job.name for job in jobs]
    while True:
        trouble: CallError | None = None
        try:
            rows = yield from _read(jobs)
            whole = not rows.short or not _is_fresh(rows.jobs, clock())
            # What is not readable yet must not hide behind the rows of other jobs.
            late = [job.name for job in rows.jobs if job.name in rows.tally.silent and _owed(job)]
            if (rows.tally.rows_read and whole and not late) or not _promised(jobs):
                return rows
            said = f"the service has no answered row to show yet{' of ' if late else ''}{', '.join(late)}"
            if rows.short:
                said = f"{rows.tally.rows_read} rows are there, and the service has counted more"
        except _NOT_YET as error:
            # Trouble in reading does not say that there is nothing to read.
            if not _promised(jobs) and not isinstance(error, PASSING):
                return _Rows(Tally(expected=total_of(jobs)), jobs)
            trouble, said = error, str(error)
        failures += 1
        pause = backoff(failures, getattr(trouble, "retry_after", None))
        if clock() + pause > until:
            if not isinstance(trouble, _NOT_SEEN) and all(job.verdict is Verdict.FAILED for job in jobs):
                # Nobody says that a failed job shows its rows.
                return _Rows(Tally(expected=total_of(jobs)), jobs)
            msg = (
                f"The rows of {', '.join(names)} could not be read for {patience:.0f} s: {said}. The job has ended and "
                f"its rows are paid for. {next_attempt(jobs, submits)}"
            )
            raise OutputNotReadable(msg, job_names=names) from trouble
        yield Sleep(pause)
        jobs = tuple((yield from _fetched(names, clock, until)))


def _read(jobs: tuple[BatchJob, ...]) -> Generator[Any, Any, _Rows]:
    """Land rows, and count those that stay in BigQuery."""
    tables = tuple(job for job in jobs if job.output.bigquery_table)
    if not tables:
        return _Rows((yield Land(jobs)), jobs)
    counted: Counted | None = yield CountTables(tables)
    stand = standing(jobs, counted)
    in_tables = [job for job in stand if job.output.bigquery_table]
    others = tuple(job for job in stand if not job.output.bigquery_table)
    tally = count(in_tables, jobs, counted)
    if others:
        landed: Tally = yield Land(others, tally.counts.total)
        # What is not readable yet must not hide behind the rows of other jobs.
        tally = landed.absorb(tally) if landed.rows_read or not _promised(others) else landed
    more = to_go_on_with(in_tables, counted)
    return _Rows(tally, tuple(stand), in_bigquery=True, tables=more, short=is_short(in_tables, counted))


def _fetched(
    names: Sequence[str], clock: Callable[[], float], until: float
) -> Generator[Any, Any, list[BatchJob]]:
    """Get jobs that have ended, through trouble that passes."""
    jobs: list[BatchJob] = []
    for name in names:
        failures = 0
        while True:
            try:
                job: BatchJob = yield Fetch(name)
                if all(job.name != other.name for other in jobs):  # Vertex AI takes two names for one job
                    jobs.append(job)
                break
            except PASSING as error:
                failures += 1
                pause = backoff(failures, getattr(error, "retry_after", None))
                if clock() + pause > until:
                    msg = (
                        f"Job {name} has ended, but the service does not answer for it ({error}). Its answered rows "
                        "are paid for. The next attempt takes it up again and pays nothing."
                    )
                    raise OutputNotReadable(msg, job_names=names) from error
                yield Sleep(pause)
            except ApiError as error:
                msg = (
                    f"Job {name} has ended, but can no longer be looked at: {error}. Its answered rows are paid for. "
                    "The next attempt looks for it again; if the connection lost its rights, mend that first."
                )
                raise JobLost(msg, job_names=names) from error
    return jobs


def _promised(jobs: Sequence[BatchJob]) -> bool:
    """Whether there should be rows: a job ended well, or the service counts answers."""
    return any(job.verdict is Verdict.ROWS or (job.counts.succeeded or 0) > 0 for job in jobs)


def _owed(job: BatchJob) -> bool:
    """Whether a job should have rows by itself; nobody says that a failed one shows them."""
    return job.verdict is not Verdict.FAILED and _promised([job])


def _is_fresh(jobs: Sequence[BatchJob], now: float) -> bool:
    """Whether a job ended so lately that not all of its output need be there."""
    return any(job.end_time and now - job.end_time.timestamp() < READ_PATIENCE for job in jobs)


def _judge(
    jobs: Sequence[BatchJob], tally: Tally, manifest: Manifest, max_failed_rows: float, submits: bool
) -> None:
    anew = "The next attempt submits a new job." if submits else _LOOKS_AGAIN
    names, counts = [job.name for job in jobs], tally.counts
    dump = manifest.model_dump(mode="json")
    if not counts.ok and not tally.rows_read:
        for job in jobs:
            if job.verdict is Verdict.FAILED:
                raise JobFailed(_failed(job, submits), job_names=names, manifest=dump)
            if job.verdict is Verdict.EXPIRED:
                msg = (
                    f"Job {job.name} expired: the service did not get to it in its time limit and left no rows"
                    f"{_because(job)}. Nothing is billed for rows that were not answered. {anew}"
                )
                raise JobExpired(msg, job_names=names, manifest=dump)
            if job.verdict is Verdict.CANCELLED:
                msg = f"Job {job.name} was cancelled and left no rows{_because(job)}. It bills nothing more. {anew}"
                raise JobCancelled(msg, job_names=names, manifest=dump)
    if counts.failed > _allowed(max_failed_rows, counts.total):
        causes = tally.causes().rstrip(".") or "none given"
        where = f"at {manifest.results_uri}" if manifest.results_uri else _at_the_service(manifest)
        msg = (
            f"{counts.failed} of {counts.total} rows failed ({_shown(counts)}); max_failed_rows={max_failed_rows} "
            f"allows {_allowed(max_failed_rows, counts.total)}. Causes: {causes}. All rows are "
            f"{where}; {', '.join(names)} has ended and its answered rows are paid for. "
            f"{_ASKS_THE_REST if submits else _LOOKS_AGAIN}"
        )
        raise TooManyFailedRows(msg, job_names=names, manifest=dump)


def _allowed(max_failed_rows: float, total: int) -> int:
    if isinstance(max_failed_rows, float) and max_failed_rows <= 1:
        return math.floor(max_failed_rows * total + 1e-9)  # 0.29 of 100 is 28.999999999999996
    return int(max_failed_rows)


def _shown(counts: RowCounts) -> str:
    kinds = {
        "invalid": counts.invalid,
        "error": counts.error,
        "cancelled": counts.cancelled,
        "missing": counts.missing,
    }
    return ", ".join(f"{number} {kind}" for kind, number in kinds.items() if number)


def _at_the_service(manifest: Manifest) -> str:
    places = {*manifest.output} - {"inline"}
    return f"at {', '.join(sorted(places))}" if places else "in the job itself"


def next_attempt(jobs: Sequence[BatchJob], submits: bool) -> str:
    """Tell what the next attempt does about jobs that ended, of a task that submits or of one that does not."""
    if not submits:
        return _LOOKS_AGAIN
    if any(usable([job]) is None for job in jobs):
        return _SUBMITS_ANEW
    return "The next attempt takes the same job up and pays nothing."


def _failed(job: BatchJob, submits: bool) -> str:
    then = "The next attempt submits a new job." if submits else _LOOKS_AGAIN
    if job.counts.succeeded:
        keeps = "The next attempt keeps those that it can read, and asks for the others."
        then = (
            f"The service counts {job.counts.succeeded} answered requests, which are paid for. "
            f"{keeps if submits else _LOOKS_AGAIN}"
        )
    return f"Job {job.name} failed: {reason(job)}. It has ended and bills nothing more. {then}"


def reason(job: BatchJob) -> str:
    """Tell the service's own reason for a job's end."""
    if job.problem is None:
        return "the service gave no reason"
    return f"code {job.problem.code}: {job.problem.message.rstrip('.') or 'no message'}"


def _because(job: BatchJob) -> str:
    return f" ({reason(job)})" if job.problem else ""


def _lost(ending: Ending) -> str:
    return (
        f"A job can no longer be looked at: {ending.detail}. It was not cancelled and may still run and be billed. The "
        "next attempt looks for it again; if the connection lost its rights, mend that first."
    )


def _timed_out(ending: Ending, names: Sequence[str]) -> str:
    states = ", ".join(f"{name} ({ending.states.get(name, 'never seen')})" for name in names)
    if ending.cancelled:
        became = (
            "Cancellation was asked for: rows answered before it are billed and kept by the service, the rest are not. "
            "The next attempt waits for its end, takes its rows, and asks for those that are missing."
        )
    else:
        became = "It was left running and is billed as it goes. The next attempt takes it up again."
    return f"The deadline passed ({ending.detail}) before {states} ended. {became}"
