"""Formats numbers and times for people."""

from __future__ import annotations

from datetime import datetime, timezone

from airflow_provider_genai_batch.clock import in_words
from airflow_provider_genai_batch.models.manifest.plan import Plan


def duration(seconds: float | None) -> str:
    """Return seconds in the two largest units; empty for None."""
    return "" if seconds is None else in_words(seconds)


def between(begin: datetime | None, end: datetime | None) -> str:
    """Return the time between two moments; empty if one of them is not known."""
    return duration((end - begin).total_seconds()) if begin and end else ""


def moment(time: datetime | None) -> str:
    """Return a moment in UTC, to the minute; empty for None."""
    return "" if time is None else f"{time.astimezone(timezone.utc):%Y-%m-%d %H:%M}"


def usd(amount: float | None) -> str:
    """Return an amount of money; small amounts keep two significant digits. Empty for None."""
    if amount is None:
        return ""
    if amount == 0 or abs(amount) >= 1:
        return f"${amount:,.2f}"
    return f"${amount:.2g}" if abs(amount) >= 0.0001 else "< $0.0001"


def cost_range(plan: Plan | None) -> str:
    """Return the expected cost of a task, or the range that it lies in; empty if no price is known."""
    cost = None if plan is None else plan.own_cost
    if cost is None:
        return ""
    if cost.expected is not None:
        return usd(cost.expected)
    return usd(cost.least) if cost.least == cost.most else f"{usd(cost.least)} to {usd(cost.most)}"


def number(count: int | None) -> str:
    """Return a whole number with commas; empty for None."""
    return "" if count is None else f"{count:,}"
