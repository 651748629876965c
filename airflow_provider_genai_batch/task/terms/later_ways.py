"""Warns, before anything is paid, of fallbacks and of a `ready_by` that a limit would refuse for all requests."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

from airflow_provider_genai_batch.printable import number_of

if TYPE_CHECKING:
    from airflow_provider_genai_batch.task.cost.limit import CostLimit
    from airflow_provider_genai_batch.task.fallbacks.ways import Ways
    from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
    from airflow_provider_genai_batch.task.terms.terms import Terms

log = logging.getLogger(__name__)


def warn_of_later_ways(terms: Terms, ways: Ways | None, prepared: PreparedInput) -> None:
    """Log one warning of all later ways that may cost more than a limit allows.

    They are not refused, because usually only few requests are left for them.

    Args:
        terms: the task's terms.
        ways: the fallbacks; None: there are none.
        prepared: all requests.
    """
    later = [*_later(terms, ways)]
    if not later:
        return
    tokens = later[0][1].tokens(prepared)
    costs = ((name, limit, limit.of_tokens(tokens).usd) for name, limit in later)
    dear = [
        f"{name} (up to {usd:.6f} USD; {limit.name}={limit.usd})"
        for name, limit, usd in costs
        if usd > limit.usd
    ]
    if dear:
        log.warning(
            "For all %s, a limit is too low for %s. Requests that may cost more than is left of it are refused when "
            "their turn comes, after the task's job has been cancelled. Nothing is refused now, because usually few "
            "go that way. To be sure, raise the limit, set a lower max_output_tokens, or leave these ways out.",
            number_of(tokens.requests, "request"),
            ", ".join(dear),
        )


def _later(terms: Terms, ways: Ways | None) -> Iterator[tuple[str, CostLimit]]:
    """Yield each way that may follow the task's own jobs, with its limits at its prices."""
    ready, late = terms.ready, terms.late_limit
    if ready is not None and late is not None:
        tier = ready.tiers[-1]
        yield f"ready_by with {ready.order.model} in the {tier.value} tier", late.in_tier(tier)
    for way in ways.all() if ways is not None else ():
        for limit in (way.limit, None if way.day is None else way.day.price):
            if limit is not None:
                yield f"the fallback {way}", limit.in_tier(way.tier)
