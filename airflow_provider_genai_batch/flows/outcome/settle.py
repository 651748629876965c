"""The outcome table: how waiting that ended becomes a manifest or a named failure. It lives here once."""

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
"""Failures that rows of more jobs may mend."""


@dataclass(frozen=True)
class Done:
    """The jobs left enough rows."""

    manifest: Manifest

    @property
    def whole(self) -> bool:
        """Whether no request is without a good row, as far as rows were counted."""
        counts = self.manifest.counts
        return counts is None or counts.ok >= counts.total

    def __str__(self) -> str:
        """Tell how many rows are ok."""
        counts = self.manifest.counts
        rows = f"with {counts.ok} of {counts.total} rows ok" if counts else "with an unknown number of rows"
        return f"{', '.join(self.manifest.job_names)} ended, {rows}"


@dataclass(frozen=True)
class AskAgain:
    """Too many rows failed, and this attempt may ask for them again.

    It may when rounds are left, and when jobs of an earlier attempt failed, which it raised. A task that is killed,
    cleared or out of time has its job cancelled. The attempt after it waits for that job's end, so that no two of them
    run at once, and takes its rows if they are enough. If not, that is no failure of this attempt's own.
    """

    job_names: tuple[str, ...]
    failure: JobError | None = None
    """What to raise where they cannot be asked again; None: a new job is submitted, whatever became of the rows."""
    tally: RowCounter | None = None
    """Knows which requests are unanswered; None where rows are in BigQuery, or nobody read them."""
    ended_early: tuple[str, ...] = ()
    """The jobs of which a cancellation or failure left too few rows: a new one takes their place where it cannot be
    known which rows to ask again."""
    tables: tuple[str, ...] = ()
    """Those in BigQuery whose rows a further job can go on with."""

    @property
    def left(self) -> float:
        """The share of the requests that has no good row, as far as rows were counted."""
        counts = (self.manifest or {}).get("counts") or {}
        return 1 - counts["ok"] / counts["total"] if counts.get("total") else 1.0

    @property
    def manifest(self) -> dict[str, Any] | None:
        """The manifest of the jobs as JSON, if there is one."""
        manifest = self.failure.manifest if self.failure else None
        return None if manifest is None else dict(manifest)

    def __str__(self) -> str:
        """Tell what happened."""
        how = "ended early" if self.ended_early else "ended"
        counts = self.tally.counts if self.tally else None
        return f"{', '.join(self.job_names)} {how}{f', with {counts.ok} of {counts.total} rows ok' if counts else ''}"


Outcome: TypeAlias = Done | AskAgain
"""What becomes of jobs that ended, if it is no failure."""


def replaced(job: BatchJob) -> AskAgain | None:
    """Decide of a job of an earlier attempt whose rows nobody reads: one that left none is replaced by a new one."""
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
    submits: bool = True,
    on_check: str = "fail",
    result: str | None = None,
) -> Generator[SettleStep, Any, Outcome]:
    """Turn an ending into an outcome.

    Args:
        ending: how the waiting ended.
        names: the jobs.
        max_failed_rows: rows that may fail: a count (int) or a fraction of all (float up to 1.0).
        results_uri: where rows land.
        media_uri: folder of their pictures and sound.
        clock: tells the seconds since the epoch.
        service_clock: does so as the service has them, by which jobs end; None: `clock` does.
        patience: seconds to keep looking for output that is not readable yet.
        since: when the looking began, in seconds since the epoch; None: now.
        reattached: those that are of an earlier attempt.
        failed_before: those of them whose failure an earlier attempt raised. The rows that they left decide.
        may_ask_again: rows that failed may be asked for once more.
        submits: the task submits jobs itself; one that does not can only look at them again.
        on_check: what comes of a check of all rows that fails: ``fail`` or ``warn``.
        result: the table in BigQuery that the task writes of their rows.

    Raises:
        JobError: one of its kinds, as the outcome table says.
        UnsupportedError: rows that are in BigQuery are to be landed.
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
    try:
        _judge(jobs, tally, manifest, max_failed_rows, submits)
    except JobError as failure:
        short = _ended_early(jobs, tally, max_failed_rows)
        if may_ask_again or any(name in reattached for name in short):
            known = None if rows.in_bigquery else tally  # counts do not say which failed
            return AskAgain(tuple(names), failure, known, tuple(short), rows.tables)
        raise
    hold(manifest, on_check)
    return Done(manifest)


def hold(manifest: Manifest, on_check: str) -> None:
    """Hold the rows against the checks of all of them.

    Raises:
        ChecksFailed: one fails, and that is no mere warning.
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
    paid = f"{jobs} has ended and its answered rows are paid for" if jobs else "no job was needed for them"
    msg = (
        f"{said} All rows are {where}; {paid}. "
        "The next attempt asks nothing again: it reads the rows once more, and fails likewise unless checks changed."
    )
    raise ChecksFailed(msg, job_names=manifest.job_names, manifest=manifest.model_dump(mode="json"))


def _ended_early(jobs: Sequence[BatchJob], tally: RowCounter, max_failed_rows: float) -> list[str]:
    """Return the jobs of which a cancellation or failure left too few rows.

    A Gemini job that was cancelled while it ran ends as SUCCEEDED, and only its rows tell.
    """
    if tally.rows_read and tally.counts.failed <= allowed_rows(max_failed_rows, tally.counts.total):
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
                f"Job {job.name} is paused. It was left alone; what it has answered is billed. Resume or cancel it "
                f"at the "
                "service; the next attempt takes it up again."
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
