"""Waiting for jobs: look, sleep, and stop at an end or a deadline."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from types import MappingProxyType
from typing import Any

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.exceptions import PASSING, ApiError, CallError, NotFound
from airflow_provider_genai_batch.flows.cadence import FIRST, cadence, spread
from airflow_provider_genai_batch.flows.deadline import Deadline
from airflow_provider_genai_batch.flows.progress import Progress
from airflow_provider_genai_batch.flows.retry import backoff
from airflow_provider_genai_batch.flows.steps import Cancel, Look, Sleep, WatchStep
from airflow_provider_genai_batch.models import BatchJob, JobState
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.jobs.cancellation import Cancellation, CancelOutcome
from airflow_provider_genai_batch.models.jobs.job_status import JobStatus
from airflow_provider_genai_batch.models.stored import read_stored

log = logging.getLogger(__name__)

BUDGET = {Backend.GEMINI: 50 * 3600.0, Backend.VERTEX: 98 * 3600.0}
"""Seconds after which the services have ended every job: 48 h, and 72 h in the queue with 24 h of running."""
_CANCEL_PATIENCE = 600.0
"""Seconds to wait for the end of a job that an earlier attempt cancelled."""


_EXECUTION_TIMEOUT = "execution_timeout"
_READY_BY = "ready_by"
_PENDING = "pending_timeout"


class Why(str, Enum):
    """Why the wait is over."""

    ENDED = "ended"
    TIMED_OUT = "timed_out"
    LOST = "lost"
    SWITCH = "switch"
    """Unanswered requests must now be sent another way, or they will be late."""


@dataclass(frozen=True)
class WaitPlan:
    """How to wait. Times are seconds; `deadline` and `pending_deadline` since the epoch, for the oldest job."""

    poll_interval: float = 60.0
    deadline: float = math.inf
    """Infinity: the service's own limit applies."""
    pending_deadline: float = math.inf
    cancel_on_timeout: bool = True
    until_first: bool = False
    """The wait ends as soon as one job has ended."""
    late: bool = False
    """The deadline had passed before this wait began: an earlier attempt reported it and cancelled its jobs."""
    appear_until: float = 0.0
    """Until then the service may answer that it does not know a job, in seconds since the epoch."""
    attempt_ends: float | None = None
    """When the time of this attempt is over, independent of its jobs' deadline; None: no limit of its own."""
    cancel_with_attempt: bool = False
    """Whether jobs are cancelled then."""
    ready_by: Deadline | None = None
    """When to cancel the jobs in favour of immediate calls; None: never, only `deadline` applies."""
    leads_on: bool = False
    """A fallback replaces jobs that are still queued at `pending_deadline`: these are cancelled then, independent of
    the others, and the wait continues until all have ended."""
    usual: str = ""
    """How long jobs of the model take, in words for the log; empty if unknown."""
    later: dict[str, float] = field(default_factory=dict)
    """By name: how long after the oldest job others were created. Their deadlines are later by this time."""

    def of(self, going: Sequence[str], queued: Sequence[str]) -> WaitPlan:
        """Return the plan with the deadlines of the oldest of these jobs, and of those of them that are queued."""
        if not self.later:
            return self
        first, first_queued = (
            min((self.later.get(name, 0.0) for name in names), default=0.0) for names in (going, queued)
        )
        return replace(
            self,
            deadline=self.deadline + first,
            pending_deadline=self.pending_deadline + first_queued,
            later={},
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as JSON values, for a trigger."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Any) -> WaitPlan:
        """Read a plan that a trigger serialised, in any version of this package."""
        return read_stored(cls, stored)


@dataclass(frozen=True)
class Ending:
    """How the wait ended, small enough for a trigger event."""

    why: Why = Why.LOST
    states: dict[str, str] = field(default_factory=dict)
    """Last known state by job name, as the service spelled it."""
    detail: str = ""
    cancelled: bool = False
    """Whether the service accepted the cancellation of every job that still ran."""
    asked: bool = False
    """Whether it accepted the cancellation of any job."""
    unanswered: str = ""
    """The error of the last look, if it got no answer."""
    stalled: bool = False
    """Whether a job was cancelled because it did not leave the queue, so that a fallback replaces it."""

    @property
    def out_of_time(self) -> bool:
        """Whether the time of the attempt was over before the deadline of its jobs."""
        return self.why is Why.TIMED_OUT and self.detail.startswith(_EXECUTION_TIMEOUT)

    def tell(self) -> None:
        """Log the last state of each job in the task's own log, because a second trigger overwrites the first's log."""
        for name, raw in self.states.items():
            word = raw.rpartition("_STATE_")[2]
            state = JobState.__members__.get(word)
            ended = state is not None and state.ended
            said = "ended as" if ended else "was last seen as"
            log.info("Job %s %s %s while the task was deferred.", name, said, word)

    def as_dict(self) -> dict[str, Any]:
        """Return the ending as JSON values, for a trigger event."""
        return {**asdict(self), "why": self.why.value}

    @classmethod
    def from_dict(cls, event: Any) -> Ending:
        """Read a trigger event, from any version of this package.

        If it does not say how the wait ended, or says it in an unknown word, the jobs are lost to this attempt, and the
        next one reattaches to them.
        """
        ending = read_stored(cls, event)
        why = event.get("why") if isinstance(event, Mapping) else None
        if why == ending.why.value:
            return ending
        return cls(Why.LOST, ending.states, f"the trigger's event gives {why!r} as the reason for its end")


def watch(
    names: Sequence[str], plan: WaitPlan, *, clock: Callable[[], float]
) -> Generator[WatchStep, Any, Ending]:
    """Look at jobs until all have ended, one can no longer be read, or a deadline passes.

    Temporary errors (429, 5xx, network) are retried until the deadline. An unknown state counts as running, with one
    warning.

    Args:
        names: the jobs.
        plan: how to wait.
        clock: returns the seconds since the epoch by the service's clock, which its first answer may set.
    """
    started: float | None = None
    seen: dict[str, JobStatus] = {}
    progress = {name: _progress(plan.of([name], [name])) for name in names}
    failures, stalled = 0, False
    while True:
        pause, unanswered = plan.poll_interval, ""
        try:
            ending = yield from look_once(names, seen, progress, clock, plan.appear_until)
            failures = 0
        except PASSING as error:
            ending, unanswered = None, str(error)
            failures += 1
            pause = max(backoff(failures, error.retry_after), pause)
            log.warning("A status request got no answer (%s); trying again in %.0f s.", error, pause)
        if ending is not None:
            return replace(ending, stalled=stalled)
        if plan.until_first and any(job.done for job in seen.values()):
            return Ending(Why.ENDED, _states(seen), stalled=stalled)
        now, current = clock(), _current(plan, names, seen)
        limit, which = _limit(current, seen, now)
        started = now if started is None else started
        if not failures:
            pause = min(_pauses(names, seen, progress, now, now - started, pause))
        if now >= limit and which == _READY_BY:
            return Ending(Why.SWITCH, _states(seen), _unanswered(plan, seen), unanswered=unanswered)
        if now >= limit and which == _PENDING and plan.leads_on:
            stalled = (yield from _leave_queue(seen, plan, clock)) or stalled
            limit = clock() + pause
        elif now >= limit:
            ending = yield from _give_up(names, seen, current, which, clock)
            if ending is not None:
                return replace(ending, unanswered=unanswered)
            limit = clock() + pause
        yield Sleep(max(0.0, min(pause if failures else spread(pause), limit - clock())))


def _progress(plan: WaitPlan) -> Progress:
    """Return what logs the progress of a job with this plan."""
    until = plan.deadline if plan.ready_by is None else plan.ready_by.switch(plan.ready_by.requests)
    return Progress(min(until, plan.deadline), plan.pending_deadline, plan.usual)


def _current(plan: WaitPlan, names: Sequence[str], seen: Mapping[str, JobStatus]) -> WaitPlan:
    """Return the plan with the deadlines of the oldest job that has not ended, and of the oldest that is queued."""
    if not plan.later:
        return plan
    going = [name for name in names if name not in seen or not seen[name].done]
    return plan.of(going, [name for name in going if name in seen and seen[name].state.queued])


def _limit(plan: WaitPlan, seen: Mapping[str, JobStatus], now: float) -> tuple[float, str]:
    """Return the limit that ends first, in seconds since the epoch, and its name."""
    limits = [(plan.deadline, "timeout")]
    if any(job.state.queued for job in seen.values()):
        limits.append((plan.pending_deadline, _PENDING))
    if plan.attempt_ends is not None:
        limits.append((plan.attempt_ends, _EXECUTION_TIMEOUT))
    if plan.ready_by is not None:
        limits.append((plan.ready_by.switch(plan.ready_by.left(seen.values())), _READY_BY))
    if plan.leads_on:  # a job whose cancellation has no effect stays queued forever
        limits = [one for one in limits if one[0] <= now and one[1] != _PENDING] or limits
    return min(limits, key=lambda limit: limit[0])


def _unanswered(plan: WaitPlan, seen: Mapping[str, JobStatus]) -> str:
    """Return how many requests are unanswered, as text."""
    assert plan.ready_by is not None  # noqa: S101 - else there is no such limit
    left, requests = plan.ready_by.left(seen.values()), plan.ready_by.requests
    return f"{left} of {requests} requests have no answer yet, as far as the service counts them"


def _pauses(
    names: Sequence[str],
    seen: Mapping[str, JobStatus],
    progress: Mapping[str, Progress],
    now: float,
    waited: float,
    longest: float,
) -> Iterator[float]:
    """Yield the seconds to the next look for each running job; the smallest decides."""
    yield longest
    for name in names:
        job = seen.get(name)
        if job is None:  # it cannot be read yet
            yield FIRST
        elif not job.done:
            yield cadence(
                progress[name], queued=job.state.queued, waited=waited, now=now, poll_interval=longest
            )


def look_once(
    names: Sequence[str],
    seen: dict[str, JobStatus],
    progress: Mapping[str, Progress] = MappingProxyType({}),
    clock: Callable[[], float] = clock.time,
    appear_until: float = 0.0,
) -> Generator[WatchStep, Any, Ending | None]:
    """Look once at every job that is not known to have ended; return None while one of them runs.

    `seen` holds the results of earlier looks and is updated; `progress` logs changes. Until `appear_until`, a job that
    the service does not know counts as just created, and as running.

    Raises:
        CallError: a temporary error (`PASSING`).
    """
    going = False
    for name in names:
        before = seen.get(name)
        if before is not None and before.done:
            continue
        try:
            job = JobStatus.of((yield Look(name)))
        except PASSING:
            raise
        except ApiError as error:
            if isinstance(error, NotFound) and clock() < appear_until:
                log.info("Job %s was just created and cannot be read by its name yet.", name)
                going = True
                continue
            return Ending(Why.LOST, _states(seen), f"{name}: {error}")
        if name in progress:
            progress[name].tell(job, clock())
        seen[name] = job
        going = going or not job.done
    return None if going else Ending(Why.ENDED, _states(seen))


def _give_up(
    names: Sequence[str],
    seen: dict[str, JobStatus],
    plan: WaitPlan,
    which: str,
    clock: Callable[[], float],
) -> Generator[WatchStep, Any, Ending | None]:
    """Cancel running jobs, if wanted, and wait a while for their end.

    The jobs, and with them the service's time, are read first. If all have ended, nothing is cancelled and their rows
    decide. If the deadline has not passed by the service's clock, or a job has left the queue, the wait goes on (None).
    """
    if which == _EXECUTION_TIMEOUT and plan.attempt_ends is not None:
        plan = replace(plan, deadline=plan.attempt_ends, cancel_on_timeout=plan.cancel_with_attempt)
    if not plan.cancel_on_timeout:
        return Ending(Why.TIMED_OUT, _states(seen), which)

    asked, troubles = False, []
    for name in [name for name in names if name not in seen or not seen[name].done]:
        try:
            became: Cancellation = yield _cancel_late(name, plan, clock)
        except CallError as error:
            troubles.append(f"; {name} could not be cancelled and may still run ({error})")
            continue
        asked = asked or became.asked
        if became.job is not None:
            seen[name] = JobStatus.of(became.job)
        if became.outcome is CancelOutcome.SPARED and not seen[name].done:
            log.info("By the service's clock, job %s still has time; the task keeps waiting for it.", name)
            return None
    over = all(name in seen and seen[name].done for name in names)
    ending = Ending(Why.ENDED, _states(seen)) if over else None
    until = clock() + (_CANCEL_PATIENCE if plan.late else plan.poll_interval)
    while ending is None and clock() < until:
        yield Sleep(min(plan.poll_interval, FIRST))
        with suppress(*PASSING):
            ending = yield from look_once(names, seen, clock=clock, appear_until=plan.appear_until)
    if ending is not None and (plan.late or not asked):
        return ending
    detail = "".join([which, *troubles])
    return Ending(Why.TIMED_OUT, _states(seen), detail, cancelled=asked and not troubles, asked=asked)


def _leave_queue(
    seen: dict[str, JobStatus], plan: WaitPlan, clock: Callable[[], float]
) -> Generator[WatchStep, Any, bool]:
    """Cancel jobs that are still queued, read by name; return whether any was. A job that runs by now is left alone."""
    asked = False
    for name in [name for name, job in seen.items() if job.state.queued]:
        own = plan.of([name], [name])
        if clock() < own.pending_deadline:
            continue
        try:
            became: Cancellation = yield _cancel_late(name, own, clock)
        except CallError as error:
            log.warning("Job %s does not leave the queue and could not be cancelled yet (%s).", name, error)
            continue
        if became.job is not None:
            seen[name] = JobStatus.of(became.job)
        if became.asked:
            asked = True
            log.warning(
                "Job %s has not left the queue in time (pending_timeout), and %s.", name, became.words
            )
    return asked


def _cancel_late(name: str, plan: WaitPlan, clock: Callable[[], float]) -> Cancel:
    """Return the step that cancels a job if its deadline has passed by the clock of the answer that reads it."""

    def is_late(job: BatchJob) -> bool:
        return clock() >= plan.deadline or (job.state.queued and clock() >= plan.pending_deadline)

    return Cancel(name, only_if=is_late, is_new=lambda: clock() < plan.appear_until)


def _states(seen: dict[str, JobStatus]) -> dict[str, str]:
    return {name: job.raw_state or job.state.value for name, job in seen.items()}
