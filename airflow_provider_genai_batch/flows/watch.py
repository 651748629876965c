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
"""Seconds for which the end of a job is waited for that an earlier attempt cancelled."""


_EXECUTION_TIMEOUT = "execution_timeout"
_READY_BY = "ready_by"
_PENDING = "pending_timeout"


class Why(str, Enum):
    """Why the waiting is over."""

    ENDED = "ended"
    TIMED_OUT = "timed_out"
    LOST = "lost"
    SWITCH = "switch"
    """What the jobs have not answered is to be asked otherwise now, else it will be late."""


@dataclass(frozen=True)
class WaitPlan:
    """How to wait. Times are seconds; `deadline` and `pending_deadline` since the epoch."""

    poll_interval: float = 60.0
    deadline: float = math.inf
    """At infinity the service's own limit decides."""
    pending_deadline: float = math.inf
    cancel_on_timeout: bool = True
    until_first: bool = False
    """The waiting is over as soon as one job has ended."""
    late: bool = False
    """The time was over before this waiting began: an earlier attempt has said so, and cancelled what it cancels."""
    appear_until: float = 0.0
    """Until then the service may answer that it does not know a job, in seconds since the epoch."""
    attempt_ends: float | None = None
    """When the time of this attempt is over, whatever that of its jobs; None: it has no limit of its own."""
    cancel_with_attempt: bool = False
    """Whether jobs are cancelled then."""
    ready_by: Deadline | None = None
    """When the jobs are to be left; None: they have all the time that `deadline` gives them."""
    leads_on: bool = False
    """Something is asked in place of jobs that are queued at `pending_deadline`: they are cancelled then, whatever
    becomes of others, and the end of all is waited for."""
    usual: str = ""
    """How long jobs of the model take, in words for the log; empty where that is not known."""

    def as_dict(self) -> dict[str, Any]:
        """Return what a trigger can serialise."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Any) -> WaitPlan:
        """Read what a trigger serialised, in whatever version of this package."""
        return read_stored(cls, stored)


@dataclass(frozen=True)
class Ending:
    """How the waiting ended, small enough for a trigger event."""

    why: Why = Why.LOST
    states: dict[str, str] = field(default_factory=dict)
    """Last known state by job name, as the service spelled it."""
    detail: str = ""
    cancelled: bool = False
    """Whether the service took a cancellation of every job that went on."""
    asked: bool = False
    """Whether it took one of any."""
    unanswered: str = ""
    """What the last look met, where it gave no answer."""
    stalled: bool = False
    """Whether one of them was cancelled because it did not leave the queue, and something else is to be asked."""

    @property
    def out_of_time(self) -> bool:
        """Whether the time of the attempt was over before that of its jobs."""
        return self.why is Why.TIMED_OUT and self.detail.startswith(_EXECUTION_TIMEOUT)

    def tell(self) -> None:
        """Log what became of each job, in the task's own log: Airflow opens that of a second trigger anew."""
        for name, raw in self.states.items():
            word = raw.rpartition("_STATE_")[2]
            state = JobState.__members__.get(word)
            ended = state is not None and state.ended
            said = "ended as" if ended else "was last seen as"
            log.info("Job %s %s %s while the task was deferred.", name, said, word)

    def as_dict(self) -> dict[str, Any]:
        """Return what a trigger event can carry."""
        return {**asdict(self), "why": self.why.value}

    @classmethod
    def from_dict(cls, event: Any) -> Ending:
        """Read a trigger event, of whatever version of this package.

        One that does not say how the waiting ended, or says what is not known here, tells nothing of the jobs: they are
        lost to this attempt, and the next one takes them up.
        """
        ending = read_stored(cls, event)
        why = event.get("why") if isinstance(event, Mapping) else None
        if why == ending.why.value:
            return ending
        return cls(Why.LOST, ending.states, f"the trigger's event says {why!r} of how the waiting ended")


