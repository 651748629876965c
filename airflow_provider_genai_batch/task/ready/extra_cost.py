"""``max_extra_cost``: adds up, answer by answer, what the standard tier costs above batch price."""

from __future__ import annotations

from msgspec import DecodeError, Struct, field
from msgspec.json import Decoder

from airflow_provider_genai_batch.exceptions import ConfigurationError
from airflow_provider_genai_batch.models import Usage
from airflow_provider_genai_batch.models.tier import Tier
from airflow_provider_genai_batch.task.cost.prices import Price, is_installed, price_of


class _Tokens(Struct, gc=False, rename="camel"):
    prompt_token_count: int = 0
    candidates_token_count: int = 0
    thoughts_token_count: int = 0
    cached_content_token_count: int = 0
    tool_use_prompt_token_count: int = 0
    total_token_count: int = 0


class _Response(Struct, gc=False, rename="camel"):
    usage_metadata: _Tokens = field(default_factory=_Tokens)


class _Line(Struct, gc=False):
    response: _Response = field(default_factory=_Response)


_decoder = Decoder(_Line, strict=False)


class ExtraCost:
    """Adds up what answers cost above batch price, by a price list.

    Args:
        most: limit in USD.
        batch: prices in a batch job.
        standard: prices in the standard tier.
    """

    def __init__(self, most: float, batch: Price, standard: Price) -> None:
        self._most, self._batch, self._standard = most, batch, standard
        self.usd = 0.0

    @classmethod
    def of(cls, most: float, model: str) -> ExtraCost:
        """Read the prices of a model.

        Raises:
            ConfigurationError: the prices are unknown.
        """
        batch, standard = price_of(model), price_of(model, tier=Tier.STANDARD)
        if batch is None or standard is None:
            why = (
                f"the price list does not have {model}"
                if is_installed()
                else "there is no price list: pip install 'airflow-provider-genai-batch[prices]'"
            )
            msg = f"ready_by: max_extra_cost={most} cannot be kept: {why}. Nothing was sent. Or leave it out."
            raise ConfigurationError(msg)
        return cls(most, batch, standard)

    def add(self, line: bytes) -> str:
        """Count a line of answers; return why no more may be spent, empty if more may.

        Calls that are in progress then are still answered and billed.
        """
        usage = _usage(line)
        if usage is not None:
            batch, standard = (price.rates(usage).cost(usage) for price in (self._batch, self._standard))
            self.usd += float(standard - batch)
        if self.usd < self._most:
            return ""
        return f"max_extra_cost={self._most} has been spent, and all attempts of the run count together: raise it"


def _usage(line: bytes) -> Usage | None:
    try:
        tokens = _decoder.decode(line).response.usage_metadata
    except (DecodeError, ValueError):  # before msgspec 0.21 its own is no ValueError
        return None
    return Usage(
        input=tokens.prompt_token_count,
        output=tokens.candidates_token_count,
        cached=tokens.cached_content_token_count,
        thoughts=tokens.thoughts_token_count,
        total=tokens.total_token_count,
        tool_use=tokens.tool_use_prompt_token_count,
    )
