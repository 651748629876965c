"""The plan of a task: requests, tokens, jobs and cost, before anything is paid, from a sample of the requests."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from airflow_provider_genai_batch.exceptions import CallError, ConfigurationError, UnsupportedError
from airflow_provider_genai_batch.models import BatchSource, Manifest
from airflow_provider_genai_batch.models.base import Task
from airflow_provider_genai_batch.models.manifest.plan import Plan, PlannedCost
from airflow_provider_genai_batch.models.tier import Tier
from airflow_provider_genai_batch.printable import printable
from airflow_provider_genai_batch.requests.token_estimate import TokenEstimate
from airflow_provider_genai_batch.task.cost.prices import Price, prices_of
from airflow_provider_genai_batch.task.cost.sample import evenly, sample_of
from airflow_provider_genai_batch.task.inputs.split import count_pieces
from airflow_provider_genai_batch.wire.catalog.tiers import tiers_at_once

if TYPE_CHECKING:
    from airflow_provider_genai_batch.client import GenAIBatchClient
    from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
    from airflow_provider_genai_batch.task.settings.order import Order

log = logging.getLogger(__name__)

COUNTED = 20
"""Most requests whose tokens the service counts. Counting is free, but takes one call each."""
BATCH = "batch"
PLANNED = "PLANNED"
"""The state in the manifest of a task that only plans."""
_MILLION = 1_000_000


def make_plan(
    client: GenAIBatchClient,
    order: Order,
    prepared: PreparedInput,
    *,
    max_requests: int | None = None,
    max_bytes: int | None = None,
    count: bool = False,
) -> Plan | None:
    """Make the plan of an input.

    Args:
        client: the client of the task's connection.
        order: the job's parameters.
        prepared: the input.
        max_requests: most requests of a job.
        max_bytes: most bytes of a job.
        count: whether the service counts the tokens of some requests.

    Returns:
        The plan; None if only the service reads the requests.

    Raises:
        RequestError: one request alone is too large for a job.
    """
    if prepared.tokens is not None:
        return _plan(
            client, order, prepared.tokens, (prepared.requests or 0, 0), count_pieces(prepared, max_requests)
        )
    if not prepared.readable or not prepared.requests:
        return None
    sample = sample_of(prepared)
    tokens = TokenEstimate().add(sample.rows, answers=order.task is Task.GENERATE)
    counted, ratio = _counted(client, order, sample.rows) if count else (0, 1.0)
    tokens = TokenEstimate(
        prepared.requests,
        tokens.input * ratio / sample.weight,
        round(tokens.output / sample.share),
        tokens.long_input * ratio / sample.weight,
        round(tokens.long_output / sample.share),
        round(tokens.unbounded / sample.share),
        0 if counted else round(tokens.unsized / sample.share),
    )
    pieces = count_pieces(prepared, max_requests, max_bytes)
    return _plan(client, order, tokens, (len(sample.rows), counted), pieces)


def _plan(
    client: GenAIBatchClient, order: Order, tokens: TokenEstimate, read: tuple[int, int], jobs: int
) -> Plan:
    """Make the plan from a sample of requests, some of them counted by the service."""
    prices = _prices(order, client.config.location)
    looked_at, counted = read
    return Plan(
        requests=tokens.requests,
        jobs=jobs,
        input_tokens=round(tokens.input),
        output_tokens=tokens.output,
        unbounded=tokens.unbounded,
        unsized=tokens.unsized,
        looked_at=looked_at,
        counted=counted,
        cost={tier: planned_cost(tokens, price) for tier, price in prices.items()},
        source=next((price.source for price in prices.values()), None),
    )


def cannot_plan(source: BatchSource) -> ConfigurationError:
    """Return the refusal of a plan for requests that only the service reads."""
    where = source.bigquery_uri or source.file_name or ", ".join(source.gcs_uri) or "the input"
    msg = (
        f"Only the service reads {where}, so it cannot be planned here. Nothing was sent. For a plan, give the "
        "requests as a list, a file, or gs:// objects that the connection may read."
    )
    return ConfigurationError(msg)


def planned_manifest(order: Order) -> Manifest:
    """Return the manifest of a task that only plans, without the plan."""
    return Manifest(backend=order.backend, model=order.model, state=PLANNED, job_names=(), rounds=0)


def read_plan(stored: Mapping[str, Any] | None) -> Plan | None:
    """Read a plan that a deferral has kept; another version of this package may have written it."""
    try:
        return None if stored is None else Plan.model_validate(stored)
    except ValidationError:
        return None


def planned_cost(tokens: TokenEstimate, price: Price) -> PlannedCost:
    """Return the cost of tokens: of the input alone, and with the longest possible output."""
    short, long = price.short, price.long
    asked = Decimal(tokens.input - tokens.long_input) * short.input + Decimal(tokens.long_input) * long.input
    answered = (tokens.output - tokens.long_output) * short.output + tokens.long_output * long.output
    least, most = asked / _MILLION, (asked + answered) * (1 + price.margin) / _MILLION
    return PlannedCost(least=usd(least), most=usd(most))


def usd(amount: Decimal | float) -> float:
    """Round an amount of USD to the digits of a bill."""
    return round(float(amount), 9)


def _counted(client: GenAIBatchClient, order: Order, rows: Sequence[Mapping[str, Any]]) -> tuple[int, float]:
    """Let the service count some requests; return how many, and the ratio of their tokens to the estimate from text."""
    counted = said = 0
    estimated = TokenEstimate()
    for row in evenly(rows, COUNTED):
        try:
            call = client.calls.count_tokens(order.model, row.get("request", row))
            said += client.perform(call)
        except (CallError, UnsupportedError) as error:
            log.info("The tokens are estimated, because they could not be counted: %s", error)
            return 0, 1.0
        counted += 1
        estimated.add([row], answers=False)
    return (counted, said / estimated.input) if estimated.input else (0, 1.0)


def _prices(order: Order, location: str) -> dict[str, Price]:
    """Return the price of each tier that the model has."""
    tiers = [Tier.BATCH, *tiers_at_once(order.model, order.backend, order.task, location)]
    try:
        found = prices_of(order.model, tiers)
    except Exception as error:  # noqa: BLE001 - whatever a price list makes of a model, the task goes on
        log.warning("The price is not known: %s: %s", type(error).__name__, printable(str(error)))
        return {}
    return {tier.value: price for tier, price in found.items()}
