"""Judges a pilot: it fails the task, is too expensive, or gives a forecast of the total cost."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_genai_batch.exceptions import CostLimitExceeded, PilotFailed, TooManyFailedRows
from airflow_provider_genai_batch.flows.outcome.settle import AskAgain
from airflow_provider_genai_batch.models.settings.pilot import Pilot
from airflow_provider_genai_batch.models.tier import Tier
from airflow_provider_genai_batch.task.cost.prices import prices_of
from airflow_provider_genai_batch.task.landing.landing import Landing
from airflow_provider_genai_batch.task.pilot.meter import Meter
from airflow_provider_genai_batch.wire.schemas.output_type import job_check

if TYPE_CHECKING:
    from airflow_provider_genai_batch.flows.watch import Ending
    from airflow_provider_genai_batch.models import Plan
    from airflow_provider_genai_batch.task.jobs.patience import Patience
    from airflow_provider_genai_batch.task.jobs.settler import JobSettler
    from airflow_provider_genai_batch.task.settings.settings import RunSettings
    from airflow_provider_genai_batch.task.state import Checkpoint
    from airflow_provider_genai_batch.task.tables.land import TableLanding

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class GoodPilot(AskAgain):
    """A pilot after which the other requests may be submitted."""

    plan: Plan | None = None
    """The plan, with the forecast."""
    spent: float = 0.0
    """Its cost in USD."""
    answers: tuple[str, ...] = ()
    """Some of its answers, one line each."""
    report: Mapping[str, Any] | None = None
    """Its manifest as JSON."""


def judge(  # noqa: PLR0913 - keyword-only
    settler: JobSettler,
    settings: RunSettings,
    plan: Plan,
    ending: Ending,
    checkpoint: Checkpoint,
    *,
    keys: Iterable[str] | None = None,
    patience: Patience | None = None,
    stopped: bool = False,
    into: TableLanding | None = None,
) -> AskAgain:
    """Read the answers of a pilot, judge them, and store the forecast of the total cost in the attempt's state.

    Nothing lands yet: the rows of the pilot land with the others.

    Args:
        settler: settles jobs.
        settings: the task's settings.
        plan: the task's plan.
        ending: how the wait for the pilot ended.
        checkpoint: its jobs, and facts about its requests.
        keys: keys of its requests, if available.
        patience: how to wait for late rows.
        stopped: why the service stopped answering immediate calls, if rows are missing because of it.
        into: the BigQuery table in which its rows will land with the others, if they land in one.

    Returns:
        A `GoodPilot`, after which the others are submitted; or, if a job of an earlier attempt ended early, what is
        left of the pilot.

    Raises:
        PilotFailed: too many of its rows failed.
        TooManyFailedRows: the same, if it was `stopped`.
        CostLimitExceeded: all rows may cost more than ``max_cost``.
        JobError: one of its other subclasses.
    """
    pilot = Pilot.of(settings.pilot)
    assert pilot is not None  # noqa: S101 - else there is none to judge
    prices = prices_of(settings.model, [Tier(tier) for tier in plan.cost])
    meter = Meter({tier.value: price for tier, price in prices.items()})
    state, ledger = checkpoint.state, settler.ledger
    landing = Landing(
        results_uri=settings.results_uri,
        media_uri=settings.media_uri,
        max_failed_rows=pilot.allowed(settings.max_failed_rows, plan.requests),
        facts=checkpoint.facts,
        keys=lambda: keys,
        validate=job_check(settings.output_type, settings.request_defaults),
        answers=settings.answers,
        output_type=settings.output_type,
        meter=meter,
        into=into,
    )
    ledger.plan = None  # the cost is compared with the plan only at the end
    try:
        outcome = settler.settle(
            ending,
            checkpoint.jobs,
            landing,
            patience=patience,
            reattached=[name for name in state.reattached if name not in state.done],
            failed_before=state.failed_before,
        )
    except TooManyFailedRows as failure:
        if stopped:
            raise
        raise _failed(failure, meter, ledger.spent, plan, state.tier) from failure
    finally:
        ledger.plan = plan
    if isinstance(outcome, AskAgain):
        return outcome
    ledger.plan = forecast = meter.forecast(plan, ledger.spent)
    state.plan = forecast.model_dump(mode="json")
    own = forecast.own_cost
    log.info(
        "Pilot: %d of %d rows have %.0f input and %.0f output tokens on average; all rows will cost %s.",
        meter.rows,
        plan.requests,
        meter.input / meter.rows,
        meter.output / meter.rows,
        own or "an unknown amount, because no price list has the model",
    )
    if own is not None and (near := meter.near_with(own, plan.requests)):
        log.info(
            "A pilot of %d rows tells this within ±%.0f%%; about %d rows would tell it within ±10%%.",
            meter.rows,
            near[0] * 100,
            near[1],
        )
    if settings.max_cost is not None and own is not None and own.most > settings.max_cost:
        raise CostLimitExceeded(
            max_cost=settings.max_cost,
            expected=own.most - ledger.spent,
            spent=ledger.spent,
            requests=plan.requests - meter.rows,
            arithmetic=f"by a pilot of {meter.rows} rows, all rows cost {own}.",
        )
    report = outcome.manifest.model_copy(update={"plan": forecast}).model_dump(mode="json")
    return GoodPilot(
        tuple(checkpoint.jobs),
        plan=forecast,
        spent=ledger.spent,
        answers=tuple(meter.answers),
        report=report,
    )


def _failed(failure: TooManyFailedRows, meter: Meter, spent: float, plan: Plan, tier: str) -> PilotFailed:
    manifest = dict(failure.manifest or {})
    counts = manifest["counts"]
    causes = "; ".join(f"{number} x {cause}" for cause, number in manifest["causes"].items())
    bad = counts["total"] - counts["ok"]
    cost = f"It cost {spent:.6f} USD" if spent else "Its answered rows are billed"
    msg = (
        f"The pilot failed: {bad} of its {counts['total']} rows failed (tier {tier}). Causes: "
        f"{causes or 'none given'}. "
        f"Samples: {' | '.join(meter.samples)}. {cost}; the other {plan.requests - counts['total']} requests were not "
        "submitted. The next attempt submits none of these rows again and judges the same answers: change the prompt, "
        "the model, output_type or max_failed of the pilot."
    )
    manifest["plan"] = plan.model_dump(mode="json")
    return PilotFailed(msg, job_names=failure.job_names, manifest=manifest)
