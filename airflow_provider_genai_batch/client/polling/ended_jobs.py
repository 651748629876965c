"""Finds recently ended jobs of a connection in its list, from all submitters."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable
from datetime import datetime
from typing import Any, NamedTuple

from airflow_provider_genai_batch.client.calls import Calls
from airflow_provider_genai_batch.client.jobs import CLOCK_SKEW, PAGE_COSTS, PAGE_SIZE, is_older
from airflow_provider_genai_batch.client.pages import CreationOrder, Pages
from airflow_provider_genai_batch.exceptions import CallError, NotFound, QuotaExceeded
from airflow_provider_genai_batch.flows.watch import BUDGET
from airflow_provider_genai_batch.models import BatchJob

log = logging.getLogger(__name__)

_MAX_FAILURES_IN_A_ROW = 3
"""Failed looks in a row after which a round makes no more looks; each one was tried several times."""


class Ended(NamedTuple):
    """A job that has ended.

    Attributes:
        job: the job as the list, or a look by name, showed it.
        at: the time of its end, in seconds since the epoch.
    """

    job: BatchJob
    at: float


class EndedJobs:
    """Remembers which jobs have not ended, so that a round reads the pages of new jobs, and little about older ones.

    A job that was seen running is reported when it ends, even if the list shows that late. A job that had ended when it
    was first seen is reported if it ended within `window` or since the last round. Jobs are forgotten only when they
    are older than `window`, so none is found again as new.

    Args:
        window: how long before the first round jobs may have ended, and how long each is reported, in seconds.
    """

    def __init__(self, window: float) -> None:
        self._window = window
        self._going: dict[str, None] = {}
        """Jobs that have not ended, in the order in which they are read by name."""
        self._ended: dict[str, tuple[Ended, float]] = {}
        """Ended jobs by name, with the time when each was noticed."""
        self._last: float | None = None
        self._newest: float | None = None

    def round(self, calls: Calls, now: float) -> Generator[Any, Any, list[Ended]]:
        """Read the list to its end, or, if it has proved to be newest first, up to jobs that are known.

        Args:
            calls: the calls of the connection.
            now: the time in seconds since the epoch.

        Returns:
            All recently ended jobs, including those of earlier rounds.

        Raises:
            CallError: the list could not be read; the next round makes up for it.
        """
        # `since` is never later than the last round, so that no job falls between two rounds.
        since = min(now - self._window, (self._last or now - self._window) - CLOCK_SKEW)
        depth = self._newest if self._newest is not None else since - BUDGET[calls.config.backend]
        newest, unseen = self._newest, dict(self._going)
        pages, order = Pages("jobs"), CreationOrder()
        while not pages.over:
            jobs, token = yield calls.list_summaries(page_size=PAGE_SIZE, page_token=pages.token)
            pages.turn(token)
            found = len(unseen)
            for job in jobs:
                unseen.pop(job.name, None)
                self._take(job, now, since)
                newest = max(filter(None, (newest, _seconds(job.create_time))), default=None)
            pays = found - len(unseen) >= PAGE_COSTS
            order.take(jobs)
            if jobs and order.newest_first and is_older(jobs[-1], depth) and not pays:
                break
        yield from self._look(calls, unseen, now, since)
        self._last, self._newest = now, newest
        self._ended = {
            name: (one, noticed)
            for name, (one, noticed) in self._ended.items()
            if max(one.at, noticed) >= since
        }
        return [one for one, _ in self._ended.values()]

    def _look(
        self, calls: Calls, names: Iterable[str], now: float, since: float
    ) -> Generator[Any, Any, None]:
        """Read jobs by name; jobs that cannot be read now come last in the next round."""
        troubles = 0
        for name in names:
            try:
                job: BatchJob = yield calls.look(name)
            except NotFound:
                self._going.pop(name, None)
            except CallError as error:
                log.info("Job %s cannot be read: %s", name, error)
                self._going[name] = self._going.pop(name, None)
                troubles += 1
                if isinstance(error, QuotaExceeded) or troubles >= _MAX_FAILURES_IN_A_ROW:
                    return
            else:
                troubles = 0
                self._take(job, now, since)

    def _take(self, job: BatchJob, now: float, since: float) -> None:
        if job.name in self._ended:  # a list that lags may show an older state
            return
        if not job.state.final:
            self._going[job.name] = None
            return
        at = _seconds(job.end_time) or _seconds(job.update_time) or _seconds(job.create_time) or now
        if job.name in self._going or at >= since:
            self._ended[job.name] = Ended(job, at), now
        self._going.pop(job.name, None)


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()
