"""What one attempt of a task does: come to its job, wait for it, and settle. Loaded when the task runs."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.exceptions import JobCancelled
from airflow_provider_genai_batch.flows.describe import describe
from airflow_provider_genai_batch.flows.identity import Identity, as_label, task_key
from airflow_provider_genai_batch.flows.settle import SubmitAnew
from airflow_provider_genai_batch.flows.steps import AwaitCapacity
from airflow_provider_genai_batch.flows.submit import Attempt, Found
from airflow_provider_genai_batch.flows.watch import Ending, Why
from airflow_provider_genai_batch.hooks.files import check_place
from airflow_provider_genai_batch.hooks.intake import keys_of, staging_place, take_in
from airflow_provider_genai_batch.hooks.jobs import JobDesk
from airflow_provider_genai_batch.hooks.landing import Asked, Landing
from airflow_provider_genai_batch.hooks.records import Records
from airflow_provider_genai_batch.hooks.settings import check_order_settings
from airflow_provider_genai_batch.models import BatchJob, JobState
from airflow_provider_genai_batch.triggers.capacity import GenAIBatchCapacityTrigger
from airflow_provider_genai_batch.triggers.genai_batch import GenAIBatchTrigger

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_genai_batch.flows.watch import WaitPlan
    from airflow_provider_genai_batch.hooks.intake import Intake
    from airflow_provider_genai_batch.hooks.order import Order
    from airflow_provider_genai_batch.operators.submit import GenAIBatchOperator

log = logging.getLogger(__name__)


class Errand:
    """One attempt, or the part of it before or after a deferral.

    Args:
        task: what is wanted.
        context: Airflow's.
        client: of the task's connection.
    """

    def __init__(self, task: GenAIBatchOperator, context: Context, client: GenAIBatchClient) -> None:
        self._task, self._context, self._client = task, context, client
        self._desk = JobDesk(client)

    def run(self, attempt: Attempt, deadline: float | None = None) -> dict[str, Any]:
        """Submit, wait and settle, until there is a job of use.

        Args:
            attempt: what is known beforehand.
            deadline: of the waiting for capacity, in seconds since the epoch, if that has begun.

        Returns:
            The manifest as JSON.
        """
        check_order_settings(self._task)
        order = self._task.order(self._client.config)
        if self._task.results_uri is not None:
            check_place(self._task.results_uri, self._client)
        until = deadline or time.time() + self._task.budget(order.backend.value)
        while True:
            try:
                return self._once(order, attempt, until)
            except SubmitAnew as useless:
                attempt = self._without(useless, attempt.before)

    def complete(self, event: dict[str, Any]) -> dict[str, Any]:
        """Settle after a deferral; see `run`."""
        memo = event["memo"]
        try:
            return self._settle(
                Ending.from_dict(event), event["job_names"], Asked(**memo["asked"]), taken_up=memo["taken_up"]
            )
        except SubmitAnew as useless:
            return self.run(self._without(useless, memo["before"]))

    def _once(self, order: Order, attempt: Attempt, until: float) -> dict[str, Any]:
        task = self._task
        with take_in(
            self._client, order.source, model=order.model, request_defaults=order.request_defaults
        ) as intake:
            found = self._submit(order, intake, attempt, until)
            asked = Asked.of(intake)
        job = found.job
        task.waiting_for = [job.name]
        self._stop_if_killed(job)
        if not task.wait:
            if found.taken_up and job.state in (JobState.CANCELLING, JobState.CANCELLED):
                self._desk.wait([job.name], replace(task.plan(job), cancel_on_timeout=False))
                raise SubmitAnew([job.name])
            return describe([job]).model_dump(mode="json")
        plan = task.plan(job, taken_up=found.taken_up)
        if job.done:
            ending = Ending(Why.ENDED, {job.name: job.raw_state})
        elif task.deferrable:
            self._defer(found, plan, asked, attempt.before)
        else:
            ending = self._desk.wait([job.name], plan)
        task.waiting_for = []
        return self._settle(ending, [job.name], asked, taken_up=found.taken_up)

    def _submit(self, order: Order, intake: Intake, attempt: Attempt, until: float) -> Found:
        ti: Any = self._context["ti"]
        identity = Identity(
            task_key(ti.dag_id, ti.task_id, ti.run_id, ti.map_index),
            order.fingerprint(self._client.config, self._task.conn_id, intake),
        )
        readable = f"{ti.dag_id}.{ti.task_id}"
        airflow = {
            "airflow_dag": as_label(ti.dag_id),
            "airflow_task": as_label(ti.task_id),
            "airflow_run": as_label(ti.run_id),
        }

        def spec() -> Any:
            placed = intake.place(self._client, identity, staging_place(self._client, order.destination))
            return order.spec(identity, readable, intake, placed, airflow)

        def await_capacity(step: AwaitCapacity) -> None:
            if self._task.deferrable:
                self._defer_for_capacity(step, until)
            time.sleep(step.seconds)

        return self._desk.submit(
            identity,
            spec,
            replace(attempt, since=_begin(self._context)),
            display_name=identity.display_name(order.display_name or readable),
            records=Records(self._context),
            wanted=lambda: not self._task.killed,
            deadline=until,
            await_capacity=await_capacity,
        )

    def _settle(self, ending: Ending, names: list[str], asked: Asked, *, taken_up: bool) -> dict[str, Any]:
        task, client = self._task, self._client
        landing = Landing(
            results_uri=task.results_uri,
            max_failed_rows=task.max_failed_rows,
            asked=asked,
            keys=lambda: keys_of(client, lambda: task.order(client.config), asked.key_sum),
        )
        return self._desk.settle(ending, names, landing, taken_up=taken_up).model_dump(mode="json")

    def _without(self, useless: SubmitAnew, before: Iterable[str]) -> Attempt:
        log.warning("%s; submitting a new job.", useless)
        return Attempt(look_first=True, reattach=self._task.reattach, before=(*before, *useless.job_names))

    def _stop_if_killed(self, job: BatchJob) -> None:
        if self._task.killed and self._task.cancel_unwanted():
            msg = f"The task was killed while it submitted job {job.name}; its cancellation was asked for."
            raise JobCancelled(msg, job_names=[job.name])

    def _defer(self, found: Found, plan: WaitPlan, asked: Asked, before: Iterable[str]) -> None:
        memo = {"asked": asdict(asked), "taken_up": found.taken_up, "before": [*before]}
        trigger = GenAIBatchTrigger(
            self._task.conn_id,
            [found.job.name],
            plan.as_dict(),
            memo,
            cancel_on_kill=self._task.cancel_on_kill,
        )
        self._task.defer(trigger=trigger, method_name="execute_complete")

    def _defer_for_capacity(self, step: AwaitCapacity, until: float) -> None:
        memo = {"before": [*step.before], "refusals": step.refusals, "deadline": until}
        trigger = GenAIBatchCapacityTrigger(time.time() + step.seconds, memo)
        self._task.defer(trigger=trigger, method_name="execute_after_refusal")


def _begin(context: Context) -> float | None:
    """Give a moment before which no task of this run can have begun, in seconds since the epoch."""
    run: Any = context["dag_run"]
    begin = getattr(run, "run_after", None) or getattr(run, "data_interval_end", None)
    return begin.timestamp() if begin else None
