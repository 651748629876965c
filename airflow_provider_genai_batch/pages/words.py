"""Numbers and times as a person reads them."""

from __future__ import annotations

from datetime import datetime, timezone

from airflow_provider_genai_batch.models.manifest.plan import Plan

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def duration(seconds: float | None) -> str:
    """Return seconds in the two largest units: ``2 h 5 min``; empty for None."""
    if seconds is None:
        return ""
    whole = int(max(0.0, seconds))
    for size, name, below, smaller in (
        (_DAY, "d", _HOUR, "h"),
        (_HOUR, "h", _MINUTE, "min"),
        (_MINUTE, "min", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // below
            return f"{whole // size} {name} {rest} {smaller}" if rest else f"{whole // size} {name}"
    return f"{whole} s"


def between(begin: datetime | None, end: datetime | None) -> str:
    """Return the time from one moment to another; empty where one of them is not known."""
    return duration((end - begin).total_seconds()) if begin and end else ""


def moment(time: datetime | None) -> str:
    """Return a moment in UTC, to the minute; empty for None."""
    return "" if time is None else f"{time.astimezone(timezone.utc):%Y-%m-%d %H:%M}"


def usd(amount: float | None) -> str:
    """Return an amount of money; small ones keep two digits that tell. Empty for None."""
    if amount is None:
        return ""
    if amount == 0 or abs(amount) >= 1:
        return f"${amount:,.2f}"
    return f"${amount:.2g}" if abs(amount) >= 0.0001 else "< $0.0001"


def cost_range(plan: Plan | None) -> str:
    """Return what a task is expected to cost, or between what; empty where no price is known."""
    cost = None if plan is None else plan.own_cost
    if cost is None:
        return ""
    if cost.expected is not None:
        return usd(cost.expected)
    return usd(cost.least) if cost.least == cost.most else f"{usd(cost.least)} to {usd(cost.most)}"


def number(count: int | None) -> str:
    """Return a whole number with commas; empty for None."""
    return "" if count is None else f"{count:,}"


def model_name(model: str | None) -> str:
    """Return what a model is called, without where it is; empty for None."""
    return (model or "").rpartition("/")[2]
