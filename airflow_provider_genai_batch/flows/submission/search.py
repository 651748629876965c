"""The search for the jobs of one identity: a list is only a hint, so each job is read by name."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from typing import Any

from airflow_provider_genai_batch.flows.record import Record
from airflow_provider_genai_batch.flows.steps import (
    Find,
    FindStep,
    Sleep,
)
from airflow_provider_genai_batch.flows.submission.attempt import Attempt
from airflow_provider_genai_batch.flows.submission.own_jobs import (
    choose,
    created_at,
    read_job,
)
from airflow_provider_genai_batch.models import BatchJob, JobState
from airflow_provider_genai_batch.models.jobs.identity import Identity

log = logging.getLogger(__name__)

LOOKS_AFTER_LOSS = (1.0, 2.0, 4.0, 8.0)
"""Seconds before each look for a job whose create call got no usable answer, because lists lag."""
STALE = 30.0
"""Seconds after which the result of a look, or a recorded intent, is too old for a create call."""
LONGEST_CREATE = 300.0
"""Seconds after an intent during which its create call may still take effect: twice as long as a call may take."""
NOTE_SKEW = 600.0
"""Seconds by which the time of a record may be wrong, because its writer may not have known the service's clock."""


class Search:
    """Looks for the jobs of an identity, more than once in an attempt.

    Args:
        identity: identity of the jobs: task instance and requests.
        attempt: what is known beforehand.
        clock: returns the seconds since the epoch by the service's clock.
        steady: returns seconds that never jump.

    Attributes:
        before: existing jobs not to reattach to.
        looked: when the list was last read, in steady seconds.
        doubt: see `Record.doubt`.
        hints: jobs of the task instance as last listed.
        pauses: seconds before each look for a job that may not be listed yet.
    """

    def __init__(
        self, identity: Identity, attempt: Attempt, clock: Callable[[], float], steady: Callable[[], float]
    ) -> None:
        self.identity, self.attempt = identity, attempt
        self.clock, self.steady = clock, steady
        self.before = set(attempt.before)
        # A stalled attempt may have been replaced, so looks expire. A first attempt's start counts as its first look.
        begun = steady() if attempt.begun is None else attempt.begun
        self.looked = float("-inf") if attempt.resumed else begun
        self.doubt = 0.0
        self.hints: list[BatchJob] = []
        self.pauses = LOOKS_AFTER_LOSS
        self._ended: dict[str, BatchJob] = {}

    def look(
        self, since: float | None, besides: str = "", sent: float | None = None
    ) -> Generator[FindStep, Any, list[BatchJob]]:
        """Read the list once; return the listed jobs of the identity except `besides`, each read by name.

        Args:
            since: no job is older, in seconds since the epoch; None: unknown.
            besides: the name of a job that is already known.
            sent: when the create call that made them was about to be sent, in steady seconds, because the creation time
                that the service reports may be by another clock. None: unknown.
        """
        self.looked = self.steady()
        hints: list[BatchJob] = yield Find(since)
        self.hints = [job for job in hints if self.identity.is_kin(job)]
        if self.doubt and not _may_yet_come(self.doubt, self.clock()):
            self.doubt = 0.0
        own = []
        for hint in self.hints:
            if not self.identity.owns(hint) or hint.name in (*self.before, besides):
                continue
            job = yield from self.read(hint, sent)
            if job is None:
                log.info("A list shows job %s, which no longer exists.", hint.name)
            elif self.identity.owns(job):
                own.append(job)
        return own

    def read(self, hint: BatchJob, sent: float | None = None) -> Generator[FindStep, Any, BatchJob | None]:
        """Read a listed job by name; see `read_job` and `look`. None: it does not exist."""
        if hint.name in self._ended:
            return self._ended[hint.name]
        created = created_at(hint) if sent is None else self.clock() - (self.steady() - sent)
        job = yield from read_job(hint.name, created, self.clock)
        if job is not None and job.state.final:
            self._ended[job.name] = job
        return job

    def patiently(
        self, record: Record | None, known: BatchJob | None = None
    ) -> Generator[FindStep, Any, list[BatchJob]]:
        """Look several times, because lists lag and the earlier attempt may have died just now.

        Args:
            record: the record of the job.
            known: a job of this identity that the list need not show.
        """
        own = yield from self._beside(known)
        for pause in self.pauses if self._may_be_fresh(record) else ():
            if self.attempt.reattach and choose(own, self.attempt.mine).kept:
                break
            yield Sleep(pause)
            own = yield from self._beside(known)
        return own

    def _beside(self, known: BatchJob | None) -> Generator[FindStep, Any, list[BatchJob]]:
        own = yield from self.look(self.attempt.since)
        missing = known is not None and all(job.name != known.name for job in own)
        return [*own, known] if known is not None and missing else own

    def _may_be_fresh(self, record: Record | None) -> bool:
        """Whether there may be a job that lists do not show yet.

        Records may have been cleared, so only a record of this very job proves that its create call was refused, or
        sent long ago.
        """
        if record is None or record.tag != self.identity.tag or record.outdated:
            return True
        last = max(record.intent, record.doubt)
        return bool(last) and _may_yet_come(last, self.clock())


def orphan(
    identity: Identity, intent: float | None, clock: Callable[[], float]
) -> Generator[FindStep, Any, BatchJob | None]:
    """Find the job of a create call whose sender died before it got the answer.

    Args:
        identity: identity of the job.
        intent: when the call was about to be sent, in seconds since the epoch; None: unknown.
        clock: returns the seconds since the epoch.

    Raises:
        CallError: the look-up was refused, or got no answer.
    """
    record = None if intent is None else Record(identity.tag, intent)
    looks = Search(identity, Attempt(since=intent), clock, clock)
    own = yield from looks.patiently(record)
    return choose(job for job in own if job.state is not JobState.FAILED).kept


def _may_yet_come(sent: float, now: float) -> bool:
    """Whether a create call may still take effect, or its job be unlisted. `sent` may be inexact."""
    return sent + STALE + LONGEST_CREATE + sum(LOOKS_AFTER_LOSS) + NOTE_SKEW > now
