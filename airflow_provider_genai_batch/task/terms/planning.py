"""The plan of an attempt: made once, logged, kept in its state, and compared with the cost at the end."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_provider_genai_batch.task.attempt_input import AttemptInput
from airflow_provider_genai_batch.task.cost.plan import cannot_plan, make_plan, read_plan
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.task.state import AttemptState
from airflow_provider_genai_batch.task.terms.later_ways import warn_of_later_ways
from airflow_provider_genai_batch.task.terms.tiers import first_tier

if TYPE_CHECKING:
    from airflow_provider_genai_batch.models import Plan
    from airflow_provider_genai_batch.task.fallbacks.ways import Ways

from airflow_provider_genai_batch.task.shared import Shared
from airflow_provider_genai_batch.task.terms.terms import Terms

log = logging.getLogger(__name__)


def plan_attempt(
    shared: Shared,
    asked: AttemptInput,
    terms: Terms,
    prepared: PreparedInput | None,
    state: AttemptState,
    ways: Ways | None = None,
) -> Plan | None:
    """Make the plan, unless a deferral has kept it; return None if the requests cannot be read.

    Args:
        shared: objects shared by the attempt.
        asked: the input, with the existing answers.
        terms: the task's terms.
        prepared: the requests to submit; None: none.
        state: the state of the attempt, which keeps the plan.
        ways: the fallbacks; None: there are none.

    Raises:
        CostLimitExceeded: with `plan_only`, the plan is above a limit of the day.
        CallError: with `plan_only`, the jobs of the day could not be listed.
        ConfigurationError: a fallback cannot be used; or, with `plan_only`, no plan can be made.
    """
    settings, only = shared.settings, shared.settings.plan_only
    begins = state.plan is None and shared.task.is_first_try
    if begins and ways is not None and prepared is not None:
        ways.check(terms.order)
    plan = read_plan(state.plan) if state.plan is not None else None
    if plan is None and prepared is not None:
        plan = make_plan(
            shared.client,
            terms.order,
            prepared,
            max_requests=settings.max_requests_per_job,
            max_bytes=settings.max_bytes_per_job,
            count=only,
        )
    found = asked.in_table or asked.at_hand
    if found is not None and state.plan is None:
        plan = found.in_plan(plan)
    if plan is not None and state.plan is None:
        usual = shared.usual if only else ""
        log.info("Plan: %s.%s", plan, usual and f" Time of a job: {usual}.")
        if begins and prepared is not None and (ways is not None or terms.ready is not None):
            warn_of_later_ways(terms, ways, prepared)
        if settings.may_ask_at_once:
            plan = plan.model_copy(update={"tier": first_tier(settings, plan.requests).value})
        state.plan = plan.model_dump(mode="json")
    if only and plan is None:
        raise cannot_plan(terms.order.source)
    if only and terms.day is not None and prepared is not None:
        charge = terms.day.whole(prepared, "Nothing was submitted, because plan_only=True.")
        shared.settler.ledger.spent_today = shared.finder.spent_today(charge)
    shared.settler.ledger.plan = plan
    return plan
