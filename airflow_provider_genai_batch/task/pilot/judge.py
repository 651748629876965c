"""What comes of a pilot: it fails the task, is too dear for it, or says what the others will cost."""

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
    """A pilot after which the others may be asked."""

    plan: Plan | None = None
    """With its forecast."""
    spent: float = 0.0
    """USD that it cost."""
    answers: tuple[str, ...] = ()
    """Some of it, one line each."""
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
    """Read the answers of a pilot, judge them, and keep in the attempt's state what they say all will cost.

    Nothing is landed: the rows of the pilot land with the others.

    Args:
        settler: settles.
        settings: of the task.
        plan: of the task.
        ending: how the waiting for the pilot ended.
        checkpoint: its jobs, and what is known of its requests.
        keys: of its requests, if they are at hand.
        patience: for rows that are late.
        stopped: the service answers no more at once, which is why rows are missing.
        into: the table in BigQuery where its rows are to land with the others, if they do so there.

    Returns:
        A `GoodPilot`, after which the others are to be asked; where a job of an earlier attempt ended early, what is
        left of the pilot.

    Raises:
        PilotFailed: too many of its rows failed.
        TooManyFailedRows: the same, where it was `stopped`.
        CostLimitExceeded: all rows may cost more than ``max_cost``.
        JobError: one of its other kinds.
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
    ledger.plan = None  # it is held against the bill when all is asked
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
        "Pilot: %d of %d rows ask on average %.0f tokens and answer %.0f; all will cost %s.",
        meter.rows,
        plan.requests,
        meter.input / meter.rows,
        meter.output / meter.rows,
        own or "what no price list here knows",
    )
    if settings.max_cost is not None and own is not None and own.most > settings.max_cost:
        raise CostLimitExceeded(
            max_cost=settings.max_cost,
            expected=own.most - ledger.spent,
            spent=ledger.spent,
            requests=plan.requests - meter.rows,
            arithmetic=f"a pilot of {meter.rows} rows says that all cost {own}.",
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
        f"The pilot failed: {bad} of its {counts['total']} rows, asked as {tier}. Causes: {causes or 'none given'}. "
        f"Samples: {' | '.join(meter.samples)}. {cost}; the other {plan.requests - counts['total']} requests were not "
        "asked. The next attempt asks none of these rows again and judges them anew: change the prompt, the model, "
        "output_type or what the pilot allows."
    )
    manifest["plan"] = plan.model_dump(mode="json")
    return PilotFailed(msg, job_names=failure.job_names, manifest=manifest)
