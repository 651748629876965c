"""One fallback: what its rounds send, in which tiers, and at what cost."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from airflow_provider_genai_batch.exceptions import ConfigurationError
from airflow_provider_genai_batch.flows.deadline import Deadline
from airflow_provider_genai_batch.models import BatchDestination
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.settings.fallback import Fallback
from airflow_provider_genai_batch.models.tier import Tier
from airflow_provider_genai_batch.task.checks.checks import keeps_media
from airflow_provider_genai_batch.task.cost.limit import CostLimit, cost_limit
from airflow_provider_genai_batch.task.cost.today import DayLimits
from airflow_provider_genai_batch.task.ready.rungs import FlexRung, PlainRung, Rung
from airflow_provider_genai_batch.task.settings.order import Order
from airflow_provider_genai_batch.task.shared import Shared
from airflow_provider_genai_batch.wire.catalog.limits import limits_of
from airflow_provider_genai_batch.wire.catalog.publishers import family_of
from airflow_provider_genai_batch.wire.catalog.tiers import check_tier

if TYPE_CHECKING:
    from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput


class Way:
    """One fallback: what its rounds send, in which tiers, and at what cost.

    Args:
        step: the fallback; or all fallbacks whose requests are sent as immediate calls, because they share a round.
        shared: what the parts of the attempt share, with the model and connection of this fallback and the fallbacks
            that follow it.

    Attributes:
        tiers: the tiers of its immediate calls, in order; empty if it submits jobs.
    """

    def __init__(self, step: list[Fallback], shared: Shared) -> None:
        self.shared = shared
        self.tiers = tuple(Tier(one.tier) for one in step if one.at_once)
        self._step = step

    def __str__(self) -> str:
        """Return the name that the log shows."""
        return "; ".join(map(str, self._step))

    @property
    def tier(self) -> Tier:
        """The tier of its first round."""
        return self.tiers[-1] if self.tiers else Tier.BATCH

    @cached_property
    def order(self) -> Order:
        """The parameters of its jobs and calls."""
        config = self.shared.client.config
        order = self.shared.settings.order(config)
        if self._step[0].conn_id is None or config.backend is not Backend.VERTEX:
            return order
        if config.staging_uri is None:
            msg = (
                f"the connection {self.shared.settings.conn_id!r} has no place for its input and rows: set "
                '"staging_uri" (gs://bucket/prefix/) in its extra.'
            )
            raise ConfigurationError(msg)
        place = f"{config.staging_uri.rstrip('/')}/output/"
        return replace(order, destination=BatchDestination(gcs_uri=place))

    @cached_property
    def limit(self) -> CostLimit | None:
        """The cost limit, at this model's prices; None if the task has no limit."""
        most = self.shared.settings.max_cost
        return None if most is None else cost_limit(most, self.order)

    @cached_property
    def day(self) -> DayLimits | None:
        """The limits of the day, of this fallback's connection too; None: there are none."""
        settings, config = self.shared.settings, self.shared.client.config
        if not settings.has_day_limit(config):
            return None
        return DayLimits.of(settings, config, self.shared.task.owner.dag_id, self.order)

    def check(self, own: Order) -> None:
        """Refuse a fallback whose requests could not be sent.

        Args:
            own: the parameters of the task itself.

        Raises:
            ConfigurationError, InputError: they could not.
        """
        order, location = self.order, self.shared.client.config.location
        for tier in self.tiers:
            check_tier(tier, order.model, order.backend, order.task, location)
        if order.task is not own.task:
            msg = f"it cannot answer the requests for {own.model}, because one of the two models makes embeddings."
            raise ConfigurationError(msg)
        if family_of(order.model) is not family_of(own.model):
            msg = f"{own.model} and {order.model} do not take the same requests."
            raise ConfigurationError(msg)
        _ = self.limit, self.day  # raises if a limit cannot be checked
        if order.backend is not own.backend and own.source.sql is not None:
            msg = "the rows of a query are read only once, in the form that the task's own service takes."
            raise ConfigurationError(msg)
        if order.backend is not own.backend:
            with self.read():
                pass  # reading raises now if the other service does not accept a request

    def read(self) -> AbstractContextManager[PreparedInput]:
        """Read the whole input in the form that this fallback's service takes."""
        return self.order.read(self.shared.client, keeps_media=keeps_media(self.shared.settings))

    def rest(
        self, prepared: PreparedInput, left: Callable[[PreparedInput], PreparedInput | None]
    ) -> PreparedInput | None:
        """Return the requests that this fallback sends; None if they are not known.

        Args:
            prepared: the whole input, in the form that the task's own service takes.
            left: returns the requests of a whole input that have no answer.
        """
        order = self.order
        if order.backend is not prepared.backend:
            prepared = prepared.stack.enter_context(self.read())
        rest = left(prepared)
        limits = limits_of(order.backend, order.task, order.model)
        return None if rest is None else replace(rest, limits=limits, in_place=False)

    def rungs(self) -> list[Rung]:
        """Return the steps from tier to tier; none if there is only one tier."""
        if len(self.tiers) == 1:
            return []
        return [FlexRung(Deadline(), self.shared.client.service_time), PlainRung(self.tiers[-1])]
