"""Jobs of a connection that have ended of late, whoever submitted them: what walks through its list tell."""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime
from typing import Any, NamedTuple

from airflow_provider_genai_batch.client.calls import Calls
from airflow_provider_genai_batch.client.jobs import CLOCK_SKEW, PAGE_SIZE, is_older
from airflow_provider_genai_batch.exceptions import NotFound
from airflow_provider_genai_batch.models import BatchJob, JobState
from airflow_provider_genai_batch.models.base import Backend

_LIFE = {Backend.GEMINI: 50 * 3600.0, Backend.VERTEX: 98 * 3600.0}
"""Seconds after which the services have ended every job: 48 h, and 72 h in the queue with 24 h of running."""
_PAGE_COSTS = 3
"""A page of the list is worth its while if it shows as many jobs that would be asked for by name otherwise."""


class Ended(NamedTuple):
    """A job that has ended.

    Attributes:
        job: as the list showed it, or a look by name.
        at: when it ended, in seconds since the epoch.
    """

    job: BatchJob
    at: float


class EndedJobs:
    """Knows which jobs go on, so that a round costs the pages of new jobs, and little for those before.

    A job that went on when it was seen is told of when it has ended, however late the list shows that. One that had
    ended when it was first seen is, if that was in `window` or since the last round. None is told of again once it
    was forgotten: what is forgotten is older than what is taken in.

    Args:
        window: seconds before the first round, and for which each job is told of.
    """

    def __init__(self, window: float) -> None:
        self._window = window
        self._going: set[str] = set()
        self._ended: dict[str, tuple[Ended, float]] = {}
        """With the moment when each was noticed."""
        self._last: float | None = None
        self._newest: float | None = None

    def round(self, calls: Calls, now: float) -> Generator[Any, Any, list[Ended]]:
        """Walk through the list, newest first.

        Args:
            calls: of the connection.
            now: seconds since the epoch.

        Returns:
            All that have ended of late, those of earlier rounds too.

        Raises:
            CallError: the list could not be read; the next round makes up for it.
        """
        since = now - self._window
        if self._last is not None:
            since = min(since, self._last - CLOCK_SKEW)
        depth = self._newest if self._newest is not None else since - _LIFE[calls.config.backend]
        newest, unseen = self._newest, set(self._going)
        token: str | None = None
        while token != "":
            jobs, token = yield calls.survey(page_size=PAGE_SIZE, page_token=token)
            found = len(unseen)
            for job in jobs:
                unseen.discard(job.name)
                self._take(job, now, since)
                newest = max(filter(None, (newest, _seconds(job.create_time))), default=None)
            pays = found - len(unseen) >= _PAGE_COSTS
            if jobs and is_older(jobs[-1], depth) and not pays:
                break
        for name in unseen:
            try:
                self._take((yield calls.look(name)), now, since)
            except NotFound:
                self._going.discard(name)
        self._last, self._newest = now, newest
        self._ended = {
            name: (one, noticed)
            for name, (one, noticed) in self._ended.items()
            if max(one.at, noticed) >= since
        }
        return [one for one, _ in self._ended.values()]

    def _take(self, job: BatchJob, now: float, since: float) -> None:
        if job.name in self._ended:  # a list that lags may show it as it was
            return
        if not job.done or job.state is JobState.PAUSED:
            self._going.add(job.name)
            return
        at = _seconds(job.end_time) or _seconds(job.update_time) or _seconds(job.create_time) or now
        if job.name in self._going or at >= since:
            self._ended[job.name] = Ended(job, at), now
        self._going.discard(job.name)


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()
