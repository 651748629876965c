"""Operations that need more than one call: listing, cancelling and deleting jobs."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any

from airflow_provider_genai_batch.client.calls import Calls
from airflow_provider_genai_batch.client.pages import CreationOrder, Pages
from airflow_provider_genai_batch.exceptions import (
    ApiError,
    BadRequest,
    ConfigurationError,
    NotFound,
    PreconditionFailed,
    TransportError,
)
from airflow_provider_genai_batch.flows.steps import Sleep
from airflow_provider_genai_batch.flows.submission.charge import begin_of_day, was_before
from airflow_provider_genai_batch.models import BatchJob, JobState
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.jobs.cancellation import Cancellation, CancelOutcome
from airflow_provider_genai_batch.models.jobs.identity import Identity
from airflow_provider_genai_batch.models.jobs.job import Worth, worth
from airflow_provider_genai_batch.models.jobs.job_status import JobStatus
from airflow_provider_genai_batch.models.jobs.stated_cost import stated_cost
from airflow_provider_genai_batch.wire.services.errors import read_problem

PAGE_SIZE = 100
"""Jobs per page: the largest number that is known to work on both services."""
PAGE_COSTS = 3
"""A page of the list pays if it replaces at least this many calls by name."""
CLOCK_SKEW = 600.0
"""Largest difference between clocks, in seconds."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
_NEW_PAUSE = 2.0
"""Seconds between attempts to read a new job before its cancellation, if it is not found by name yet."""
_LOOKS = 120
"""How often to check a deletion in progress: for ten minutes."""


def next_page(
    calls: Calls, filter_: str | None, page_size: int, pages: Pages
) -> Generator[Any, Any, list[BatchJob]]:
    """Get the next page that is not empty, or the last one."""
    while True:
        jobs: list[BatchJob]
        jobs, token = yield calls.list_jobs(page_size=page_size, page_token=pages.token, filter_=filter_)
        pages.turn(token or "")
        if jobs or pages.over:
            return jobs


def delete_job(calls: Calls, name: str, clock: Callable[[], float]) -> Generator[Any, Any, None]:
    """Delete a job; on Vertex, wait for the operation that deletes it.

    Args:
        calls: the calls of the connection.
        name: the job's name.
        clock: returns the seconds since the epoch by the service's clock.

    Raises:
        ConfigurationError: a limit of the day counts the job, which no list would show any more.
        NotFound: there is no such job (any more).
        ApiError: the service refused, immediately or in the operation.
        TransportError: the operation did not end in time.
    """
    if calls.config.max_cost_per_day is not None:
        job: BatchJob = yield calls.look(name)
        counts = stated_cost(job.display_name) is not None and worth(job) is not Worth.NOTHING
        if counts and not was_before(job, begin_of_day(clock())):
            msg = (
                f"{name} was created today (UTC), and max_cost_per_day={calls.config.max_cost_per_day:g} of the "
                "connection counts it by the service's list, so it was not deleted. Delete it on another day, or "
                "through a connection without the limit: then it does not count any more."
            )
            raise ConfigurationError(msg)
    operation = yield calls.delete(name)
    if not operation:
        return
    pause = _FIRST_PAUSE
    for _ in range(_LOOKS):
        found = yield calls.operation(operation)
        if found.get("done"):
            problem = read_problem(found.get("error"))
            if problem:
                raise ApiError(
                    problem.message, code=400, status=f"code {problem.code}", method="operations.get"
                )
            return
        yield Sleep(pause)
        pause = min(_LONGEST_PAUSE, pause * 2)
    msg = f"the deletion of {name} was accepted and is still in progress"
    raise TransportError(msg, method="operations.get")


def cancel_job(
    calls: Calls,
    name: str,
    *,
    only_if: Callable[[BatchJob], bool] | None = None,
    is_new: Callable[[], bool] | None = None,
) -> Generator[Any, Any, Cancellation]:
    """Cancel a job unless it has ended or is being cancelled. A paused job is cancelled too, as it may be resumed.

    This is the only meaning of "cancel" in this package: the job is first read by its name, and messages about the job
    and the money are about the job as it was read.

    Args:
        calls: the calls of the connection.
        name: the job's name.
        only_if: returns whether the job that was read may be cancelled; None: any may.
        is_new: returns whether the job is so new that it may not be found by name yet; None: it is not new.

    Raises:
        CallError: the job could not be read, or the service refused the cancellation although the job has not ended.
    """
    try:
        job: BatchJob = yield from _appeared(calls, name, is_new)
        if only_if is not None and not only_if(job):
            return Cancellation(CancelOutcome.SPARED, job)
        if (over := _over(job)) is not None:
            return Cancellation(over, job)
        yield calls.cancel(name)
    except NotFound:
        return Cancellation(CancelOutcome.GONE)
    except (BadRequest, PreconditionFailed):
        try:
            job = yield calls.look(name)
        except NotFound:
            return Cancellation(CancelOutcome.GONE)
        if (over := _over(job)) is None:
            raise
        return Cancellation(over, job)
    return Cancellation(CancelOutcome.ASKED, job)


