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
"""Margin for Claude. Google's price page says that Claude from 4.5 on costs a tenth more in regions and multi-regions.
Batches do not run on ``global``, so this margin is inferred for every batch; the page does not say whether the tenth is
added to batch prices."""
_SHORT, _LONG = 100_000, 1_000_000
"""Prompt lengths in tokens, one below `LONG_PROMPT` and one above, at which the price list is read."""
_BATCH, _HALF = "batch", "half of standard"
_OPEN = {
    "gpt-oss-120b-maas": ("0.045", "0.18"),
    "llama-4-maverick-17b-128e-instruct-maas": ("0.175", "0.575"),
    "llama-4-scout-17b-16e-instruct-maas": ("0.125", "0.35"),
}
"""Batch prices of the open models that Google runs in batches, in USD for a million tokens of input and output.

genai-prices only has the prices of other services for them. No price of cached tokens is known.
"""
_OPEN_SOURCE = "Google's batch prices as in litellm 1.110.2, November 2026"


class Rates(NamedTuple):
    """Prices in USD for a million tokens of text."""

    input: Decimal
    cached: Decimal
    """Input tokens that come from a cache."""
    output: Decimal

    def cost(self, usage: Usage) -> Decimal:
        """Return the cost of tokens in USD.

        Thoughts count as output. Tool use, and tokens that are only in the total, count as input.
        """
        answered = usage.output + usage.thoughts
        asked = max(usage.input + usage.tool_use, usage.total - answered)
        cached = min(usage.cached, asked)
        spent = (asked - cached) * self.input + cached * self.cached + answered * self.output
        return spent / _MILLION

    @property
    def half(self) -> Rates:
        """Half of these prices: if these are standard prices, those of batch jobs.

        Cached tokens get the cache discount or the batch discount, whichever is larger, not both.
        """
        return Rates(self.input / 2, min(self.cached, self.input / 2), self.output / 2)


class Price(NamedTuple):
    """What a model costs in batch jobs, or in a tier of immediate calls."""

    model: str
    """The model's name in the price list."""
    basis: str
    """See `ModelCost.basis`."""
    short: Rates
    long: Rates
    """For requests with long prompts, see `models.jobs.job_totals.LONG_PROMPT`."""
    source: str
    margin: Decimal = Decimal(0)
    """A possible surcharge, as a fraction of the price. `cost` does not include it."""

    def rates(self, usage: Usage) -> Rates:
        """Return the rates for one request, by the length of its prompt."""
        return self.long if usage.input > LONG_PROMPT else self.short

    def cost(self, share: JobTotals) -> Decimal:
        """Return the cost of a job's tokens in USD."""
        return self.short.cost(share.usage - share.long) + self.long.cost(share.long)


def is_installed() -> bool:
    """Whether a price list with batch prices is installed. It is not loaded for this, because that takes a second."""
    try:
        return Version(version(_PACKAGE)) >= _OLDEST
    except PackageNotFoundError:
        return False


def price_of(model: str | None, at: datetime | None = None, tier: Tier | None = None) -> Price | None:
    """Return the price of a model.

    Args:
        model: the model, in any spelling of either service.
        at: the time when the job was created, because prices change; None: now.
        tier: the tier of immediate calls; None: batch jobs. Google's pages list flex at batch prices.

    Returns:
        None if there is no price list, or it does not have the model.
    """
    return prices_of(model, [tier or Tier.BATCH], at).get(tier or Tier.BATCH)


def prices_of(model: str | None, tiers: Iterable[Tier], at: datetime | None = None) -> dict[Tier, Price]:
    """Return a model's price in each of the tiers whose price is known; see `price_of`."""
    if not is_installed():
        return {}
    publisher, dated = publisher_of(model or "")
    if publisher not in FAMILIES:  # a tuned model has a number or a name of its own
        return {}
    name, family = dated.partition("@")[0], FAMILIES[publisher]
    if name in _OPEN:
        asked, answered = map(Decimal, _OPEN[name])
        rates = Rates(asked, asked, answered)
        own = Price(name, _BATCH, rates, rates, _OPEN_SOURCE)
        return {tier: own for tier in tiers if tier is Tier.BATCH}  # they run in batch jobs only
    hour = (at or clock.now()).replace(minute=0, second=0, microsecond=0)
    listed = _listed(name, family, hour)
    return {} if listed is None else {tier: listed.price(tier) for tier in tiers}


class _Listed(NamedTuple):
    """A model's rates in the price list: each list has those for short prompts, then those for long ones."""

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
    """Read a model's rates. They are cached by hour, because each of the many lookups takes about a millisecond."""
    from genai_prices import Usage as Tokens
    from genai_prices import calc_price

    # For Claude, Google's list has the same standard prices, and no batch prices.
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
    """Return the cost of jobs; None if the price of one is not known, or no job has token counts."""
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
    """Yield the parts of a job's totals that have different prices, each with its tier."""
    full = JobTotals(share.rows, share.full, share.full_long)
    if full.usage != Usage():
        yield Tier.STANDARD, full
    half = JobTotals(share.rows, share.usage - share.full, share.long - share.full_long)
    if half.usage != Usage():
        yield None if job.output.journal is None else Tier.FLEX, half


def _usd(amount: Decimal) -> float:
    """Round to nine digits, more than any bill shows."""
    return float(round(amount, 9))
