"""``max_cost``: requests that may cost more are refused before they are uploaded."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

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

_UNREAD = (
    "only the service reads {where}, so the number and length of its requests are not known here. "
    "Nothing was submitted for it. Leave max_cost out, or give the requests as a list, a file, or gs:// objects "
    "that the connection may read."
)
_MILLION = 1_000_000


@dataclass(frozen=True)
class CostLimit:
    """The most that one task may cost."""

    usd: float
    price: Price
    task: Task
    word: str = "maxOutputTokens"
    """The name of the field for the most tokens of an answer, in requests to the model."""

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
        if prepared.tokens is None and not prepared.readable:
            raise ConfigurationError(_cannot(self.usd, _UNREAD.format(where=_address(prepared.source))))
        tokens = prepared.tokens or TokenEstimate().add(
            prepared.parsed_requests(), answers=self.task is Task.GENERATE
        )
        most = self._most(tokens)
        sums = self._sums(tokens, most, spent)
        if spent + float(most) > self.usd:
            raise CostLimitExceeded(
                max_cost=self.usd,
                expected=float(most),
                spent=spent,
                requests=tokens.requests,
                arithmetic=sums,
            )
        log.info("May cost up to %.4f USD (max_cost %s): %s", spent + float(most), self.usd, sums)
        if tokens.unsized:
            log.warning(
                "max_cost does not count %d files and pictures, whose tokens are not known.", tokens.unsized
            )

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


def cost_limit(max_cost: float, order: Order) -> CostLimit:
    """Return the limit of a task.

    Raises:
        ConfigurationError: it cannot be checked: there is no price list, the model is not in it, or only the service
            reads the requests.
    """
    if order.table is None and (order.source.bigquery_uri or order.source.file_name):
        raise ConfigurationError(_cannot(max_cost, _UNREAD.format(where=_address(order.source))))
    price = _price(f"max_cost={max_cost}", order)
    word = "maxOutputTokens" if family_of(order.model) is Family.GOOGLE else "max_tokens"
    return CostLimit(max_cost, price, order.task, word)


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
            f"pip install 'airflow-provider-genai-batch[prices]', or leave {setting.partition('=')[0]} out."
        )
        raise ConfigurationError(msg)
    price = price_of(order.model)
    if price is None:
        msg = (
            f"{setting} cannot be checked: the price list does not have {order.model}. Nothing was sent. Update "
            "genai-prices, or leave it out."
        )
        raise ConfigurationError(msg)
    return price


def _shown(rate: Decimal) -> str:
    return f"{rate.normalize():f}"


def _cannot(max_cost: float, why: str) -> str:
    return f"max_cost={max_cost} cannot be checked: {why}"


def _address(source: BatchSource) -> str:
    return source.bigquery_uri or source.file_name or ", ".join(source.gcs_uri) or "the input"
