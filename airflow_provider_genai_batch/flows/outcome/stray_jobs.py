"""Stray jobs: by the service's list they have the task instance's requests, but the attempt does not know them.

One create call may have made two jobs, an attempt that was given up on may have submitted a further round, and which
job a round follows depends on earlier lists. Only the list shows such jobs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Generator, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_genai_batch.exceptions import CallError
from airflow_provider_genai_batch.flows.outcome.collect import CLOCKS_APART
from airflow_provider_genai_batch.flows.steps import Find, FindStep, Sleep
from airflow_provider_genai_batch.flows.submission import search
from airflow_provider_genai_batch.flows.submission.own_jobs import answered, created_at, read_job
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.jobs.identity import Identity, round_of

log = logging.getLogger(__name__)

_YOUNG = sum(search.LOOKS_AFTER_LOSS) + CLOCKS_APART
"""Seconds after a job's creation, by a clock that may be ahead, during which a list need not show it."""


@dataclass(frozen=True)
class Strays:
    """Stray jobs as read by name, in the order of their rounds and creation."""

    ended: tuple[BatchJob, ...] = ()
    """Those that have ended, and may have rows."""
    going: tuple[BatchJob, ...] = ()
    """Those that have not ended."""

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.ended or self.going)

    @property
    def jobs(self) -> tuple[BatchJob, ...]:
        """All of them."""
        return tuple(sorted((*self.ended, *self.going), key=_place))

    def only(self, wanted: Callable[[BatchJob], bool]) -> Strays:
        """Return some of them."""
        return Strays(tuple(filter(wanted, self.ended)), tuple(filter(wanted, self.going)))


def find_strays(
    identity: Identity,
    known: Sequence[BatchJob],
    *,
    names: Collection[str],
    since: float | None,
    clock: Callable[[], float],
) -> Generator[FindStep, Any, Strays]:
    """Look for stray jobs. If the look fails, log that and continue without it.

    Args:
        identity: identity of the whole input.
        known: the settled jobs, as read by name.
        names: names of all known jobs, these and others.
        since: no job is older, in seconds since the epoch; None: unknown.
        clock: returns the seconds since the epoch by the service's clock.
    """
    try:
        for pause in (*search.LOOKS_AFTER_LOSS, None):
            hints: list[BatchJob] = yield Find(since)
            if _is_up_to_date(hints, known, clock()) or pause is None:
                break
            yield Sleep(pause)
        found: list[BatchJob] = []
        for hint in hints:
            if hint.name in names or not identity.is_family(hint):
                continue
            job = yield from read_job(hint.name, created_at(hint), clock)
            if job is not None and identity.is_family(job):
                found.append(job)
    except CallError as error:
        log.warning("Could not check for other jobs with the same requests: %s", error)
        return Strays()
    found.sort(key=_place)
    return Strays(
        tuple(job for job in found if answered(job)),
        tuple(job for job in found if not job.state.final),
    )


def _is_up_to_date(hints: Sequence[BatchJob], known: Sequence[BatchJob], now: float) -> bool:
    """Whether a list shows even the newest known jobs: then it also shows strays created at the same time."""
    shown = {job.name for job in hints}
    young = [job for job in known if (at := created_at(job)) is not None and now - at < _YOUNG]
    return all(job.name in shown for job in young)


def _place(job: BatchJob) -> tuple[int, float, str]:
    return round_of(job.display_name), created_at(job) or 0.0, job.name
