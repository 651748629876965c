"""The terms of a task: what it asks, what that may cost, and by when."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_genai_batch.task.cost.limit import check_approval_priced, cost_limit
from airflow_provider_genai_batch.task.ready.plan import ReadyPlan
from airflow_provider_genai_batch.task.terms.tiers import check_tiers

if TYPE_CHECKING:
    from airflow_provider_genai_batch.task.cost.limit import CostLimit
    from airflow_provider_genai_batch.task.settings.order import Order

from airflow_provider_genai_batch.task.shared import Shared

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Terms:
    """What is asked for, and what it may cost."""

    order: Order
    limit: CostLimit | None
    ready: ReadyPlan | None
    """How the deadline of the rows is kept; None: they have none."""
    late_limit: CostLimit | None
    """The limit by the prices of the model that is asked at the deadline."""

    @classmethod
    def of(cls, shared: Shared) -> Terms:
        """Read them from the settings of a task.

        Raises:
            ConfigurationError, InputError, UnsupportedError: they cannot be kept, or a limit cannot be checked.
        """
        settings, config = shared.settings, shared.client.config
        order = settings.order(config)
        shared.settler.ledger.model = order.model
        if settings.may_ask_at_once:
            check_tiers(settings, order, config.location)
        if settings.pilot is not None:
            check_approval_priced(settings.pilot, order)
        ready = limit = late = None
        if settings.ready_by is not None:
            ready = ReadyPlan.of(settings.ready_by, order, config, shared.task.owner.times)
        if settings.max_cost is not None:
            limit = cost_limit(settings.max_cost, order)
            late = limit if ready is None else cost_limit(settings.max_cost, ready.order)
        return cls(order, limit, ready, late)
