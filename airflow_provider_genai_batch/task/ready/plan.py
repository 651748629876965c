"""``ready_by`` of one attempt: its moment, its tiers, and how long immediate calls for the rest would take."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from airflow_provider_genai_batch.client import ClientConfig, GenAIBatchClient
from airflow_provider_genai_batch.exceptions import ConfigurationError
from airflow_provider_genai_batch.flows.deadline import (
    TYPICAL_OUTPUT,
    Deadline,
    expected_rate,
    landing_seconds,
)
from airflow_provider_genai_batch.models import Usage
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.models.settings.ready_by import ReadyBy, RunTimes, moment_of
from airflow_provider_genai_batch.models.tier import Tier
from airflow_provider_genai_batch.requests.token_estimate import TokenEstimate
from airflow_provider_genai_batch.task.cost.prices import price_of
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.task.inputs.unreadable import refuse_unreadable
from airflow_provider_genai_batch.task.ready.expiry import refuse_expiring
from airflow_provider_genai_batch.task.ready.extra_cost import ExtraCost
from airflow_provider_genai_batch.task.ready.past import past
from airflow_provider_genai_batch.task.ready.rungs import FlexRung, LastRung, Rung
from airflow_provider_genai_batch.task.ready.tiers import tiers_of
from airflow_provider_genai_batch.task.settings.order import Order
from airflow_provider_genai_batch.wire.catalog.model_names import read_model
from airflow_provider_genai_batch.wire.catalog.publishers import task_of

_SAMPLE = 200


@dataclass(frozen=True)
class ReadyPlan:
    """How an attempt keeps its deadline.

    Attributes:
        ready_by: the parameter.
        at: the deadline, in seconds since the epoch.
        tiers: the tiers to use instead of jobs, in order.
        order: the job's parameters, with the model for those tiers.
    """

    ready_by: ReadyBy
    at: float
    tiers: tuple[Tier, ...]
    order: Order

    @classmethod
    def of(cls, value: Any, order: Order, config: ClientConfig, run: RunTimes) -> ReadyPlan | None:
        """Read the setting; None: there is no deadline.

        Args:
            value: the value of ``ready_by``.
            order: the job's parameters.
            config: configuration of the connection.
            run: the times of the run.

        Raises:
            ConfigurationError, UnsupportedError: the deadline cannot be kept; nothing was sent.
        """
        ready_by = ReadyBy.of(value)
        at = None if ready_by is None else moment_of(ready_by, run)
        if ready_by is None or at is None:
            return None
        refuse_unreadable(order.source, "ready_by")
        tiers = tiers_of(ready_by, order.model, config.backend, config.location)
        if ready_by.model is not None:
            order = _with_model(order, read_model(ready_by.model, config.backend))
        plan = cls(ready_by, at, tiers, order)
        plan.extra_cost()  # a limit that cannot be counted is refused before anything else
        return plan

    def refuse_past(self, now: float) -> None:
        """Refuse a deadline that has passed before anything was submitted.

        Raises:
            ConfigurationError: it has passed.
        """
        if now >= self.at:
            raise past(self.at)

    def deadline(self, prepared: PreparedInput, client: GenAIBatchClient, *, begins: bool) -> Deadline:
        """Return the deadline, from which the moment of the switch is computed.

        Args:
            prepared: the whole input.
            client: the client of the task's connection.
            begins: whether the run has submitted nothing yet.

        Raises:
            ConfigurationError: a file of the requests expires before the deadline.
        """
        now = client.service_time()
        if begins:
            refuse_expiring(client, prepared, self.at)
        requests = prepared.requests or 0
        return Deadline(
            at=self.at,
            rate=self._rate(prepared),
            requests=requests,
            landing=landing_seconds(requests),
            flex=len(self.tiers) > 1,
            late=now >= self.at,
        )

    def rungs(self, deadline: Deadline, clock: Callable[[], float]) -> Sequence[Rung]:
        """Return the ladder of tiers for the rest."""
        last, extra = self.tiers[-1], self.extra_cost()
        until = math.inf if deadline.late else self.at
        too_dear = extra.add if extra is not None and last is Tier.STANDARD else None
        rungs: list[Rung] = [LastRung(last, until, clock, too_dear)]
        if len(self.tiers) > 1 and clock() < deadline.latest(deadline.requests):
            rungs.insert(0, FlexRung(deadline, clock))
        return rungs

    def extra_cost(self) -> ExtraCost | None:
        """Return a new sum of the cost above batch price; None: there is no limit."""
        most = self.ready_by.max_extra_cost
        return None if most is None else ExtraCost.of(most, self.order.model)

    def _rate(self, prepared: PreparedInput) -> float:
        """Estimate the requests answered per second, from the first requests."""
        tokens = TokenEstimate().add(
            islice(prepared.parsed_requests(), _SAMPLE), answers=self.order.task is Task.GENERATE
        )
        number = max(1, tokens.requests)
        asked, answered = tokens.input / number, min(tokens.output / number, TYPICAL_OUTPUT)
        price = price_of(self.order.model, tier=self.tiers[-1])
        usage = Usage(input=math.ceil(asked), output=math.ceil(answered))
        vertex_flex = self.order.backend is Backend.VERTEX and self.tiers == (Tier.FLEX,)
        usd = None if price is None else float(price.short.cost(usage))
        return expected_rate(asked, answered, usd=usd, vertex_flex_only=vertex_flex)


def _with_model(order: Order, model: str) -> Order:
    if task_of(model) is not task_of(order.model):
        msg = f"ready_by: model={model!r} cannot answer what {order.model} is asked: one of them makes embeddings."
        raise ConfigurationError(msg)
    return replace(order, model=model)
