"""A limit of a day: what the jobs that were created today may cost, by the service's own list.

That list is the record. Each job of a task with such a limit states in its display name the most that it may cost, and
counts with that, whatever it has cost in the end: no list shows tokens. Tasks that look at the same moment may all find
room, so each looks again after its create call. Then the order of creation decides which jobs are withdrawn.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

from airflow_provider_genai_batch.exceptions import CallError, DailyCostExceeded, NotFound
from airflow_provider_genai_batch.flows.steps import Cancel, ListToday, Look, Sleep, TodayStep
from airflow_provider_genai_batch.flows.submission.charge import Charge, DayLimit, begin_of_day, was_before
from airflow_provider_genai_batch.flows.submission.own_jobs import created_at, newness
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.jobs.cancellation import Cancellation
from airflow_provider_genai_batch.models.jobs.job import Worth, worth
from airflow_provider_genai_batch.models.jobs.stated_cost import StatedCost, stated_cost
from airflow_provider_genai_batch.models.manifest.spent_today import SpentOfLimit, SpentToday

log = logging.getLogger(__name__)

_MOST_LOOKS = 20
"""How many jobs are read by name before one is refused, besides those that the list shows as ended without answers."""
_ROUNDING = 1e-9


def refuse_beyond(charge: Charge, clock: Callable[[], float]) -> Generator[TodayStep, Any, SpentToday]:
    """Refuse a job that may cost more than is left of the day.

    Args:
        charge: what it may cost.
        clock: returns the seconds since the epoch by the service's clock.

    Raises:
        DailyCostExceeded: it may; the message says what is used.
        CallError: the jobs of the day could not be listed.
    """
    used = yield from _Used.listed(charge, clock)
    asked = charge.own + charge.further
    over = yield from used.over(asked)
    said = used.said(asked)
    if over is not None:
        raise _refusal(charge, said, over, charge.became)
    log.info("Cost of %s.", said)
    return said


def withdraw_beyond(
    charge: Charge, job: BatchJob, owns: Callable[[BatchJob], bool], clock: Callable[[], float], pause: float
) -> Generator[TodayStep | Cancel | Sleep, Any, None]:
    """Cancel a job that was just created, if jobs created just before it by other tasks have used up the day.

    Of jobs that were created at about the same time, each task counts those before its own, so they agree which stay.

    Args:
        charge: what the job may cost.
        job: the job.
        owns: tells whether a job that was read by name is this one.
        clock: returns the seconds since the epoch by the service's clock.
        pause: seconds before the look, because lists lag.

    Raises:
        DailyCostExceeded: the job was to be cancelled; the message says what became of it.
    """
    yield Sleep(pause)
    others = {name: usd for name, usd in charge.created.items() if name != job.name}
    try:
        used = (yield from _Used.listed(replace(charge, created=others), clock)).before(job)
        over = yield from used.over(charge.own)
    except CallError as error:
        log.warning(
            "It could not be checked whether other tasks have created jobs at the same time as %s, so "
            "max_cost_per_day may be exceeded: %s",
            job.name,
            error,
        )
        return
    if over is None:
        return
    said = used.said(charge.own)
    is_new = newness(created_at(job), clock)
    try:
        became: Cancellation = yield Cancel(job.name, only_if=owns, is_new=is_new)
        words = f"it {became.words}"
    except CallError as error:
        words = f"it could not be cancelled and is billed as it goes ({error})"
    became_of_it = (
        f"Other tasks created jobs at the same time, so job {job.name} was created before this was known; {words}. "
        "What it has answered until then is billed, and is kept."
    )
    if others:
        became_of_it += (
            f" Before it, this task had created {', '.join(others)}. Those still running are left running and are "
            "billed as they go. The next attempt uses their rows."
        )
    raise _refusal(charge, said, over, became_of_it)


def _refusal(charge: Charge, said: SpentToday, limit: DayLimit, became: str) -> DailyCostExceeded:
    one = next(one for one in said.limits if one.of == limit.of)
    return DailyCostExceeded(
        max_cost=one.max_cost_per_day,
        expected=said.usd,
        spent=one.usd,
        requests=charge.requests,
        arithmetic=charge.arithmetic,
        of=one.of,
        jobs=one.jobs,
        day=said.date,
        became=became,
    )


@dataclass(frozen=True)
class _Used:
    """The jobs of the day, with what each may cost.

    Attributes:
        charge: what the task's next jobs may cost.
        date: the day.
        counted: the listed jobs that state their cost, by name.
        paid: what the task's own jobs cost that are not in `counted`.
        jobs: how many these are.
        uncounted: listed jobs that state no cost.
    """

    charge: Charge
    date: str
    counted: dict[str, tuple[BatchJob, StatedCost]]
    paid: float
    jobs: int
    uncounted: int

    @classmethod
    def listed(cls, charge: Charge, clock: Callable[[], float]) -> Generator[TodayStep, Any, _Used]:
        """List the jobs of the day."""
        listed: list[BatchJob] = yield ListToday()
        midnight = begin_of_day(clock())
        today = [job for job in listed if not was_before(job, midnight)]
        stated = {job.name: (job, cost) for job in today if (cost := stated_cost(job.display_name))}
        uncounted = len(today) - len(stated)
        # Settled jobs count with what they have cost, which is known of the task's own alone. If it is not known, they
        # count like all others, as they may have answered nothing.
        settled = [stated.pop(name)[1].usd for name in charge.settled if name in stated and charge.paid]
        others = {
            name: found
            for name, found in stated.items()
            if name not in charge.created and not charge.covers(found[0])
        }
        paid = min(sum(settled), charge.paid)
        date = datetime.fromtimestamp(midnight, timezone.utc).date().isoformat()
        own = sum(charge.created.values())
        return cls(charge, date, others, paid + own, len(settled) + len(charge.created), uncounted)

    def before(self, job: BatchJob) -> _Used:
        """Return only the jobs that were created before this one."""
        kept = {
            name: found
            for name, found in self.counted.items()
            if name != job.name and _order(found[0]) < _order(job)
        }
        return replace(self, counted=kept)

    def over(self, asked: float) -> Generator[Look, Any, DayLimit | None]:
        """Return a limit that would be exceeded; jobs without any answer are read by name, and then do not count.

        Args:
            asked: USD that the task's next jobs may cost.
        """
        for limit in self.charge.limits:
            # Those that have ended first, by the list, which may lag; then the dearest.
            left = [(worth(job) is Worth.NOTHING, cost.usd, job.name) for job, cost in self._of(limit)]
            left.sort(reverse=True)
            for _, _, name in left[: sum(ended for ended, _, _ in left) + _MOST_LOOKS]:
                if not self._exceeds(limit, asked):
                    break
                try:
                    read: BatchJob = yield Look(name)
                except NotFound:  # deleted, or too new: nobody can say that nothing was billed
                    continue
                if worth(read) is Worth.NOTHING:
                    del self.counted[name]
            if self._exceeds(limit, asked):
                return limit
        return None

    def _exceeds(self, limit: DayLimit, asked: float) -> bool:
        return self._sum(limit) + asked > limit.usd * (1 + _ROUNDING)

    def _sum(self, limit: DayLimit) -> float:
        return self.paid + sum(cost.usd for _, cost in self._of(limit))

    def _of(self, limit: DayLimit) -> list[tuple[BatchJob, StatedCost]]:
        return [found for found in self.counted.values() if limit.dag in ("", found[1].dag)]

    def said(self, asked: float) -> SpentToday:
        """Return this for the manifest.

        Args:
            asked: USD that the task's next jobs may cost.
        """
        return SpentToday(
            date=self.date,
            usd=round(asked, 6),
            uncounted=self.uncounted,
            limits=tuple(
                SpentOfLimit(
                    of=limit.of,
                    max_cost_per_day=limit.usd,
                    usd=round(self._sum(limit), 6),
                    jobs=len(self._of(limit)) + self.jobs,
                )
                for limit in self.charge.limits
            ),
        )


def _order(job: BatchJob) -> tuple[float, str]:
    return created_at(job) or 0.0, job.name
