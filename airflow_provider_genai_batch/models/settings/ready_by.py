"""When a task's rows have to be ready, and how requests are sent if batch jobs are late."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta, timezone, tzinfo
from typing import Any

from airflow_provider_genai_batch.exceptions import ConfigurationError
from airflow_provider_genai_batch.models.base import Noun
from airflow_provider_genai_batch.models.tier import Tier

LADDER = (Tier.FLEX.value, Tier.STANDARD.value)
"""The tiers that requests are sent in after a batch job, in this order; a model or location may lack one."""
_TIME_OF_DAY = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?")
_STUCK = ("wait", "pay_twice")
_WRITE = (
    'Write a time of day ("06:00"), a datetime with its timezone, the same as ISO text ("2026-11-28T06:00+01:00"), or '
    "a timedelta from the end of the data interval."
)


class ReadyBy(Noun):
    """A deadline for rows, and what may be done to meet it. Each field may be a template.

    Args:
        at: a time of day in the DAG's timezone, such as ``"06:00"``: the first one after the run's data interval; a
            datetime with a timezone, or the same as ISO text; a timedelta from the end of the data interval. Empty
            text: no deadline.
        then: tiers for the requests that the job has not answered: ``flex`` at batch price if there is capacity,
            ``standard`` at full price. Default: both in this order, or the one that the model and the location have.
        model: the model of these requests; None: the same.
        max_extra_cost: USD that the standard tier may cost above the price of a batch job; None: no limit. Needs the
            extra ``prices``.
        if_stuck: what to do if a job does not end although it was cancelled. ``wait``: its unanswered requests are not
            sent, and the task fails at the deadline. ``pay_twice``: they are sent even if the job may answer them, too.
    """

    at: Any
    then: Any = LADDER
    model: Any = None
    max_extra_cost: Any = None
    if_stuck: Any = "wait"

    def __init__(self, at: Any, **settings: Any) -> None:
        super().__init__(**{"at": at, **settings})

    @classmethod
    def of(cls, value: Any) -> ReadyBy | None:
        """Read the operator's parameter: a `ReadyBy`, or only the time."""
        return value if value is None or isinstance(value, cls) else cls(value)

    @property
    def tiers(self) -> tuple[str, ...]:
        """The tiers, in order."""
        return tuple(self.then) if isinstance(self.then, (list, tuple)) else (self.then,)

    @property
    def leaves_tiers_open(self) -> bool:
        """Whether no tiers were named, so that all existing ones are used."""
        return "then" not in self.model_fields_set


@dataclass(frozen=True)
class RunTimes:
    """The times of a DAG run that no retry changes. All have a timezone."""

    interval_end: datetime | None = None
    begin: datetime | None = None
    """No task of the run began before this."""
    zone: tzinfo = timezone.utc
    """The DAG's timezone."""

    @property
    def latest(self) -> datetime | None:
        """The later of both."""
        times = [moment for moment in (self.interval_end, self.begin) if moment is not None]
        return max(times, default=None)


def moment_of(ready_by: ReadyBy, run: RunTimes) -> float | None:
    """Return the deadline in seconds since the epoch; None if a template left it empty.

    A time of day is the first one after the data interval of a scheduled run, or after the start of a manual run.

    Raises:
        ConfigurationError: it is not a time.
    """
    at = _read_at(ready_by.at)
    if at is None:
        return None
    if isinstance(at, datetime):
        return at.timestamp()
    since = (run.interval_end or run.begin) if isinstance(at, timedelta) else run.latest
    if since is None:
        msg = f"ready_by={ready_by.at!r} counts from the data interval, and this run has none. Write a datetime."
        raise ConfigurationError(msg)
    if isinstance(at, timedelta):
        return (since + at).timestamp()
    local = since.astimezone(run.zone)
    days = (datetime.combine(local.date() + timedelta(days=day), at, run.zone) for day in (0, 1))
    return next(moment for moment in map(datetime.timestamp, days) if moment > since.timestamp())


def check_ready_by(value: Any) -> None:
    """Refuse an invalid ``ready_by``, in any form.

    Raises:
        ConfigurationError: the message names the field.
    """
    ready_by = ReadyBy.of(value)
    if ready_by is None:
        return
    _read_at(ready_by.at)
    then, stuck, extra, model = ready_by.then, ready_by.if_stuck, ready_by.max_extra_cost, ready_by.model
    words = ready_by.tiers
    if not words or [*words] != [tier for tier in LADDER if tier in words]:
        msg = f"ready_by: then is {then!r}. Write {[*LADDER]}, which is the order in which they are tried, or one."
        raise ConfigurationError(msg)
    if stuck not in _STUCK:
        msg = f"ready_by: if_stuck is {' or '.join(map(repr, _STUCK))}, not {stuck!r}."
        raise ConfigurationError(msg)
    number = isinstance(extra, (int, float)) and not isinstance(extra, bool)
    if extra is not None and not (number and 0 < extra < math.inf):
        msg = f'ready_by: max_extra_cost is {extra!r}; give USD above 0. For none write then=["flex"].'
        raise ConfigurationError(msg)
    if model is not None and not isinstance(model, str):
        msg = f"ready_by: model is {model!r}, which is not a string."
        raise ConfigurationError(msg)


def _read_at(at: Any) -> datetime | time | timedelta | None:
    if isinstance(at, timedelta):
        if at <= timedelta(0):
            msg = f"ready_by is {at!r}, which is not after the data interval. {_WRITE}"
            raise ConfigurationError(msg)
        return at
    if isinstance(at, str):
        text = at.strip()
        if text in ("", "None"):
            return None
        if found := _TIME_OF_DAY.fullmatch(text):
            return time(int(found[1]), int(found[2]), int(found[3] or 0))
        try:
            at = datetime.fromisoformat(text.replace("Z", "+00:00"))
        except ValueError:
            msg = f"ready_by is {text!r}, which is not a time. {_WRITE}"
            raise ConfigurationError(msg) from None
    if not isinstance(at, datetime):
        msg = f"ready_by is {at!r}, which is not a time. {_WRITE}"
        raise ConfigurationError(msg)
    if at.tzinfo is None or at.utcoffset() is None:
        msg = (
            f"ready_by is {at.isoformat()}, which has no timezone. Write it with one: {at.isoformat()}+00:00."
        )
        raise ConfigurationError(msg)
    return at