def watch(
    names: Sequence[str], plan: WaitPlan, *, clock: Callable[[], float]
) -> Generator[WatchStep, Any, Ending]:
    """Look at jobs until all have ended, one cannot be looked at any more, or a deadline passes.

    Trouble that may pass (429, 5xx, network) is waited out until the deadline; a state nobody has heard of is waited
    for and warned about once.

    Args:
        names: the jobs.
        plan: how to wait.
        clock: tells the seconds since the epoch by the service's clock, which its first answer may set.
    """
    started: float | None = None
    seen: dict[str, JobStatus] = {}
    progress = {name: Progress(plan.deadline, plan.pending_deadline, plan.usual) for name in names}
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
        now = clock()
        limit, which = _limit(plan, seen, now)
        started = now if started is None else started
        if not failures:
            pause = min(_pauses(names, seen, progress, now, now - started, pause))
        if now >= limit and which == _READY_BY:
            return Ending(Why.SWITCH, _states(seen), _unanswered(plan, seen), unanswered=unanswered)
        if now >= limit and which == _PENDING and plan.leads_on:
            stalled = (yield from _leave_queue(seen, plan, clock)) or stalled
            limit = clock() + pause
        elif now >= limit:
            ending = yield from _give_up(names, seen, plan, which, clock)
            if ending is not None:
                return replace(ending, unanswered=unanswered)
            limit = clock() + pause
        yield Sleep(max(0.0, min(pause if failures else spread(pause), limit - clock())))


def _limit(plan: WaitPlan, seen: Mapping[str, JobStatus], now: float) -> tuple[float, str]:
    """Return when the time is over that ends first, and which time that is."""
    limits = [(plan.deadline, "timeout")]
    if any(job.state.queued for job in seen.values()):
        limits.append((plan.pending_deadline, _PENDING))
    if plan.attempt_ends is not None:
        limits.append((plan.attempt_ends, _EXECUTION_TIMEOUT))
    if plan.ready_by is not None:
        limits.append((plan.ready_by.switch(plan.ready_by.left(seen.values())), _READY_BY))
    if plan.leads_on:  # a job whose cancellation shows no effect is queued for ever
        limits = [one for one in limits if one[0] <= now and one[1] != _PENDING] or limits
    return min(limits, key=lambda limit: limit[0])


def _unanswered(plan: WaitPlan, seen: Mapping[str, JobStatus]) -> str:
    """Tell what is left to ask."""
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
    """Give the seconds to the next look at each job that goes on: the one that needs it first decides."""
    yield longest
    for name in names:
        job = seen.get(name)
        if job is None:  # it does not appear yet
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
    """Look once at every job that is not known to have ended; None while one of them goes on.

    `seen` holds what earlier looks saw and is brought up to date; `progress` tells what is new. Until `appear_until`
    a job that the service does not know was created a moment ago, and goes on.

    Raises:
        CallError: trouble that may pass (`PASSING`).
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
    """Cancel what goes on, if that is wanted, and see for a while what becomes of it.

    The jobs are read before, and the service's time with them: where all had ended, nothing is cancelled and their rows
    decide; where the time is not over by the service's clock, or a job has left the queue, the waiting goes on (None).
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
            troubles.append(f"; {name} could not be cancelled and may go on ({error})")
            continue
        asked = asked or became.asked
        if became.job is not None:
            seen[name] = JobStatus.of(became.job)
        if became.outcome is CancelOutcome.SPARED and not seen[name].done:
            log.info("By the service's clock job %s still has time; waiting for it.", name)
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
    """Cancel what is queued still, read by its name; return whether a job was. One that runs by now goes on."""
    asked = False
    for name in [name for name, job in seen.items() if job.state.queued]:
        try:
            became: Cancellation = yield _cancel_late(name, plan, clock)
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
    """Return the cancellation of a job, if its time is over by the clock of the answer that tells of it."""

    def is_late(job: BatchJob) -> bool:
        return clock() >= plan.deadline or (job.state.queued and clock() >= plan.pending_deadline)

    return Cancel(name, only_if=is_late, is_new=lambda: clock() < plan.appear_until)


def _states(seen: dict[str, JobStatus]) -> dict[str, str]:
    return {name: job.raw_state or job.state.value for name, job in seen.items()}
