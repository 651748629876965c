"""The terms of a task: its job parameters, cost limits and deadline."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_genai_batch.task.cost.limit import check_approval_priced, cost_limit
from airflow_provider_genai_batch.task.cost.today import DayLimits, check_listed
from airflow_provider_genai_batch.task.ready.plan import ReadyPlan
from airflow_provider_genai_batch.task.terms.tiers import check_tiers

if TYPE_CHECKING:
    from airflow_provider_genai_batch.task.cost.limit import CostLimit
    from airflow_provider_genai_batch.task.settings.order import Order

from airflow_provider_genai_batch.task.shared import Shared

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Terms:
    """Job parameters, cost limits and deadline of a task."""

    order: Order
    limit: CostLimit | None
    ready: ReadyPlan | None
    """How to keep the deadline of the rows; None: they have none."""
    late_limit: CostLimit | None
    """The cost limit at the prices of the model for the deadline."""
    day: DayLimits | None
    """The limits of the day; None: there are none."""

    @classmethod
    def of(cls, shared: Shared) -> Terms:
        """Read the terms from the settings of a task.

        Raises:
            ConfigurationError, InputError, UnsupportedError: they cannot be met, or a limit cannot be checked.
        """
        settings, config = shared.settings, shared.client.config
        order = settings.order(config)
        shared.settler.ledger.model = order.model
        if settings.may_ask_at_once:
            check_tiers(settings, order, config.location)
        if settings.pilot is not None:
            check_approval_priced(settings.pilot, order)
        ready = limit = late = day = None
        if settings.ready_by is not None:
            ready = ReadyPlan.of(settings.ready_by, order, config, shared.task.owner.times)
        if settings.max_cost is not None:
            limit = cost_limit(settings.max_cost, order)
            late = limit if ready is None else cost_limit(settings.max_cost, ready.order)
        if settings.has_day_limit(config):
            check_listed(settings, config)
            day = DayLimits.of(settings, config, shared.task.owner.dag_id, order)
        return cls(order, limit, ready, late, day)
