"""Waits for the jobs of a round, in place or by a deferral. It needs to know nothing about their requests."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_genai_batch.exceptions import NotFound
from airflow_provider_genai_batch.flows.submission.own_jobs import APPEARS_WITHIN, created_at
from airflow_provider_genai_batch.flows.watch import Ending, WaitPlan, Why
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.jobs.identity import Identity
from airflow_provider_genai_batch.task.shared import Shared
from airflow_provider_genai_batch.task.state import AttemptState, Checkpoint

if TYPE_CHECKING:
    from airflow_provider_genai_batch.task.inputs.facts import InputFacts

log = logging.getLogger(__name__)

LEFT_POLL = 10.0
"""Seconds between looks at a job that was cancelled because of a deadline."""


@dataclass
class Waiting:
    """Waits for the jobs of an attempt.

    Args:
        shared: objects shared by the attempt.

    Attributes:
        ending: how the last wait ended.
    """

    _shared: Shared
    ending: Ending = field(default_factory=partial(Ending, Why.ENDED))
    _usual: str = ""
    _ahead: float = 0.0
    """Seconds by which the service's clock was ahead of the creation time of a job that was just created."""

    def note_creation(self, job: BatchJob) -> None:
        """Compare the service's clock with the creation time of a job that it has just created."""
        created = created_at(job)
        if created is not None:
            self._ahead = self._shared.client.service_time() - created

    def wait(
        self,
        going: dict[str, BatchJob],
        jobs: Sequence[BatchJob],
        state: AttemptState,
        facts: InputFacts,
        identity: Identity,
        *,
        more: bool,
    ) -> None:
        """Wait until all running jobs end, or until one does if `more` are to come. Removes ended jobs from `going`."""
        if not self._usual:
            self._usual = self._shared.usual
            if self._usual:
                log.info("Time of a job of %s: %s.", self._shared.settings.model, self._usual)
        reattached = not going.keys().isdisjoint(state.reattached)
        plan = replace(self.plan([*going.values()], reattached=reattached), until_first=more)
        plan = _for_rows(plan, state)
        if self._shared.settings.deferrable:
            names = [*state.done, *(job.name for job in jobs)]
            checkpoint = Checkpoint(replace(state, idle=False), names, facts, identity.fingerprint, more)
            self._shared.task.defer_until_ended([*going], plan, checkpoint.to_event())
        self.ending = self._shared.watcher.wait([*going], plan)
        if more and self.ending.why is Why.ENDED:
            for name in [*going]:
                with suppress(NotFound):  # it cannot be read yet
                    if self._shared.client.get(name).done:
                        del going[name]
        else:
            going.clear()
        self._shared.task.waiting_for = [*going]

    def wait_for(
        self,
        going: Sequence[BatchJob],
        jobs: Sequence[BatchJob],
        state: AttemptState,
        facts: InputFacts,
        identity: Identity,
    ) -> Ending:
        """Wait for jobs that somebody else submitted, in place or by a deferral.

        Args:
            going: these jobs.
            jobs: all jobs of the round, including them.
            state: what this attempt has done so far.
            facts: facts about the whole input.
            identity: identity of the whole input.

        Returns:
            How the wait ended.
        """
        self._shared.task.waiting_for = [*self._shared.task.waiting_for, *(job.name for job in going)]
        self._shared.task.appear_until = self.appear_until(going)
        self.wait({job.name: job for job in going}, jobs, state, facts, identity, more=False)
        return self.ending

    def plan(self, jobs: Sequence[BatchJob], *, reattached: bool = False) -> WaitPlan:
        """Return how to wait for jobs; the deadline of each counts from its own creation."""
        now = self._shared.client.service_time()
        begun = {job.name: created_at(job) or now for job in jobs}
        oldest = min(jobs, key=lambda job: begun[job.name])
        first = begun[oldest.name]
        plan = self._shared.settings.wait_plan(oldest, now=now, reattached=reattached)
        return replace(
            plan,
            deadline=plan.deadline + self._ahead,
            pending_deadline=plan.pending_deadline + self._ahead,
            appear_until=self.appear_until(jobs),
            usual=self._usual,
            later={name: at - first for name, at in begun.items() if at > first},
        )

    def appear_until(self, jobs: Sequence[BatchJob]) -> float:
        """Return by when the service must know the newest job by name, in seconds since the epoch."""
        times = [created for job in jobs if (created := created_at(job)) is not None]
        newest = max(times) + self._ahead if times else self._shared.client.service_time()
        return newest + APPEARS_WITHIN


def _for_rows(plan: WaitPlan, state: AttemptState) -> WaitPlan:
    """Return a plan that keeps the deadline of the rows, or waits for the end of jobs cancelled because of it."""
    if state.left_until:
        return replace(
            plan,
            poll_interval=min(plan.poll_interval, LEFT_POLL),
            deadline=state.left_until,
            pending_deadline=math.inf,
            cancel_on_timeout=False,
            late=False,
            later={},
        )
    return replace(plan, ready_by=state.ready)