def _appeared(calls: Calls, name: str, is_new: Callable[[], bool] | None) -> Generator[Any, Any, BatchJob]:
    """Read a job by its name; repeat this while the job may be too new to be found."""
    while True:
        try:
            job: BatchJob = yield calls.look(name)
        except NotFound:
            if is_new is None or not is_new():
                raise
            yield Sleep(_NEW_PAUSE)
        else:
            return job


def _over(job: BatchJob) -> CancelOutcome | None:
    """Return why there is nothing to cancel; None if the job can be cancelled."""
    if job.state is JobState.CANCELLING:
        return CancelOutcome.CANCELLING
    return CancelOutcome.ENDED if job.state.final else None


def find_jobs(
    calls: Calls,
    identity: Identity,
    since: float | None = None,
    behind: Callable[[], float] = lambda: 0.0,
) -> Generator[Any, Any, list[BatchJob]]:
    """Find the jobs of an identity's task instance in the list of jobs.

    On Vertex AI the list is filtered by label; the entries are still checked, because a filter may be ignored. On
    Gemini the whole list is read. Only if it has proved to be newest first, reading stops at jobs older than `since`,
    or, if that is not known, at the identity's own job.

    Args:
        calls: the calls of the connection.
        identity: the identity whose jobs are wanted.
        since: the earliest possible time of these jobs, in seconds since the epoch, by a clock that may differ from the
            service's by `CLOCK_SKEW`; None: not known.
        behind: returns, after a page has come, by how many seconds the service's clock is known to be behind that one.

    Returns:
        The jobs as the list shows them. A list may be late or wrong, so read each job by name before acting on it.

    Raises:
        CallError: the list could not be read, so it is not known what is in it.
    """
    filter_ = None
    if calls.config.backend is Backend.VERTEX:
        name, value = next(iter(identity.labels().items()))
        filter_ = f"labels.{name}={value}"
    found: dict[str, BatchJob] = {}
    pages, order = Pages("jobs"), CreationOrder()
    while not pages.over:
        jobs = yield from next_page(calls, filter_, PAGE_SIZE, pages)
        found |= {job.name: job for job in jobs if identity.is_kin(job)}
        order.take(jobs)
        if order.newest_first and _is_enough(jobs, identity, None if since is None else since - behind()):
            break
    return [*found.values()]


def recent_jobs(calls: Calls, since: float, most_pages: int = 1) -> Generator[Any, Any, list[BatchJob]]:
    """List the newest jobs of a connection, from all submitters.

    Args:
        calls: the calls of the connection.
        since: pages with only older jobs are not requested; in seconds since the epoch.
        most_pages: the most pages, of `PAGE_SIZE` jobs each.

    Raises:
        CallError: the list could not be read.
    """
    found: dict[str, BatchJob] = {}
    pages, order = Pages("jobs"), CreationOrder()
    for _ in range(most_pages):
        jobs, token = yield calls.list_summaries(page_size=PAGE_SIZE, page_token=pages.token)
        pages.turn(token or "")
        found |= {job.name: job for job in jobs}
        order.take(jobs)
        if pages.over or (order.newest_first and all(is_older(job, since) for job in jobs)):
            break
    return [*found.values()]


def _is_enough(jobs: Sequence[BatchJob], identity: Identity, since: float | None) -> bool:
    """Whether no further pages matter, in a list that is newest first."""
    if since is None:
        return any(identity.owns(job) for job in jobs)
    return all(is_older(job, since) for job in jobs)


def is_older(job: BatchJob | JobStatus, than: float | None) -> bool:
    """Whether a job was certainly created before a time, in seconds since the epoch, even if clocks differ."""
    if than is None or job.create_time is None:
        return False
    return job.create_time.timestamp() < than - CLOCK_SKEW
