"""The operator that submits a job, waits for it and lands its rows."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator, conf

from airflow_provider_genai_batch.hooks.borrow import DEFAULT_CONN_ID, borrowed_client, cancel_jobs
from airflow_provider_genai_batch.operators.templates import render_addresses

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_genai_batch.client import ClientConfig, GenAIBatchClient
    from airflow_provider_genai_batch.flows.settle import SubmitAnew
    from airflow_provider_genai_batch.flows.steps import AwaitCapacity
    from airflow_provider_genai_batch.flows.submit import Attempt, Found
    from airflow_provider_genai_batch.flows.watch import WaitPlan
    from airflow_provider_genai_batch.hooks.intake import Intake
    from airflow_provider_genai_batch.hooks.jobs import Asked, JobDesk, Landing
    from airflow_provider_genai_batch.hooks.order import Order
    from airflow_provider_genai_batch.models import BatchJob

_HOUR = 3600.0


class GenAIBatchOperator(BaseOperator):
    """Run a batch job on the Gemini API or Vertex AI: submit it once, wait, land its rows, decide by them.

    Args:
        model: ``gemini-2.5-flash``, ``publishers/…``, ``projects/…/models/…``, ``tunedModels/…``. Embedding models
            make embedding jobs.
        src: ``gs://…`` (str or list), ``bq://p.d.t``, ``files/…``, a list of requests (str, dict in SDK or REST
            spelling, `BatchRequest`), an object-storage URI or local path of a JSONL file, or a dict / google-genai
            ``BatchJobSource``. Only addresses are templated, never requests.
        dest: where Vertex AI writes: ``gs://prefix/``, ``bq://p[.d[.t]]``, or a dict / ``BatchJobDestination``.
        config: what the SDK's ``batches.create(config=)`` takes; not beside the flat parameter of the same thing.
        request_defaults: fields of the SDK's ``GenerateContentConfig`` (or REST) for every request that this package
            writes; a request's own value wins.
        results_uri: where normalised rows land, ``….jsonl`` or ``….jsonl.gz``; None leaves them at the service.
        display_name, labels, priority, webhook: passed on where the service has them.
        conn_id: the Airflow connection.
        wait: False submits and returns.
        deferrable: wait on the triggerer; None asks ``[operators] default_deferrable``.
        poll_interval: seconds between looks; the first come sooner.
        timeout: seconds or timedelta from the job's creation; None: more than the service allows itself.
        pending_timeout: the same while the job is queued; None: no limit of its own.
        on_timeout: ``cancel`` or ``leave``.
        max_failed_rows: count (int) or fraction (float up to 1.0) of rows that may fail.
        cancel_on_kill: cancel the job when the task is killed.
        reattach: look for a job of an earlier attempt before creating one.

    Returns:
        The manifest (`models.Manifest`) as a dict of JSON.

    Raises:
        InputError, ConfigurationError: before anything is sent.
        JobError: one of its kinds, as the outcome table says.
    """

    template_fields: Sequence[str] = (
        "model",
        "src",
        "dest",
        "config",
        "request_defaults",
        "results_uri",
        "display_name",
        "labels",
        "webhook",
        "conn_id",
    )
    ui_color = "#d2e3fc"

    def __init__(  # noqa: PLR0913 - one a setting; keyword-only
        self,
        *,
        model: str,
        src: Any,
        dest: Any = None,
        config: Any = None,
        request_defaults: Any = None,
        results_uri: str | None = None,
        display_name: str | None = None,
        labels: Mapping[str, str] | None = None,
        priority: int | None = None,
        webhook: Any = None,
        conn_id: str = DEFAULT_CONN_ID,
        wait: bool = True,
        deferrable: bool | None = None,
        poll_interval: float = 60,
        timeout: float | timedelta | None = None,
        pending_timeout: float | timedelta | None = None,
        on_timeout: str = "cancel",
        max_failed_rows: float = 0,
        cancel_on_kill: bool = True,
        reattach: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.src = src
        self.dest = dest
        self.config = config
        self.request_defaults = request_defaults
        self.results_uri = results_uri
        self.display_name = display_name
        self.labels = labels
        self.priority = priority
        self.webhook = webhook
        self.conn_id = conn_id
        self.wait = wait
        self.deferrable = (
            conf.getboolean("operators", "default_deferrable", fallback=False)
            if deferrable is None
            else deferrable
        )
        self.poll_interval = poll_interval
        self.timeout = timeout
        self.pending_timeout = pending_timeout
        self.on_timeout = on_timeout
        self.max_failed_rows = max_failed_rows
        self.cancel_on_kill = cancel_on_kill
        self.reattach = reattach
        self._connection: ClientConfig | None = None
        self._waiting_for: list[str] = []
        self._killed = False

    def render_template(self, content: Any, context: Context, *args: Any, **kwargs: Any) -> Any:
        """Render as Airflow does, but leave requests alone: they are data, and may hold anything."""
        render = super().render_template
        if content is self.src and isinstance(content, (list, tuple, dict)):
            return render_addresses(content, lambda value: render(value, context, *args, **kwargs))
        return render(content, context, *args, **kwargs)

    def execute(self, context: Context) -> dict[str, Any]:
        """Come to the job, wait for it (or defer, or not), and settle."""
        from airflow_provider_genai_batch.flows.submit import Attempt

        again = context["ti"].try_number > 1
        return self._attempt(context, Attempt(look_first=again, reattach=self.reattach))

    def execute_after_refusal(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Ask again after the service had no capacity. This attempt has looked already, and created nothing."""
        from airflow_provider_genai_batch.flows.submit import Attempt

        attempt = Attempt(reattach=self.reattach, before=event["before"], refusals=event["refusals"])
        return self._attempt(context, attempt, event["deadline"])

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Settle after the trigger fired. All it needs is in the event, which every way to run a task hands on."""
        from airflow_provider_genai_batch.flows.settle import SubmitAnew
        from airflow_provider_genai_batch.flows.watch import Ending
        from airflow_provider_genai_batch.hooks.jobs import Asked, JobDesk

        memo, names = event["memo"], event["job_names"]
        with borrowed_client(self.conn_id) as client:
            landing = self._landing(client, Asked(**memo["asked"]))
            try:
                manifest = JobDesk(client).settle(
                    Ending.from_dict(event), names, landing, taken_up=memo["taken_up"]
                )
            except SubmitAnew as useless:
                attempt = self._without(useless, memo["before"])
            else:
                return manifest.model_dump(mode="json")
        return self._attempt(context, attempt)

    def on_kill(self) -> None:
        """Cancel the job that is waited for in place, or call its submission off.

        Airflow calls this in a signal handler and lets the task go on for some seconds, in which a create that is on
        its way may still be answered, and one that is not must not be sent. The handler has interrupted whatever was
        under way, so it shares neither the client nor Airflow's line to its supervisor with it.
        """
        from airflow_provider_genai_batch.client import GenAIBatchClient

        self._killed = True
        if self.cancel_on_kill and self._waiting_for and self._connection:
            with GenAIBatchClient(self._connection) as client:
                cancel_jobs(client, self._waiting_for)

    def _attempt(self, context: Context, attempt: Attempt, deadline: float | None = None) -> dict[str, Any]:
        """Submit, wait and settle, until there is a job of use."""
        from airflow_provider_genai_batch.flows.describe import describe
        from airflow_provider_genai_batch.flows.settle import SubmitAnew
        from airflow_provider_genai_batch.flows.watch import Ending, Why
        from airflow_provider_genai_batch.hooks.files import check_place
        from airflow_provider_genai_batch.hooks.intake import take_in
        from airflow_provider_genai_batch.hooks.jobs import Asked, JobDesk
        from airflow_provider_genai_batch.hooks.settings import check_order_settings

        check_order_settings(self)
        with borrowed_client(self.conn_id) as client:
            self._connection = client.config
            order, desk = self._order(client.config), JobDesk(client)
            if self.results_uri is not None:
                check_place(self.results_uri, client)
            until = deadline or time.time() + self._budget(order.backend.value)
            while True:
                with take_in(
                    client, order.source, model=order.model, request_defaults=order.request_defaults
                ) as intake:
                    found = self._submit(context, client, desk, order, intake, attempt, until)
                    asked = Asked.of(intake)
                job = found.job
                self._waiting_for = [job.name]
                self._stop_if_killed(client, job)
                if not self.wait:
                    return describe([job]).model_dump(mode="json")
                plan = self._plan(job)
                if job.done:
                    ending = Ending(Why.ENDED, {job.name: job.raw_state})
                elif self.deferrable:
                    memo = {"asked": asdict(asked), "taken_up": found.taken_up, "before": [*attempt.before]}
                    self._defer([job.name], plan, memo)
                else:
                    ending = desk.wait([job.name], plan)
                self._waiting_for = []
                try:
                    landing = self._landing(client, asked)
                    manifest = desk.settle(ending, [job.name], landing, taken_up=found.taken_up)
                except SubmitAnew as useless:
                    attempt = self._without(useless, attempt.before)
                else:
                    return manifest.model_dump(mode="json")

    def _without(self, useless: SubmitAnew, before: Iterable[str]) -> Attempt:
        from airflow_provider_genai_batch.flows.submit import Attempt

        self.log.warning("%s; submitting a new job.", useless)
        return Attempt(look_first=True, reattach=self.reattach, before=(*before, *useless.job_names))

    def _stop_if_killed(self, client: GenAIBatchClient, job: BatchJob) -> None:
        from airflow_provider_genai_batch.exceptions import JobCancelled

        if self._killed and self.cancel_on_kill:
            cancel_jobs(client, [job.name])
            msg = f"The task was killed while it submitted job {job.name}; its cancellation was asked for."
            raise JobCancelled(msg, job_names=[job.name])

    def _order(self, connection: ClientConfig) -> Order:
        from airflow_provider_genai_batch.hooks.order import read_order

        return read_order(
            connection,
            model=self.model,
            src=self.src,
            dest=self.dest,
            config=self.config,
            request_defaults=self.request_defaults,
            display_name=self.display_name,
            labels=self.labels,
            webhook=self.webhook,
            priority=self.priority,
            results_uri=self.results_uri,
        )

    def _submit(
        self,
        context: Context,
        client: GenAIBatchClient,
        desk: JobDesk,
        order: Order,
        intake: Intake,
        attempt: Attempt,
        deadline: float,
    ) -> Found:
        from airflow_provider_genai_batch.flows.identity import Identity, as_label, task_key
        from airflow_provider_genai_batch.hooks.intake import staging_place
        from airflow_provider_genai_batch.hooks.records import Records

        ti: Any = context["ti"]
        identity = Identity(
            task_key(ti.dag_id, ti.task_id, ti.run_id, ti.map_index),
            order.fingerprint(client.config, self.conn_id, intake),
        )
        readable = f"{ti.dag_id}.{ti.task_id}"
        airflow = {
            "airflow_dag": as_label(ti.dag_id),
            "airflow_task": as_label(ti.task_id),
            "airflow_run": as_label(ti.run_id),
        }

        def spec() -> Any:
            placed = intake.place(client, identity, staging_place(client, order.destination))
            return order.spec(identity, readable, intake, placed, airflow)

        def await_capacity(step: AwaitCapacity) -> None:
            if self.deferrable:
                self._defer_for_capacity(step, deadline)
            time.sleep(step.seconds)

        return desk.submit(
            identity,
            spec,
            replace(attempt, since=_begin(context)),
            display_name=identity.display_name(order.display_name or readable),
            records=Records(context),
            wanted=lambda: not self._killed,
            deadline=deadline,
            await_capacity=await_capacity,
        )

    def _plan(self, job: BatchJob) -> WaitPlan:
        from airflow_provider_genai_batch.flows.watch import WaitPlan

        begun = job.create_time.timestamp() if job.create_time else time.time()
        deadline = begun + self._budget(job.backend.value)
        pending = deadline if self.pending_timeout is None else begun + _seconds(self.pending_timeout)
        return WaitPlan(
            _seconds(self.poll_interval), deadline, pending, cancel_on_timeout=self.on_timeout == "cancel"
        )

    def _budget(self, backend: str) -> float:
        """Seconds for the whole job: by default more than the service gives itself, so that it ends the job."""
        if self.timeout is not None:
            return _seconds(self.timeout)
        return 50 * _HOUR if backend == "gemini" else 98 * _HOUR

    def _defer(self, names: list[str], plan: WaitPlan, memo: dict[str, Any]) -> None:
        from airflow_provider_genai_batch.triggers.genai_batch import GenAIBatchTrigger

        trigger = GenAIBatchTrigger(
            self.conn_id, names, plan.as_dict(), memo, cancel_on_kill=self.cancel_on_kill
        )
        self.defer(trigger=trigger, method_name="execute_complete")

    def _defer_for_capacity(self, step: AwaitCapacity, deadline: float) -> None:
        from airflow_provider_genai_batch.triggers.capacity import GenAIBatchCapacityTrigger

        memo = {"before": [*step.before], "refusals": step.refusals, "deadline": deadline}
        trigger = GenAIBatchCapacityTrigger(time.time() + step.seconds, memo)
        self.defer(trigger=trigger, method_name="execute_after_refusal")

    def _landing(self, client: GenAIBatchClient, asked: Asked) -> Landing:
        from airflow_provider_genai_batch.hooks.jobs import Landing

        return Landing(
            results_uri=self.results_uri,
            max_failed_rows=self.max_failed_rows,
            asked=asked,
            keys=lambda: self._keys(client, asked),
        )

    def _keys(self, client: GenAIBatchClient, asked: Asked) -> list[str] | None:
        from airflow_provider_genai_batch.hooks.intake import keys_of

        return keys_of(client, lambda: self._order(client.config), asked.key_sum)


def _begin(context: Context) -> float | None:
    """Give a moment before which no task of this run can have begun, in seconds since the epoch."""
    run: Any = context["dag_run"]
    begin = getattr(run, "run_after", None) or getattr(run, "data_interval_end", None)
    return begin.timestamp() if begin else None


def _seconds(value: float | timedelta) -> float:
    return value.total_seconds() if isinstance(value, timedelta) else float(value)
