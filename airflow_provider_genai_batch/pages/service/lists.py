"""The newest jobs of connections as their services list them, kept for a moment, and while a service is away."""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Collection, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import AirflowNotFoundException

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.client.jobs import recent_jobs
from airflow_provider_genai_batch.exceptions import GenAIBatchError
from airflow_provider_genai_batch.hooks.genai_batch import open_client
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.jobs.identity import key_of_job
from airflow_provider_genai_batch.pages.service.threads import start
from airflow_provider_genai_batch.printable import printable

_FRESH = 15.0
"""Seconds for which a list is good, and a service that is away is not asked again."""
_PATIENCE = 1.5
"""Seconds that a page waits for lists; what comes later is there for the next page."""
_BACK = timedelta(days=8)
_MOST_PAGES = 50
_MOST_LISTS = 20
"""Connections whose lists are kept."""


@dataclass(frozen=True)
class JobList:
    """The jobs of one connection.

    Attributes:
        jobs: by name, as the list shows them: it may be late, and is a hint.
        at: when the list was read; None: it never was.
        trouble: why it could not be read the last time; empty: it was.
        since: when the trouble began.
    """

    jobs: Mapping[str, BatchJob] = field(default_factory=dict)
    by_key: Mapping[str, tuple[BatchJob, ...]] = field(default_factory=dict)
    """By the short key of the task instance that their names or labels tell."""
    at: datetime | None = None
    trouble: str = ""
    since: datetime | None = None


class JobLists:
    """The lists of all connections that pages ask for. Each is read by one thread at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[float, JobList]] = OrderedDict()
        self._asked: dict[str, Future[None]] = {}

    def of(self, conn_ids: Collection[str], patience: float = _PATIENCE) -> dict[str, JobList]:
        """Return what is known of connections' jobs; one that no service has reported on yet has an empty list.

        Args:
            conn_ids: of Airflow's connections.
            patience: seconds that lists are waited for which are not fresh.
        """
        with self._lock:
            now = clock.monotonic()
            stale = [
                conn_id for conn_id in conn_ids if now - self._kept.get(conn_id, (-_FRESH, None))[0] >= _FRESH
            ]
            for conn_id in stale:
                if conn_id not in self._asked:
                    self._asked[conn_id] = start(lambda conn_id=conn_id: self._read(conn_id), "list")  # type: ignore[misc]  # a default of a lambda
            asked = [self._asked[conn_id] for conn_id in stale]
        wait(asked, timeout=patience)
        with self._lock:
            return {
                conn_id: self._kept[conn_id][1] if conn_id in self._kept else JobList()
                for conn_id in conn_ids
            }

    def forget(self, conn_id: str) -> None:
        """Read a list anew the next time, as something has changed."""
        with self._lock:
            if conn_id in self._kept:
                self._kept[conn_id] = (clock.monotonic() - _FRESH, self._kept[conn_id][1])

    def _read(self, conn_id: str) -> None:
        try:
            found = _listed(conn_id)
        except (GenAIBatchError, AirflowNotFoundException) as error:
            found = self._troubled(conn_id, f"{type(error).__name__}: {printable(str(error), 300)}")
        except Exception as error:  # noqa: BLE001 - of a secrets backend, or of Google's libraries: its text may say much
            found = self._troubled(conn_id, type(error).__name__)
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
"""Of this process."""


def _listed(conn_id: str) -> JobList:
    at = clock.now()
    with open_client(conn_id) as client:
        jobs = client.run(recent_jobs(client.calls, (at - _BACK).timestamp(), _MOST_PAGES))
    by_key: defaultdict[str, list[BatchJob]] = defaultdict(list)
    for job in jobs:
        by_key[key_of_job(job)].append(job)
    return JobList(
        {job.name: job for job in jobs}, {key: tuple(found) for key, found in by_key.items() if key}, at
    )
