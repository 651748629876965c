"""``max_cost``: requests that may cost more are refused before they are uploaded."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_genai_batch.exceptions import ConfigurationError, CostLimitExceeded
from airflow_provider_genai_batch.models import Approval, BatchSource, Pilot
from airflow_provider_genai_batch.models.base import Task
from airflow_provider_genai_batch.models.family import Family
from airflow_provider_genai_batch.models.jobs.job_totals import LONG_PROMPT
from airflow_provider_genai_batch.models.tier import Tier
from airflow_provider_genai_batch.requests.token_estimate import BYTES_A_TOKEN, MOST_OUTPUT, TokenEstimate
from airflow_provider_genai_batch.task.cost.prices import Price, is_installed, price_of
from airflow_provider_genai_batch.wire.catalog.publishers import family_of

if TYPE_CHECKING:
    from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
    from airflow_provider_genai_batch.task.settings.order import Order

log = logging.getLogger(__name__)

_MILLION = 1_000_000


class Most(NamedTuple):
    """The most that requests may cost."""

    usd: float
    requests: int
    arithmetic: str
    """How `usd` was calculated."""


@dataclass(frozen=True)
class CostLimit:
    """The most that one task may cost."""

    usd: float
    price: Price
    task: Task
    word: str = "maxOutputTokens"
    """The name of the field for the most tokens of an answer, in requests to the model."""
    name: str = "max_cost"
    """The parameter that sets the limit."""

    def in_tier(self, tier: Tier) -> CostLimit:
        """Return a copy for requests in another tier."""
        price = price_of(self.price.model, tier=tier) if tier.at_once else None
        return self if price is None else replace(self, price=price)

    def check(self, prepared: PreparedInput, spent: float) -> None:
        """Refuse requests that may cost more than is left.

        Args:
            prepared: the requests of a round.
            spent: cost of the jobs of earlier rounds, in USD.

        Raises:
            CostLimitExceeded: they may cost more.
            ConfigurationError: they could not be read.
        """
        most = self.most(prepared, spent)
        if spent + most.usd > self.usd:
            raise CostLimitExceeded(
                max_cost=self.usd,
                expected=most.usd,
                spent=spent,
                requests=most.requests,
                arithmetic=most.arithmetic,
            )
        log.info("May cost up to %.4f USD (max_cost %s): %s", spent + most.usd, self.usd, most.arithmetic)

    def most(self, prepared: PreparedInput, spent: float = 0.0) -> Most:
        """Return the most that requests may cost; warn of what is not counted.

        Args:
            prepared: the requests of a round.
            spent: cost of the jobs of earlier rounds in USD, for the text.

        Raises:
            ConfigurationError: they could not be read.
        """
        tokens = self.tokens(prepared)
        if tokens.unsized:
            log.warning(
                "%s does not count %d files and pictures, whose tokens are not known.",
                self.name,
                tokens.unsized,
            )
        return self.of_tokens(tokens, spent)

    def tokens(self, prepared: PreparedInput) -> TokenEstimate:
        """Return the most tokens that requests may have.

        Raises:
            ConfigurationError: they could not be read.
        """
        if prepared.tokens is None and not prepared.readable:
            raise _cannot(self.name, self.usd, prepared.source)
        return prepared.tokens or TokenEstimate().add(
            prepared.parsed_requests(), answers=self.task is Task.GENERATE
        )

    def of_tokens(self, tokens: TokenEstimate, spent: float = 0.0) -> Most:
        """Return the most that tokens may cost; see `most`."""
        most = self._most(tokens)
        return Most(float(most), tokens.requests, self._sums(tokens, most, spent))

    def _most(self, tokens: TokenEstimate) -> Decimal:
        short, long = self.price.short, self.price.long
        asked = (
            Decimal(tokens.input - tokens.long_input) * short.input + Decimal(tokens.long_input) * long.input
        )
        answered = (tokens.output - tokens.long_output) * short.output + tokens.long_output * long.output
        return (asked + answered) * (1 + self.price.margin) / _MILLION

    def _sums(self, tokens: TokenEstimate, most: Decimal, spent: float) -> str:
        """Return the parts of the sum as text."""
        short, long = self.price.short, self.price.long
        lines = [
            f"input {tokens.input:.0f} tokens (bytes of text / {BYTES_A_TOKEN}) at {_shown(short.input)} USD a million"
        ]
        if tokens.output:
            most_of_all = f"{MOST_OUTPUT}, the models' own limit, for {tokens.unbounded} requests without it"
            bound = f"{self.word}; {most_of_all}"
            lines.append(
                f"output up to {tokens.output} tokens ({bound if tokens.unbounded else self.word}) at "
                f"{_shown(short.output)} USD a million"
            )
        if tokens.long_input:
            lines.append(
                f"of these {tokens.long_input:.0f} and {tokens.long_output} tokens of prompts over {LONG_PROMPT} at "
                f"{_shown(long.input)} and {_shown(long.output)} USD"
            )
        if tokens.unsized:
            lines.append(
                f"{tokens.unsized} files and pictures are not counted, because their tokens are not known"
            )
        if self.price.margin:
            lines.append(
                f"{_shown(self.price.margin * 100)} % more, which Google's page adds for regions and may apply here"
            )
        requests = "1 request" if tokens.requests == 1 else f"{tokens.requests} requests"
        whole = f"{requests}: {'; '.join(lines)}: {most:.6f} USD"
        before = f", after {spent:.6f} USD for earlier rounds" if spent else ""
        price = self.price
        return f"{whole}{before}. The prices are {price.basis} prices for {price.model} of {price.source}."


def cost_limit(max_cost: float, order: Order, name: str = "max_cost") -> CostLimit:
    """Return the limit of a task.

    Args:
        max_cost: the limit, in USD.
        order: the job's parameters.
        name: the parameter that sets the limit.

    Raises:
        ConfigurationError: it cannot be checked: there is no price list, the model is not in it, or only the service
            reads the requests.
    """
    if order.table is None and (order.source.bigquery_uri or order.source.file_name):
        raise _cannot(name, max_cost, order.source)
    price = _price(f"{name}={max_cost}", order)
    word = "maxOutputTokens" if family_of(order.model) is Family.GOOGLE else "max_tokens"
    return CostLimit(max_cost, price, order.task, word, name)


def check_approval_priced(pilot: Any, order: Order) -> None:
    """Refuse an approval above an amount if the model's prices are unknown.

    Raises:
        ConfigurationError: there is no price list, or the model is not in it.
    """
    found = Pilot.of(pilot)
    approval = None if found is None else Approval.of(found.approve_above)
    if approval is not None:
        _price(f"approve_above={approval.above}", order)


def _price(setting: str, order: Order) -> Price:
    if not is_installed():
        msg = (
            f"{setting} cannot be checked: there is no price list. Nothing was sent. Install the extra: "
            f"pip install 'airflow-provider-genai-batch[prices]', or {_without(setting.partition('=')[0])}."
        )
        raise ConfigurationError(msg)
    price = price_of(order.model)
    if price is None:
        msg = (
            f"{setting} cannot be checked: the price list does not have {order.model}. Nothing was sent. Update "
            f"genai-prices, or {_without(setting.partition('=')[0])}."
        )
        raise ConfigurationError(msg)
    return price


def _shown(rate: Decimal) -> str:
    return f"{rate.normalize():f}"


def _cannot(name: str, usd: float, source: BatchSource) -> ConfigurationError:
    msg = (
        f"{name}={usd} cannot be checked: only the service reads {_address(source)}, so the number and length of its "
        "requests are not known here. Nothing was submitted for it. Give the requests as a list, a file, or gs:// "
        f"objects that the connection may read, or {_without(name)}."
    )
    return ConfigurationError(msg)


def _without(name: str) -> str:
    """Return how to do without a limit; that of a day may be the connection's."""
    connection = ", or use a connection without it" if name == "max_cost_per_day" else ""
    return f"leave {name} out{connection}"


def _address(source: BatchSource) -> str:
    return source.bigquery_uri or source.file_name or ", ".join(source.gcs_uri) or "the input"
