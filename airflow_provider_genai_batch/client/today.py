"""The list of the jobs that were created today, by which a limit of a day is held."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from airflow_provider_genai_batch.client.calls import Calls
from airflow_provider_genai_batch.client.jobs import PAGE_SIZE, is_older
from airflow_provider_genai_batch.client.pages import CreationOrder, Pages
from airflow_provider_genai_batch.exceptions import UnreadableAnswer
from airflow_provider_genai_batch.flows.submission.charge import begin_of_day, was_before
from airflow_provider_genai_batch.models import BatchJob


def jobs_of_today(calls: Calls, clock: Callable[[], float]) -> Generator[Any, Any, list[BatchJob]]:
    """List the jobs of a connection that were created today (UTC), from all submitters.

    Args:
        calls: the calls of the connection.
        clock: returns the seconds since the epoch by the service's clock.

    Returns:
        The jobs as the list shows them, including those without a creation time.

    Raises:
        CallError: the list could not be read to the first job of the day, so it is not known what is in it.
    """
    found: dict[str, BatchJob] = {}
    pages, order = Pages("jobs"), CreationOrder()
    while not pages.over:
        call = calls.list_summaries(page_size=PAGE_SIZE, page_token=pages.token)
        jobs, token = yield call
        pages.turn(token or "")
        midnight = begin_of_day(clock())  # after an answer, because it is the service that tells the time
        found |= {job.name: job for job in jobs if not was_before(job, midnight)}
        order.take(jobs)
        if jobs and order.newest_first and all(is_older(job, midnight) for job in jobs):
            return [*found.values()]
    if pages.in_circles:
        msg = "the list repeats a page token, so it is not known which jobs were created today"
        raise UnreadableAnswer(msg, method=call.method)
    return [*found.values()]
