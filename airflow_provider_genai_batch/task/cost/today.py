"""``max_cost_per_day``: what the jobs of a day may cost, for a connection or a DAG."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from airflow_provider_genai_batch.exceptions import ConfigurationError
from airflow_provider_genai_batch.flows.submission.charge import Charge, DayLimit
from airflow_provider_genai_batch.models.jobs.stated_cost import short_dag
from airflow_provider_genai_batch.models.manifest.spent_today import SpentToday
from airflow_provider_genai_batch.task.checks.day_checks import why_not_listed
from airflow_provider_genai_batch.task.cost.limit import CostLimit, cost_limit

if TYPE_CHECKING:
    from airflow_provider_genai_batch.client import ClientConfig
    from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
    from airflow_provider_genai_batch.task.settings.order import Order
    from airflow_provider_genai_batch.task.settings.settings import RunSettings

_NAME = "max_cost_per_day"


def read_spent(stored: Mapping[str, Any] | None) -> SpentToday | None:
    """Read what a deferral has kept; another version of this package may have written it."""
    try:
        return None if stored is None else SpentToday.model_validate(stored)
    except ValidationError:
        return None


@dataclass(frozen=True)
class DayLimits:
    """The limits of the day that apply to a task, at one connection.

    Attributes:
        limits: the limits.
        price: the price of the model, with which the cost of requests is calculated.
        dag: the task's DAG, see `short_dag`.
    """

    limits: tuple[DayLimit, ...]
    price: CostLimit
    dag: str

    @classmethod
    def of(cls, settings: RunSettings, config: ClientConfig, dag_id: str, order: Order) -> DayLimits:
        """Return the limits of the connection and of the task, at least one of which has one.

        Raises:
            ConfigurationError: they cannot be checked, see `cost_limit`.
        """
        dag = short_dag(dag_id)
        given = ((config.max_cost_per_day, ""), (settings.max_cost_per_day, dag))
        limits = tuple(DayLimit(usd, of) for usd, of in given if usd is not None)
        return cls(limits, cost_limit(min(one.usd for one in limits), order, _NAME), dag)

    def whole(self, prepared: PreparedInput, became: str) -> Charge:
        """Return what requests may cost, for a task that only plans."""
        most = self.price.most(prepared)
        return Charge(
            self.limits, most.usd, requests=most.requests, arithmetic=most.arithmetic, became=became
        )


def check_listed(settings: RunSettings, config: ClientConfig) -> None:
    """Refuse immediate calls through a connection with a limit.

    Raises:
        ConfigurationError: the message names the setting.
    """
    if config.max_cost_per_day is not None and (why := why_not_listed(settings)):
        msg = (
            f"{_NAME}={config.max_cost_per_day:g} of the connection {settings.conn_id!r} cannot be checked: {why}, or "
            "use a connection without it. Nothing was sent."
        )
        raise ConfigurationError(msg)
