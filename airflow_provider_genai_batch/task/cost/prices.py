"""Prices of tokens, from the package genai-prices (extra ``prices``), which needs no network."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

from packaging.version import Version

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.models import BatchJob, Cost, ModelCost, Usage
from airflow_provider_genai_batch.models.family import Family
from airflow_provider_genai_batch.models.jobs.job_totals import LONG_PROMPT, JobTotals
from airflow_provider_genai_batch.models.tier import Tier
from airflow_provider_genai_batch.wire.catalog.publishers import FAMILIES, publisher_of

_PACKAGE, _OLDEST = "genai-prices", Version("0.1.13")
_MILLION = 1_000_000
_NOTHING, _REGION = Decimal(0), Decimal("0.1")
"""Regions and multi-regions cost a tenth more for Claude from 4.5 on, says Google's price page; batches do not run on
``global``, so the tenth is inferred for each. The page does not say whether it comes on top of a batch's price."""
_SHORT, _LONG = 100_000, 1_000_000
"""Tokens of a prompt below and above `LONG_PROMPT`."""
_BATCH, _HALF = "batch", "half of standard"
_OPEN = {
    "gpt-oss-120b-maas": ("0.045", "0.18"),
    "llama-4-maverick-17b-128e-instruct-maas": ("0.175", "0.575"),
    "llama-4-scout-17b-16e-instruct-maas": ("0.125", "0.35"),
}
"""USD for a million tokens of input and output, in batches, of the open models that Google runs in batches.

genai-prices has only what other services take for them. None is known for what comes from a cache.
"""
_OPEN_SOURCE = "Google's batch prices as in litellm 1.110.2, November 2026"


class Rates(NamedTuple):
    """USD for a million tokens of text."""

    input: Decimal
    cached: Decimal
    """Of the input."""
    output: Decimal

    def cost(self, usage: Usage) -> Decimal:
        """Return what tokens cost. Thoughts are output; what tools add, or only the total has, is input."""
        answered = usage.output + usage.thoughts
        asked = max(usage.input + usage.tool_use, usage.total - answered)
        cached = min(usage.cached, asked)
        spent = (asked - cached) * self.input + cached * self.cached + answered * self.output
        return spent / _MILLION

    @property
    def half(self) -> Rates:
        """Of standard prices: those of batch jobs. What comes from a cache has its own discount, not both."""
        return Rates(self.input / 2, min(self.cached, self.input / 2), self.output / 2)


class Price(NamedTuple):
    """What a model costs in batch jobs, or in a tier of calls that answer at once."""

    model: str
    """As the price list names it."""
    basis: str
    """See `ModelCost.basis`."""
    short: Rates
    long: Rates
    """For requests with long prompts, see `models.jobs.job_totals.LONG_PROMPT`."""
    source: str
    margin: Decimal = Decimal(0)
    """What may come on top, as a part of the price; not in `cost`, which is by the list."""

    def rates(self, usage: Usage) -> Rates:
        """Return what the tokens of one request cost."""
        return self.long if usage.input > LONG_PROMPT else self.short

    def cost(self, share: JobTotals) -> Decimal:
        """Return what a job's tokens cost."""
        return self.short.cost(share.usage - share.long) + self.long.cost(share.long)


def is_installed() -> bool:
    """Whether there is a price list that knows of batch jobs; asked without loading it, which takes a second."""
    try:
        return Version(version(_PACKAGE)) >= _OLDEST
    except PackageNotFoundError:
        return False


def price_of(model: str | None, at: datetime | None = None, tier: Tier | None = None) -> Price | None:
    """Return what a model costs.

    Args:
        model: in any spelling of either service.
        at: when the job was created: prices change; None: now.
        tier: in which calls are answered at once; None: in batch jobs. Google's pages put flex at batch prices.

    Returns:
        None without a price list, or where it does not have the model.
    """
    return prices_of(model, [tier or Tier.BATCH], at).get(tier or Tier.BATCH)


