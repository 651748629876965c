"""Estimates what the requests of a file would cost.

It plans as the operator does, and leaves out requests that need not be submitted.
"""

from __future__ import annotations

from argparse import Namespace
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.exceptions import ConfigurationError
from airflow_provider_genai_batch.flows.queue import Usual, queue_times
from airflow_provider_genai_batch.models import Plan, Reuse
from airflow_provider_genai_batch.models.jobs.identity import Identity
from airflow_provider_genai_batch.printable import number_of
from airflow_provider_genai_batch.task.attempt_input import wanted_of
from airflow_provider_genai_batch.task.cost.plan import cannot_plan, make_plan
from airflow_provider_genai_batch.task.cost.prices import is_installed
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.task.inputs.read import read_input
from airflow_provider_genai_batch.task.jobs.finder import JobFinder
from airflow_provider_genai_batch.task.jobs.watcher import JobWatcher
from airflow_provider_genai_batch.task.reuse.at_hand import AtHand
from airflow_provider_genai_batch.task.reuse.prepare import Search
from airflow_provider_genai_batch.task.settings.job_names import read_manifest
from airflow_provider_genai_batch.task.settings.settings import RunSettings
from airflow_provider_genai_batch.wire.tables.sql import is_table

_NOBODY = Identity("0" * 64, "0" * 64)
"""A placeholder for the owner of the input, which does not matter here because nothing is kept."""
_LATELY = 7 * 24 * 3600
"""How far back to look for ended jobs, in seconds."""


@dataclass(frozen=True)
class Estimate:
    """The facts about requests that are known before they are submitted."""

    plan: Plan
    equal: int | None
    """How many requests are equal to another one; None: the requests have no keys."""
    usual: Usual | None
    """How long recent jobs of the model took; None: the connection has too few ended jobs of it, or no list."""
    listed: bool
    """Whether the service listed its jobs."""

    def as_dict(self) -> dict[str, Any]:
        """Return the estimate as JSON."""
        usual = self.usual and {"p50": self.usual.p50, "p90": self.usual.p90, "jobs": self.usual.n}
        return {**self.plan.model_dump(mode="json"), "equal": self.equal, "usual_seconds": usual}

    def lines(self) -> dict[str, Any]:
        """Return the estimate as lines of a table."""
        plan = self.plan
        fields: dict[str, Any] = {"requests to submit": plan.requests, "jobs": plan.jobs}
        if plan.reused is not None:
            fields["answered before"] = plan.reused
        if plan.same:
            fields["equal to another, not submitted"] = plan.same
        elif self.equal:
            fields["equal to another"] = f"{self.equal}, which --dedupe would leave out"
        how = (
            f"countTokens on {number_of(plan.counted, 'request')}"
            if plan.counted
            else f"estimated from the text of {number_of(plan.looked_at, 'request')}"
        )
        if plan.requests:
            fields["input tokens"] = f"{plan.input_tokens} ({how})"
            fields["output tokens"] = f"up to {plan.output_tokens}"
        fields |= {f"cost as {tier}": str(cost) for tier, cost in plan.cost.items()}
        if plan.requests:
            fields["price list"] = plan.source or _why_unpriced()
        if plan.unbounded:
            fields["without maxOutputTokens"] = number_of(plan.unbounded, "request")
        if plan.requests:
            why = (
                "too few jobs of this model have ended here recently"
                if self.listed
                else "jobs cannot be listed"
            )
            fields["time of a job"] = (self.usual and self.usual.words) or f"not known: {why}"
        return fields


def estimate(client: GenAIBatchClient, args: Namespace, request_defaults: Any, output_type: Any) -> Estimate:
    """Plan the requests of a file.

    Args:
        client: the client of the connection.
        args: the arguments of the command.
        request_defaults: fields of every request.
        output_type: the type of the answers.

    Raises:
        InputError, ConfigurationError: the requests cannot be submitted, or cannot be planned here, or earlier results
            cannot be read.
    """
    if is_table(args.file) and args.prompt is not None:
        msg = (
            f"{args.file} is a table, and this command reads files. Nothing was sent. Give the task that classifies it "
            "plan_only=True: BigQuery counts its rows."
        )
        raise ConfigurationError(msg)
    settings = RunSettings(
        conn_id=args.conn_id,
        model=args.model,
        source=lambda: args.file,
        prompt=args.prompt,
        request_defaults=request_defaults,
        output_type=output_type,
    )
    order = settings.order(client.config)
    given = {"model": order.model, "request_defaults": order.request_defaults, "prompt": order.prompt}
    with (
        ExitStack() as stack,
        read_input(client, order.source, **given, several_jobs=True, with_ledger=True) as prepared,
    ):
        at_hand = _at_hand(client, args, settings, prepared, stack)
        rest = prepared if at_hand is None else at_hand.rest(prepared)
        plan = None if rest is None else make_plan(client, order, rest, count=True)
        if rest is not None and plan is None:
            raise cannot_plan(order.source)
        if at_hand is not None and (args.reuse or args.dedupe):
            plan = at_hand.in_plan(plan)
        assert plan is not None  # noqa: S101 - if nothing needs to be submitted, in_plan makes one
        equal = None if at_hand is None else at_hand.find_equal()
    jobs = JobFinder(JobWatcher(client)).recent_jobs(_LATELY)
    return Estimate(plan, equal, queue_times(jobs or (), order.model), jobs is not None)


def _at_hand(
    client: GenAIBatchClient,
    args: Namespace,
    settings: RunSettings,
    prepared: PreparedInput,
    stack: ExitStack,
) -> AtHand | None:
    """Find the requests that need not be submitted; None: no option asks for that, and these have no readable keys."""
    if not (args.reuse or args.dedupe or (prepared.readable and prepared.keyed)):
        return None
    search = Search(
        "",
        Reuse(args.reuse, missing_ok=False) if args.reuse else None,
        args.dedupe,
        wanted_of(settings),
        manifest=lambda: None,
        read_manifest=read_manifest,
        keep=False,
    )
    return search.begin(client, prepared, _NOBODY, stack)


def _why_unpriced() -> str:
    if is_installed():
        return "it does not have this model; a newer genai-prices may have it"
    return 'none: install the extra "prices"'
