"""The outcome table: the only place where the end of a wait becomes a manifest or a named failure."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection, Generator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from airflow_provider_genai_batch.exceptions import (
    ChecksFailed,
    JobCancelled,
    JobError,
    JobExpired,
    JobFailed,
    JobLost,
    JobPaused,
    JobTimedOut,
    TooManyFailedRows,
    UnsupportedError,
)
from airflow_provider_genai_batch.flows.outcome.collect import READ_PATIENCE, fetched, landed
from airflow_provider_genai_batch.flows.outcome.manifest import describe
from airflow_provider_genai_batch.flows.outcome.messages import (
    ASKS_THE_REST,
    LOOKS_AGAIN,
    anew,
    at_the_service,
    because,
    failed,
    lost,
    shown,
    timed_out,
)
from airflow_provider_genai_batch.flows.steps import Discard, SettleStep
from airflow_provider_genai_batch.flows.watch import Ending, Why
from airflow_provider_genai_batch.models import BatchJob, Manifest
from airflow_provider_genai_batch.models.jobs.job import JobState, Verdict
from airflow_provider_genai_batch.results.counting.row_counter import RowCounter

log = logging.getLogger(__name__)

TOO_FEW_ROWS = (TooManyFailedRows, JobFailed, JobExpired, JobCancelled)
"""Failures that rows of further jobs may repair."""


@dataclass(frozen=True)
class Done:
    """The jobs left enough rows."""

    manifest: Manifest

    @property
    def whole(self) -> bool:
        """Whether every request has a good row, as far as rows were counted."""
        counts = self.manifest.counts
        return counts is None or counts.ok >= counts.total

    def __str__(self) -> str:
        """Return text with the number of good rows."""
        counts = self.manifest.counts
        rows = f"with {counts.ok} of {counts.total} rows ok" if counts else "with an unknown number of rows"
        return f"{', '.join(self.manifest.job_names)} ended, {rows}"


@dataclass(frozen=True)
class AskAgain:
    """Too many rows failed, and this attempt may submit them again.

    It may if rounds are left, or if only jobs of an earlier attempt failed, because that attempt raised their failure.
    A task that is killed, cleared or out of time cancels its job. The attempt after it waits for that job's end, so
    that no two run at once, and uses its rows if they are enough. If they are not, that is not a failure of this
    attempt.
    """

    job_names: tuple[str, ...]
    failure: JobError | None = None
    """The error to raise if the rows cannot be submitted again; None: a new job is submitted in any case."""
    tally: RowCounter | None = None
    """Knows which requests are unanswered; None if rows are in BigQuery, or were not read."""
    ended_early: tuple[str, ...] = ()
    """Jobs with too few rows because they were cancelled or failed. A new job replaces them if it is unknown which rows
    to submit again."""
    tables: tuple[str, ...] = ()
    """BigQuery tables that a further job can continue."""

    @property
    def left(self) -> float:
        """The fraction of the requests without a good row, as far as rows were counted."""
        counts = (self.manifest or {}).get("counts") or {}
        return 1 - counts["ok"] / counts["total"] if counts.get("total") else 1.0

    @property
    def manifest(self) -> dict[str, Any] | None:
        """The manifest of the jobs as JSON, if there is one."""
        manifest = self.failure.manifest if self.failure else None
        return None if manifest is None else dict(manifest)

    def __str__(self) -> str:
        """Return text about what happened."""
        how = "ended early" if self.ended_early else "ended"
        counts = self.tally.counts if self.tally else None
        return f"{', '.join(self.job_names)} {how}{f', with {counts.ok} of {counts.total} rows ok' if counts else ''}"


Outcome: TypeAlias = Done | AskAgain
"""The outcome of ended jobs, if it is not a failure."""


def replaced(job: BatchJob) -> AskAgain | None:
    """Decide about a job of an earlier attempt whose rows the task does not read: one without rows is replaced."""
    if job.state in (JobState.CANCELLING, JobState.CANCELLED, JobState.FAILED):
        return AskAgain((job.name,), ended_early=(job.name,))
    return None


def settle(  # noqa: PLR0913 - one a setting; keyword-only
    ending: Ending,
    names: Sequence[str],
    *,
    max_failed_rows: float,
    results_uri: str | None,
    media_uri: str | None = None,
    clock: Callable[[], float],
    service_clock: Callable[[], float] | None = None,
    patience: float = READ_PATIENCE,
    since: float | None = None,
    reattached: Collection[str] = (),
    failed_before: Collection[str] = (),
    may_ask_again: bool = False,
    rounds_left: bool = False,
    submits: bool = True,
    on_check: str = "fail",
    result: str | None = None,
) -> Generator[SettleStep, Any, Outcome]:
    """Turn an ending into an outcome.

    Args:
        ending: how the wait ended.
        names: the jobs.
        max_failed_rows: rows that may fail: a count (int) or a fraction of all (float up to 1.0).
        results_uri: where rows land.
        media_uri: folder of their pictures and sound.
        clock: returns the seconds since the epoch.
        service_clock: returns the same by the service's clock, which times jobs; None: `clock`.
        patience: seconds to keep looking for output that is not readable yet.
        since: when the looks began, in seconds since the epoch; None: now.
        reattached: names of jobs of an earlier attempt.
        failed_before: names of those whose failure an earlier attempt raised. The rows that they left decide.
        may_ask_again: whether failed rows may be submitted once more, in a further round or to a fallback.
        rounds_left: whether a further round is set. If all rows may fail (1.0), it runs if any row failed, because
            otherwise there would never be one.
        submits: whether the task submits jobs itself; one that does not can only read them again.
        on_check: what happens if a check of all rows fails: ``fail`` or ``warn``.
        result: the BigQuery table that the task writes from their rows.

    Raises:
        JobError: one of its subclasses, as the outcome table says.
        UnsupportedError: `results_uri` is set, but the rows are in BigQuery.
    """
    if ending.why is Why.LOST:
        raise JobLost(lost(ending), job_names=names)
    if ending.why is Why.TIMED_OUT:
        raise JobTimedOut(timed_out(ending, names), job_names=names)
    until = (clock() if since is None else since) + patience
    jobs = yield from fetched(names, clock, until)
    refuse_paused(jobs)
    yield Discard(tuple(jobs))
    for job in jobs:
        if job.verdict is Verdict.FAILED and job.name not in failed_before:
            raise JobFailed(
                failed(job, submits), job_names=names, manifest=describe(jobs).model_dump(mode="json")
            )
        if results_uri and job.output.bigquery_table:
            msg = (
                f"The rows of {job.name} are in {job.output.bigquery_table} and stay there: read them with SQL, or "
                f"export the table, instead of landing them at {results_uri}."
            )
            raise UnsupportedError(msg)
    rows = yield from landed(tuple(jobs), clock, service_clock or clock, until, patience, submits)
    tally = rows.tally
    manifest = describe(
        jobs,
        counts=tally.counts,
        usage=tally.usage,
        results_uri=results_uri or result,
        media_uri=media_uri,
        digest=tally.digest,
        causes=tally.commonest,
        finish_reasons=tally.finish_reasons,
        dropped=tally.dropped,
        tiers=tally.tiers,
        saved=tally.saved,
        rows_of=rows.jobs,
        checked=tally.checked,
    )
    all_may_fail = isinstance(max_failed_rows, float) and max_failed_rows == 1.0
    allowed = 0 if rounds_left and all_may_fail else max_failed_rows
    try:
        _judge(jobs, tally, manifest, allowed, submits)
    except JobError as failure:
        short = _ended_early(jobs, tally, allowed)
        if may_ask_again or any(name in reattached for name in short):
            known = None if rows.in_bigquery else tally  # counts do not say which rows failed
            return AskAgain(tuple(names), failure, known, tuple(short), rows.tables)
        raise
    hold(manifest, on_check)
    return Done(manifest)


def hold(manifest: Manifest, on_check: str) -> None:
    """Apply the checks of all rows.

    Raises:
        ChecksFailed: a check fails, and `on_check` is ``fail``.
    """
    failed = [str(one) for one in manifest.checks if not one.passed]
    if not failed:
        return
    where = f"at {manifest.results_uri}" if manifest.results_uri else at_the_service(manifest)
    said = f"{len(failed)} of {len(manifest.checks)} checks failed: {'; '.join(failed)}."
    if on_check == "warn":
        log.warning("%s All rows are %s.", said, where)
        return
    jobs = ", ".join(manifest.job_names)
    paid = f"{jobs} has ended and its answered rows are paid for" if jobs else "they needed no job"
    msg = (
        f"{said} All rows are {where}; {paid}. "
        "The next attempt submits nothing: it reads the rows again, and fails in the same way unless checks changed."
    )
    raise ChecksFailed(msg, job_names=manifest.job_names, manifest=manifest.model_dump(mode="json"))


def _ended_early(jobs: Sequence[BatchJob], tally: RowCounter, max_failed_rows: float) -> list[str]:
    """Return the jobs with too few rows because they were cancelled or failed.

    A Gemini job that was cancelled while it ran ends as SUCCEEDED; only its rows show the cancellation.
    """
    if tally.rows_read and tally.counts.failed <= allowed_rows(max_failed_rows, tally.counts.total):
        return []
    short = [job.name for job in jobs if job.verdict in (Verdict.CANCELLED, Verdict.FAILED)]
    return short or ([job.name for job in jobs] if tally.counts.cancelled else [])


def refuse_paused(jobs: Sequence[BatchJob]) -> None:
    """Refuse paused jobs, and leave them alone.

    Raises:
        JobPaused: a job is paused.
    """
    for job in jobs:
        if job.verdict is Verdict.PAUSED:
            msg = (
                f"Job {job.name} is paused. It was left alone; its answers are billed. Resume or cancel it at the "
                "service; the next attempt reattaches to it."
            )
            raise JobPaused(msg, job_names=[job.name for job in jobs])


def _judge(
    jobs: Sequence[BatchJob], tally: RowCounter, manifest: Manifest, max_failed_rows: float, submits: bool
) -> None:
    then = anew(submits)
    names, counts = [job.name for job in jobs], tally.counts
    dump = manifest.model_dump(mode="json")
    if not counts.ok and not tally.rows_read:
        for job in jobs:
            if job.verdict is Verdict.FAILED:
                raise JobFailed(failed(job, submits), job_names=names, manifest=dump)
            if job.verdict is Verdict.EXPIRED:
                msg = (
                    f"Job {job.name} expired: the service did not run it within its time limit, and it has no rows"
                    f"{because(job)}. Unanswered rows are not billed. {then}"
                )
                raise JobExpired(msg, job_names=names, manifest=dump)
            if job.verdict is Verdict.CANCELLED:
                msg = f"Job {job.name} was cancelled and has no rows{because(job)}. Nothing more is billed. {then}"
                raise JobCancelled(msg, job_names=names, manifest=dump)
    if counts.failed > allowed_rows(max_failed_rows, counts.total):
        causes = tally.causes().rstrip(".") or "none given"
        where = f"at {manifest.results_uri}" if manifest.results_uri else at_the_service(manifest)
        msg = (
            f"{counts.failed} of {counts.total} rows failed ({shown(counts)}); max_failed_rows={max_failed_rows} "
            f"allows {allowed_rows(max_failed_rows, counts.total)}. Causes: {causes}. All rows are "
            f"{where}; {', '.join(names)} has ended and its answered rows are paid for. "
            f"{ASKS_THE_REST if submits else LOOKS_AGAIN}"
        )
        raise TooManyFailedRows(msg, job_names=names, manifest=dump)


def allowed_rows(max_failed_rows: float, total: int) -> int:
    """Return how many of all rows may fail."""
    if isinstance(max_failed_rows, float) and max_failed_rows <= 1:
        return math.floor(max_failed_rows * total + 1e-9)  # 0.29 of 100 is 28.999999999999996
    return int(max_failed_rows)
