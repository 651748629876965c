"""Finds jobs of a task instance: by lists, which are only hints, and then by name."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import Any

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.client.jobs import find_jobs, is_older, recent_jobs
from airflow_provider_genai_batch.client.today import jobs_of_today
from airflow_provider_genai_batch.client.transport.retries import TRIES
from airflow_provider_genai_batch.exceptions import (
    CallError,
    NotFound,
)
from airflow_provider_genai_batch.flows.drive import drive
from airflow_provider_genai_batch.flows.outcome.stray_jobs import Strays, find_strays
from airflow_provider_genai_batch.flows.queue import queue_times
from airflow_provider_genai_batch.flows.steps import (
    Find,
    FindStep,
    ListToday,
    TodayStep,
    WatchStep,
)
from airflow_provider_genai_batch.flows.submission.attempt import Attempt
from airflow_provider_genai_batch.flows.submission.charge import Charge
from airflow_provider_genai_batch.flows.submission.search import orphan
from airflow_provider_genai_batch.flows.submission.today import refuse_beyond
from airflow_provider_genai_batch.flows.submission.withdraw import cancel_needless, cancel_others
from airflow_provider_genai_batch.flows.watch import BUDGET
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.jobs.identity import Identity
from airflow_provider_genai_batch.models.jobs.journal import is_journaled
from airflow_provider_genai_batch.models.manifest.spent_today import SpentToday
from airflow_provider_genai_batch.task.jobs.watcher import JobWatcher

log = logging.getLogger(__name__)

_LIVE_PAGES = 10
"""Pages of a list in which to look for unfinished jobs: a thousand jobs."""


@dataclass
class JobFinder:
    """Finds jobs.

    Attributes:
        watcher: reads jobs by name, and cancels them.
        usual: how long jobs of the model take, in words; empty if unknown.
    """

    watcher: JobWatcher
    usual: str = ""

    def find(self, identity: Identity, since: float | None) -> list[BatchJob]:
        """List the jobs of an identity's task instance; see `find_jobs`."""
        return self.watcher.client.run(find_jobs(self.watcher.client.calls, identity, since, self._behind))

    def find_ended(self, identity: Identity, since: float | None) -> list[str]:
        """Return the names of an identity's ended jobs; a job that a list shows as running is read by name."""
        own = [job for job in self.find(identity, since) if identity.owns(job)]
        return [job.name for job in own if job.done or self._has_ended(job.name)]

    def _has_ended(self, name: str) -> bool:
        try:
            return self.watcher.client.get(name).done
        except NotFound:  # or it cannot be read yet: whoever reattaches to it deals with that
            return False

    def find_strays(
        self, identity: Identity, settled: Collection[BatchJob], names: Collection[str], since: float | None
    ) -> Strays:
        """Look for other jobs with the same requests as those that were settled last."""
        known = [job for job in settled if not is_journaled(job.name)]
        flow = find_strays(identity, known, names=names, since=since, clock=self.watcher.client.service_time)
        return drive(flow, partial(self.act_for, identity))

    def cancel_strays(self, identity: Identity, strays: Strays) -> None:
        """Cancel stray jobs that have not ended."""
        drive(cancel_needless(identity, strays.going, self.watcher.client.service_time), self.watcher.act)

    def cancel_others(self, identity: Identity, hints: Collection[BatchJob]) -> None:
        """Cancel jobs of the task instance that are no longer wanted; see `cancel_others`."""
        clock_ = self.watcher.client.service_time
        drive(cancel_others(identity, hints, clock_, reattach=True), self.watcher.act)

    def find_orphan(self, identity: Identity, intent: float | None) -> BatchJob | None:
        """Find the job of a create call that was about to be sent at `intent`; see `orphan`."""

        def act(step: FindStep) -> Any:
            if isinstance(step, Find):
                found, since = self.find(identity, step.since), step.since
                oldest = None if since is None else since - self._behind()
                return [job for job in found if not is_older(job, oldest)]
            return self.watcher.act(step)

        return drive(orphan(identity, intent, self.watcher.client.service_time), act)

    def act_for(self, identity: Identity, step: Find | WatchStep) -> Any:
        """Carry out a step that decides what is paid: each look gets as many tries as any other call."""
        if isinstance(step, Find):
            return self.find(identity, step.since)
        return self.watcher.act(step, tries=TRIES)

    def list_live(self, attempt: Attempt) -> list[BatchJob] | None:
        """List jobs that may not have ended; log how long the ended ones took."""
        jobs = self.recent_jobs(BUDGET[self.watcher.client.config.backend], _LIVE_PAGES)
        times = queue_times(jobs or (), attempt.model)
        self.usual = "" if times is None else times.words
        return jobs

    def list_today(self) -> list[BatchJob]:
        """List the connection's jobs that were created today; see `jobs_of_today`."""
        client = self.watcher.client
        return client.run(jobs_of_today(client.calls, client.service_time))

    def spent_today(self, charge: Charge) -> SpentToday:
        """Add up what the jobs of the day may cost, for a task that creates none; see `refuse_beyond`."""

        def act(step: TodayStep) -> Any:
            return self.list_today() if isinstance(step, ListToday) else self.watcher.act(step, tries=TRIES)

        return drive(refuse_beyond(charge, self.watcher.client.service_time), act)

    def recent_jobs(self, seconds: float, most_pages: int = 1) -> list[BatchJob] | None:
        """List the connection's jobs of the last `seconds`; None if the list cannot be read, which does no harm."""
        since = self.watcher.client.service_time() - seconds
        try:
            return self.watcher.client.run(recent_jobs(self.watcher.client.calls, since, most_pages))
        except CallError as error:
            log.info("It is unknown how long jobs take, because they could not be listed: %s", error)
            return None

    def _behind(self) -> float:
        """Seconds by which the service's clock is behind this machine's, as far as known."""
        return max(0.0, clock.time() - self.watcher.client.service_time())
