"""Measures the cost of rows: running sums over the answers of a pilot, and a forecast for all rows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from airflow_provider_genai_batch.models import Plan, PlannedCost, Usage
from airflow_provider_genai_batch.printable import printable
from airflow_provider_genai_batch.task.cost.plan import usd
from airflow_provider_genai_batch.task.cost.prices import Price
from airflow_provider_genai_batch.wire.answers.answer import PlainRow

_SAMPLES, _ANSWERS = 3, 5
_LONGEST = 160
"""Characters of a sample."""
_SURE = 2.3
"""Standard errors to each side of the expected cost. ``docs/reference/forecasts.md`` says how often that holds."""
_NEAR = 0.1
"""Part of the expected cost to each side within which a forecast is near."""
_ALIKE = 1e-9
"""Fraction of the squared mean below which a variance is only rounding."""


@dataclass
class _Sums:
    whole: float = 0.0
    squares: float = 0.0
    cubes: float = 0.0

    def add(self, value: float) -> None:
        self.whole += value
        self.squares += value * value
        self.cubes += value * value * value

    def spread(self, rows: int) -> tuple[float, float]:
        """Return variance and skewness of so many values."""
        mean = self.whole / rows
        variance = max(0.0, self.squares / rows - mean * mean)
        third = self.cubes / rows - 3 * mean * variance - mean**3
        return variance * rows / max(
            1, rows - 1
        ), third / variance**1.5 if variance > _ALIKE * mean * mean else 0.0


class Meter:
    """Measures rows as they pass.

    Args:
        prices: the price of each possible tier, by its name.

    Attributes:
        rows: number of rows measured.
        input: tokens of prompts.
        output: tokens of answers, thoughts included.
        samples: samples of failed rows.
        answers: samples of good rows.
    """

    def __init__(self, prices: Mapping[str, Price]) -> None:
        self._prices = prices
        self.begin()

    def begin(self) -> None:
        """Start over, because all rows are read again."""
        self.rows = self.input = self.output = 0
        self.samples: list[str] = []
        self.answers: list[str] = []
        self._costs = {tier: _Sums() for tier in self._prices}

    def watch(self, rows: Iterable[PlainRow]) -> Iterator[PlainRow]:
        """Pass rows on."""
        for row in rows:
            self.rows += 1
            if row["usage"] is not None:
                self._add(Usage(**row["usage"]))
            if row["status"] != "ok" and len(self.samples) < _SAMPLES:
                self.samples.append(_sample(row))
            elif row["status"] == "ok" and len(self.answers) < _ANSWERS:
                self.answers.append(_answer(row))
            yield row

    def _add(self, used: Usage) -> None:
        self.input += used.input + used.tool_use
        self.output += used.output + used.thoughts
        for tier, price in self._prices.items():
            self._costs[tier].add(float(price.rates(used).cost(used)))

    def forecast(self, plan: Plan, spent: float) -> Plan:
        """Return a plan with the expected cost.

        Args:
            plan: the plan of all requests.
            spent: cost of the measured requests in USD, in their own tier.
        """
        if self.input or self.output:
            costs = {tier: self._expected(sums, plan.requests, spent) for tier, sums in self._costs.items()}
        else:  # immediate calls for embeddings report no tokens, and have only those of their texts
            share = (plan.requests - self.rows) / plan.requests
            costs = {
                tier: PlannedCost(
                    expected=usd(spent + cost.most * share), least=cost.least * share, most=cost.most
                )
                for tier, cost in plan.cost.items()
                if cost.least == cost.most
            }
        return plan.model_copy(update={"pilot": self.rows, "cost": {**plan.cost, **costs}})

    def near_with(self, cost: PlannedCost, requests: int) -> tuple[float, int] | None:
        """Return how near a forecast is, as a part of its cost to each side, and how many rows would tell a tenth.

        The range shrinks with the root of the rows, and faster where these are many of all.

        Args:
            cost: the forecast.
            requests: number of all rows.

        Returns:
            None if the forecast is near enough.
        """
        half = (cost.most - cost.least) / 2
        if not cost.expected or half <= _NEAR * cost.expected:
            return None
        near = half / cost.expected
        of_many = self.rows * (near / _NEAR) ** 2
        return near, math.ceil(of_many / (1 + of_many / requests))

    def _expected(self, sums: _Sums, requests: int, spent: float) -> PlannedCost:
        rows, rest = self.rows, requests - self.rows
        variance, skewness = sums.spread(rows)
        error = math.sqrt(variance / rows * max(0.0, rest / requests)) * rest
        # A sample with few of the expensive rows has a small mean and a small error, so the upper side is wider if
        # rows are skewed (the first term of the Edgeworth expansion of a mean's t statistic).
        wider = max(0.0, skewness) * (1 + 2 * _SURE * _SURE) / (6 * math.sqrt(rows))
        expected = spent + sums.whole / rows * rest
        return PlannedCost(
            expected=usd(Decimal(expected)),
            least=usd(max(spent, expected - _SURE * error)),
            most=usd(expected + (_SURE + wider) * error),
        )


def _sample(row: PlainRow) -> str:
    error = row["error"] or {}
    said = error.get("message") or row["text"] or row["finish_reason"] or "no answer"
    return printable(f"{row['key']} is {row['status']}: {said}", _LONGEST)


def _answer(row: PlainRow) -> str:
    said = row["text"] or ("an answer without text" if row["output"] is None else str(row["output"]))
    return printable(f"{row['key']}: {said}", _LONGEST)
