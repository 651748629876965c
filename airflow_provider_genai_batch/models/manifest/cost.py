"""Costs of jobs, estimated from tokens and a price list."""

from __future__ import annotations

from airflow_provider_genai_batch.models.base import Noun


class ModelCost(Noun):
    """The cost of one model. Prices are in USD per million tokens of text, in prompts that are not long."""

    model: str
    """The model's name in the price list."""
    usd: float
    basis: str
    """``batch``: the list has prices for batch jobs. ``half of standard``: it has none, and both services document half
    the standard price. ``flex`` or ``standard``: immediate calls, billed like a batch job or in full."""
    input: float
    cached: float
    output: float
    """Includes thoughts."""


class Cost(Noun):
    """An estimate in USD; the bill is the service's."""

    usd: float
    models: tuple[ModelCost, ...]
    source: str
    """The price list, such as ``genai-prices 0.2.3``."""
    usd_in_batch: float | None = None
    """What the same tokens cost in batch jobs; None in manifests of older versions of this package."""

    def __str__(self) -> str:
        """Return it in one line."""
        bases = ", ".join(f"{part.model} at {part.basis} prices" for part in self.models)
        if not self.models:
            return f"{self.usd:g} USD ({self.source})"
        return f"about {self.usd:.6f} USD ({bases}; {self.source})"
