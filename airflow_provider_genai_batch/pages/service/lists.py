"""Caches the newest jobs of each connection as its service lists them, also while the service does not answer."""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Collection, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property, partial

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.client.jobs import PAGE_SIZE, recent_jobs
from airflow_provider_genai_batch.flows.queue import queue_times, short
from airflow_provider_genai_batch.hooks.genai_batch import open_client
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.jobs.identity import key_of_job
from airflow_provider_genai_batch.pages.service.threads import Threads
from airflow_provider_genai_batch.pages.service.trouble import trouble_of

_FRESH = 15.0
"""Seconds for which a list is fresh, or after which a service that did not answer is asked again."""
_PATIENCE = 1.5
"""Seconds that a page waits for lists; a list that comes later is used by the next page."""
BACK = timedelta(days=8)
"""How far back a list reaches."""
_MOST_PAGES = 50
MOST_JOBS = _MOST_PAGES * PAGE_SIZE
"""The most jobs in a list."""
_MOST_LISTS = 20
"""The most connections whose lists are kept."""


@dataclass(frozen=True)
class JobList:
    """The jobs of one connection.

    Attributes:
        jobs: the jobs by name, as the list shows them. A list may lag, so it is only a hint.
        at: when the list was read; None: never.
        trouble: why the last read failed; empty: it succeeded.
        since: when reading began to fail.
    """

    jobs: Mapping[str, BatchJob] = field(default_factory=dict)
    by_key: Mapping[str, tuple[BatchJob, ...]] = field(default_factory=dict)
    """The jobs by the short key of their task instance, which their names or labels contain."""
    at: datetime | None = None
    trouble: str = ""
    since: datetime | None = None

    @cached_property
    def usual(self) -> Mapping[str, str]:
        """How long jobs of each model usually take, as text, by the short name of the model."""
        by_model: defaultdict[str, list[BatchJob]] = defaultdict(list)
        for job in self.jobs.values():
            by_model[short(job.model)].append(job)
        found = {model: queue_times(jobs) for model, jobs in by_model.items()}
        return {model: times.words for model, times in found.items() if times is not None}


class JobLists:
    """The lists of all connections that pages need. Only one thread at a time reads each list."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[float, JobList]] = OrderedDict()
        self._asked: dict[str, Future[None]] = {}
        self._threads = Threads("list", at_once=8)

    def of(self, conn_ids: Collection[str]) -> dict[str, JobList]:
        """Return the job lists of connections. The list is empty if the service has not answered yet."""
        with self._lock:
            now = clock.monotonic()
            stale = [
                conn_id for conn_id in conn_ids if now - self._kept.get(conn_id, (-_FRESH, None))[0] >= _FRESH
            ]
            for conn_id in stale:
                if conn_id not in self._asked:
                    self._asked[conn_id] = self._threads.start(partial(self._read, conn_id))
            asked = [self._asked[conn_id] for conn_id in stale]
        wait(asked, timeout=_PATIENCE)
        with self._lock:
            return {
                conn_id: self._kept[conn_id][1] if conn_id in self._kept else JobList()
                for conn_id in conn_ids
            }

    def forget(self, conn_id: str) -> None:
        """Make the next page read a list again, because something has changed."""
        with self._lock:
            if conn_id in self._kept:
                self._kept[conn_id] = (clock.monotonic() - _FRESH, self._kept[conn_id][1])

    def _read(self, conn_id: str) -> None:
        try:
            found = _listed(conn_id)
        except Exception as error:  # noqa: BLE001 - the page says that the service has not answered
            found = self._troubled(conn_id, trouble_of(error))
        with self._lock:
            self._kept[conn_id] = (clock.monotonic(), found)
            self._kept.move_to_end(conn_id)
            while len(self._kept) > _MOST_LISTS:
                self._kept.popitem(last=False)
            self._asked.pop(conn_id, None)

    def _troubled(self, conn_id: str, trouble: str) -> JobList:
        before = self._kept.get(conn_id, (0.0, JobList()))[1]
        return replace(before, trouble=trouble, since=before.since if before.trouble else clock.now())


LISTS = JobLists()
"""The lists of this process."""


def _listed(conn_id: str) -> JobList:
    at = clock.now()
    with open_client(conn_id) as client:
        jobs = client.run(recent_jobs(client.calls, (at - BACK).timestamp(), _MOST_PAGES))
    by_key: defaultdict[str, list[BatchJob]] = defaultdict(list)
    for job in jobs:
        by_key[key_of_job(job)].append(job)
    return JobList(
        {job.name: job for job in jobs}, {key: tuple(found) for key, found in by_key.items() if key}, at
    )