def prices_of(model: str | None, tiers: Iterable[Tier], at: datetime | None = None) -> dict[Tier, Price]:
    """Return what a model costs in each of some tiers, without those whose price is not known; see `price_of`."""
    if not is_installed():
        return {}
    publisher, dated = publisher_of(model or "")
    if publisher not in FAMILIES:  # a model that somebody tuned has a number, or a name of its own
        return {}
    name, family = dated.partition("@")[0], FAMILIES[publisher]
    if name in _OPEN:
        asked, answered = map(Decimal, _OPEN[name])
        rates = Rates(asked, asked, answered)
        own = Price(name, _BATCH, rates, rates, _OPEN_SOURCE)
        return {tier: own for tier in tiers if tier is Tier.BATCH}  # they answer in batch jobs only
    hour = (at or clock.now()).replace(minute=0, second=0, microsecond=0)
    listed = _listed(name, family, hour)
    return {} if listed is None else {tier: listed.price(tier) for tier in tiers}


class _Listed(NamedTuple):
    """What the price list has for a model: rates for short prompts, and for long ones."""

    model: str
    standard: list[Rates]
    batch: list[Rates]
    margin: Decimal

    def price(self, tier: Tier) -> Price:
        """Return the price in a tier."""
        rates, basis = (self.standard, tier.value) if tier is Tier.STANDARD else (self.batch, _BATCH)
        if rates is self.batch and self.batch == self.standard:
            rates, basis = [each.half for each in self.standard], _HALF
        if tier is Tier.FLEX:
            basis = tier.value
        short, long = rates
        return Price(self.model, basis, short, long, f"{_PACKAGE} {version(_PACKAGE)}", self.margin)


@functools.lru_cache
def _listed(name: str, family: Family, at: datetime) -> _Listed | None:
    """Read a model's rates in an hour: each of the many looks into the list takes about a millisecond."""
    from genai_prices import Usage as Tokens
    from genai_prices import calc_price

    # Google's list has the same standard prices for Claude, and none for batches.
    provider = "anthropic" if family is Family.ANTHROPIC else "google"

    def listed_rates(prompt: int, context: Mapping[str, str] | None) -> Rates:
        def price(**kinds: int) -> Any:
            tokens = Tokens(input_tokens=prompt, **kinds)
            return calc_price(
                tokens, name, provider_id=provider, genai_request_timestamp=at, price_context=context
            )

        whole, cached = price().input_price, price(cache_read_tokens=prompt).input_price
        output = price(output_tokens=prompt).output_price
        return Rates(*(each * _MILLION / prompt for each in (whole, cached, output)))

    try:
        listed = calc_price(Tokens(input_tokens=1), name, provider_id=provider).model.id
        standard = [listed_rates(prompt, None) for prompt in (_SHORT, _LONG)]
        batch = [listed_rates(prompt, {"processing": "batch"}) for prompt in (_SHORT, _LONG)]
    except (LookupError, ValueError):  # the model is not there, or is not priced by tokens of text
        return None
    return _Listed(listed, standard, batch, _REGION if family is Family.ANTHROPIC else _NOTHING)


def cost_of(jobs: Iterable[tuple[BatchJob, JobTotals]]) -> Cost | None:
    """Return what jobs cost; None where that of one is not known, or none gave tokens."""
    parts: dict[tuple[str, str], ModelCost] = {}
    source, total, in_batch = "", Decimal(0), Decimal(0)
    for job, share in jobs:
        if share.usage == Usage():
            continue
        for tier, tokens in _by_tier(job, share):
            price = price_of(job.model, job.create_time, tier)
            if price is None:
                return None
            spent, source = price.cost(tokens), price.source
            total += spent
            batch = price_of(job.model, job.create_time) if tier is Tier.STANDARD else price
            in_batch += spent if batch is None else batch.cost(tokens)
            before = parts.get((price.model, price.basis))
            parts[price.model, price.basis] = ModelCost(
                model=price.model,
                usd=_usd(spent) + (before.usd if before else 0),
                basis=price.basis,
                **{name: float(rate) for name, rate in price.short._asdict().items()},
            )
    if not parts:
        return None
    return Cost(usd=_usd(total), models=tuple(parts.values()), source=source, usd_in_batch=_usd(in_batch))


def _by_tier(job: BatchJob, share: JobTotals) -> Iterator[tuple[Tier | None, JobTotals]]:
    """Give the parts of a share that have a price of their own, with the tier of it."""
    full = JobTotals(share.rows, share.full, share.full_long)
    if full.usage != Usage():
        yield Tier.STANDARD, full
    half = JobTotals(share.rows, share.usage - share.full, share.long - share.full_long)
    if half.usage != Usage():
        yield None if job.output.journal is None else Tier.FLEX, half


def _usd(amount: Decimal) -> float:
    """Round away what no bill shows."""
    return float(round(amount, 9))
