"""One draw: a workload is drawn, a pilot of it is measured, and its forecast is held against the bill."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from airflow_provider_genai_batch.models import BatchSource, Plan, PlannedCost, Usage
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.tier import Tier
from airflow_provider_genai_batch.task.cost.prices import prices_of
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.task.pilot.meter import Meter
from airflow_provider_genai_batch.task.pilot.sample import places
from airflow_provider_genai_batch.wire.answers.answer import plain_row
from airflow_provider_genai_batch.wire.catalog.limits import Limits
from tests.forecasts.workloads import WORKLOADS, Tokens

MODEL = "gemini-2.5-flash"


@dataclass(frozen=True)
class Drawn:
    """What came of one draw.

    Attributes:
        off: the forecast over the bill, less one.
        held: the bill is in the range of the forecast.
        width: of that range, over the bill.
        enough: rows of a pilot that would be off by a tenth at most; None: this one is.
    """

    off: float
    held: bool
    width: float
    enough: int | None


def draw(kind: str, seed: int, rows: int, pilot: int) -> Drawn:
    """Forecast a workload.

    Args:
        kind: of the workload.
        seed: of the draw; it decides the rows, and which of them the pilot asks.
        rows: of the input.
        pilot: of them that go first, as `standard`; the others are asked in batch.
    """
    chance, made = random.Random(f"{kind}/{seed}"), WORKLOADS[kind]
    used = [made(chance, at / rows) for at in range(rows)]
    prices = prices_of(MODEL, [Tier.BATCH, Tier.STANDARD])
    with ExitStack() as stack:
        limits = Limits(None, None, "")
        asked = PreparedInput(BatchSource(path="in.jsonl"), f"{seed}", Backend.GEMINI, limits, stack, rows)
        chosen = places(asked, pilot)
    first = [used[at] for at in sorted(chosen)]
    spent = float(prices[Tier.STANDARD].short.cost(_sum(first)))
    bill = spent + float(
        prices[Tier.BATCH].short.cost(_sum([one for at, one in enumerate(used) if at not in chosen]))
    )
    meter = Meter({Tier.BATCH.value: prices[Tier.BATCH]})
    for _ in meter.watch(plain_row("k", "ok", usage=_sum([one]).model_dump()) for one in first):
        pass
    cost = PlannedCost(least=0, most=0)
    plan = Plan(requests=rows, jobs=1, input_tokens=0, output_tokens=0, looked_at=1, cost={"batch": cost})
    told = meter.forecast(plan, spent).cost["batch"]
    assert told.expected is not None
    near = meter.near_with(told, rows)
    held, width = told.least <= bill <= told.most, (told.most - told.least) / bill
    return Drawn(told.expected / bill - 1, held, width, None if near is None else near[1])


def draws(kind: str, seeds: Sequence[int], rows: int, pilot: int) -> list[Drawn]:
    """Forecast a workload with each seed."""
    return [draw(kind, seed, rows, pilot) for seed in seeds]


def _sum(used: Sequence[Tokens]) -> Usage:
    asked, answered, thoughts = (sum(kind) for kind in zip(*used, strict=True))
    return Usage(input=asked, output=answered, thoughts=thoughts, total=asked + answered + thoughts)
