"""The operator that submits a job, waits for it and lands its rows."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowTaskTimeout, BaseOperator, conf

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.address import address
from airflow_provider_genai_batch.exceptions import ConfigurationError
from airflow_provider_genai_batch.hooks.borrow import DEFAULT_CONN_ID, borrowed_client, cancel_jobs
from airflow_provider_genai_batch.hooks.xcom import trust_models
from airflow_provider_genai_batch.links.genai_batch import GenAIBatchJobLink, GenAIBatchRowsLink
from airflow_provider_genai_batch.operators.built import check_order
from airflow_provider_genai_batch.operators.outcome import TellsOutcome
from airflow_provider_genai_batch.operators.templates import RendersAddresses
from airflow_provider_genai_batch.operators.unpaid import refusals
from airflow_provider_genai_batch.triggers.deferral import KeepsOverDeferrals

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_genai_batch.client import ClientConfig
    from airflow_provider_genai_batch.flows.watch import WaitPlan
    from airflow_provider_genai_batch.hooks.order import Order
    from airflow_provider_genai_batch.models import BatchJob
    from airflow_provider_genai_batch.models.base import Backend
    from airflow_provider_genai_batch.models.cancellation import Cancellation
    from airflow_provider_genai_batch.operators.errand import Errand

trust_models()


class GenAIBatchOperator(TellsOutcome, RendersAddresses, KeepsOverDeferrals, BaseOperator):
    """Run a batch job on the Gemini API or Vertex AI: submit it once, wait, land its rows, decide by them.

    Args:
        model: ``gemini-2.5-flash``, ``publishers/…``, ``projects/…/models/…``, ``tunedModels/…``. Embedding models
            make embedding jobs.
        src: ``gs://…`` (str or list), ``bq://p.d.t``, ``files/…``, a list of requests (str, dict in SDK or REST
            spelling, `BatchRequest`), an object-storage URI or local path of a JSONL file, or a dict / google-genai
            ``BatchJobSource``. Only addresses are templated, never requests. With `prompt`: rows, as a list of dicts or
            a path or URI of a ``.csv``, ``.jsonl`` (both also ``.gz``) or ``.parquet`` file. Any of these can also come
            from a callable, which Airflow calls with ``context`` and ``jinja_env``.
        prompt: makes a request of each row: a string with ``{column}`` in it, or a list of parts whose strings have
            it. ``{{`` and ``}}`` are braces. Jinja is not rendered in it.
        dest: where Vertex AI writes: ``gs://prefix/``, ``bq://p[.d[.t]]``, or a dict / ``BatchJobDestination``.
        config: what the SDK's ``batches.create(config=)`` takes; not beside the flat parameter of the same thing.
        request_defaults: fields of the SDK's ``GenerateContentConfig`` (or REST) for every request that this package
            writes; a request's own value wins.
        output_type: what answers are to be, a Pydantic model or another type: sent as the schema that is safe on batch
            endpoints with every request that this package writes, and every answer is checked against it.
        results_uri: where normalised rows land, ``….jsonl``, ``….jsonl.gz`` or ``….parquet``; None leaves them at the
            service.
        media_uri: a folder, in object storage or a path, where pictures and sound of answers are written as files while
            their rows land. Without it requests that ask for them are refused.
        ordered: land rows in the order of the input.
        display_name: the readable part of the job's name; None: DAG and task.
        labels: of the job on Vertex AI, beside those for DAG, task and run.
        priority: Gemini only: higher goes first; on Vertex AI it is not sent.
        webhook: Gemini only: an address, or the SDK's ``WebhookConfig``.
        conn_id: the Airflow connection.
        wait: False submits and returns.
        deferrable: wait on the triggerer; None asks ``[operators] default_deferrable``.
        poll_interval: seconds between looks; the first come sooner.
        timeout: seconds or timedelta from the job's creation; None: more than the service allows itself.
        pending_timeout: the same while the job is queued; None: no limit of its own.
        on_timeout: what becomes of the job at its deadline, ``cancel`` or ``leave``.
        max_failed_rows: count (int) or fraction (float up to 1.0) of rows that may fail.
        retry_failed_rows: how many further rounds may ask again for the rows that failed, each a job of those alone.
        max_rows_per_job: more requests become several jobs with one manifest; None: what the service takes in one.
        max_bytes_per_job: the same for the bytes of their JSONL.
        max_active_jobs: how many of them go on at a time.
        max_cost: USD that the task may cost with all its rounds: requests that may cost more are refused before they
            are uploaded. Needs the extra ``prices``.
        cancel_on_kill: cancel the job when the task is killed, cleared or marked by a user, or ``execution_timeout``
            ends it. A process that was only stopped cancels nothing.
        reattach: a retry takes up the job of the attempt before; False: it submits its own, and cancels what still
            runs of that attempt.

    Returns:
        The manifest (`models.Manifest`) as a dict of JSON.

    Raises:
        InputError, ConfigurationError: before anything is sent.
        CostLimitExceeded: requests may cost more than `max_cost` allows.
        JobError: one of its kinds, as the outcome table says.
    """

    template_fields: Sequence[str] = (
        "model",
        "src",
        "dest",
        "config",
        "request_defaults",
        "results_uri",
        "media_uri",
        "display_name",
        "labels",
        "webhook",
        "conn_id",
    )
    operator_extra_links = (GenAIBatchJobLink(), GenAIBatchRowsLink())
    ui_color = "#d2e3fc"

    def __init__(  # noqa: PLR0913 - one a setting; keyword-only
        self,
        *,
        model: str,
        src: Any,
        prompt: Any = None,
        dest: Any = None,
        config: Any = None,
        request_defaults: Any = None,
        output_type: Any = None,
        results_uri: Any = None,
        media_uri: Any = None,
        ordered: bool = False,
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
        retry_failed_rows: int = 0,
        max_rows_per_job: int | None = None,
        max_bytes_per_job: int | None = None,
        max_active_jobs: int = 10,
        max_cost: float | None = None,
        cancel_on_kill: bool = True,
        reattach: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.src = repeatable(src)
        self.prompt = prompt
        self.dest = dest
        self.config = config
        self.request_defaults = request_defaults
        self.output_type = output_type
        self.results_uri = address(results_uri)
        self.media_uri = address(media_uri)
        self.ordered = ordered
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
        self.retry_failed_rows = retry_failed_rows
        self.max_rows_per_job = max_rows_per_job
        self.max_bytes_per_job = max_bytes_per_job
        self.max_active_jobs = max_active_jobs
        self.max_cost = max_cost
        self.cancel_on_kill = cancel_on_kill
        self.reattach = reattach
        self.waiting_for: list[str] = []
        self.appear_until = 0.0
        self.killed = False
        self.links: dict[str, str] | None = None
        self._connection: ClientConfig | None = None
        self._running: Any = None
        check_order(self)

    def execute(self, context: Context) -> dict[str, Any]:
        """Come to the job, wait for it (or defer, or not), and settle."""
        from airflow_provider_genai_batch.flows.submit import Attempt

        self.begin()
        begun, again = clock.monotonic(), context["ti"].try_number > 1
        self.links = {}
        attempt = Attempt(look_first=again, reattach=self.reattach, begun=begun)
        with refusals(self, again=again), self._errand(context) as errand:
            return self.settled(context, lambda: errand.run(attempt))

    def execute_after_refusal(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Ask again after the service had no capacity, or the input could not be read. Nothing was created so far."""
        from airflow_provider_genai_batch.flows.submit import Attempt

        looked = bool(event.get("looked", True))
        attempt = Attempt(
            look_first=not looked and bool(event.get("look_first")),
            reattach=self.reattach,
            refusals=int(event.get("refusals") or 0),
            resumed=looked,
        )
        self.resumes(event)
        with self._errand(context) as errand:
            return self.settled(context, lambda: errand.resume(attempt, event))

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Settle after the trigger fired. All it needs is in the event, which every way to run a task hands on."""
        self.resumes(event)
        with self._errand(context) as errand:
            return self.settled(context, lambda: errand.complete(event))

    def lineage(self) -> Any:
        """Return where requests come from and rows go."""
        from airflow_provider_genai_batch.hooks.lineage import lineage_of_asking

        return lineage_of_asking(self, self.outcome)

    def on_kill(self) -> None:
        """Cancel the job that is waited for in place, or call its submission off.

        Airflow calls this in a signal handler and lets the task go on for some seconds, in which a create that is on
        its way may still be answered, and one that is not must not be sent.
        """
        self.killed = True
        self.cancel_unwanted()

    def cancel_unwanted(self) -> Mapping[str, Cancellation]:
        """Cancel what is waited for, if the task ran out of time or is not running any more for Airflow.

        The signal handler has interrupted whatever was under way, so no client is shared with it.

        Returns:
            What became of each job; empty where they were left alone.
        """
        from airflow_provider_genai_batch.client import GenAIBatchClient
        from airflow_provider_genai_batch.hooks.states import has_left

        if not (self.cancel_on_kill and self.waiting_for and self._connection):
            return {}
        out_of_time = isinstance(sys.exc_info()[1], AirflowTaskTimeout)
        if not out_of_time and not has_left(self._running, "running"):
            self.log.info("The task was stopped, and nobody ended it: %s is left alone.", self.waiting_for)
            return {}
        with GenAIBatchClient(self._connection) as client:
            return cancel_jobs(client, self.waiting_for, self.appear_until)

    @contextmanager
    def _errand(self, context: Context) -> Iterator[Errand]:
        from airflow_provider_genai_batch.operators.errand import Errand

        with borrowed_client(self.conn_id) as client:
            self._connection, self._running = client.config, context["ti"]
            self._service_time = client.service_time
            yield Errand(self, context, client)

    def order(self, connection: ClientConfig) -> Order:
        """Read what is asked."""
        from airflow_provider_genai_batch.hooks.order import read_order

        return read_order(
            connection,
            model=self.model,
            src=self.src,
            prompt=self.prompt,
            output_type=self.output_type,
            dest=self.dest,
            config=self.config,
            request_defaults=self.request_defaults,
            display_name=self.display_name,
            labels=self.labels,
            webhook=self.webhook,
            priority=self.priority,
            results_uri=self.results_uri,
        )

    def plan(self, job: BatchJob, *, now: float, taken_up: bool = False) -> WaitPlan:
        """Read how a job is waited for; its time runs from its creation, whichever attempt that was in.

        Args:
            job: the job.
            now: seconds since the epoch by the service's clock, which has told the job's creation too.
            taken_up: it is of an earlier attempt.
        """
        from airflow_provider_genai_batch.flows.watch import WaitPlan

        begun = job.create_time.timestamp() if job.create_time else now
        deadline = begun + self.budget(job.backend)
        pending = deadline if self.pending_timeout is None else begun + _seconds(self.pending_timeout)
        return WaitPlan(
            _seconds(self.poll_interval),
            deadline,
            pending,
            cancel_on_timeout=self.on_timeout == "cancel",
            late=taken_up and deadline <= now,
        )

    def budget(self, backend: Backend) -> float:
        """Seconds for the whole job: by default more than the service gives itself, so that it ends the job."""
        from airflow_provider_genai_batch.flows.watch import BUDGET

        return BUDGET[backend] if self.timeout is None else _seconds(self.timeout)


def repeatable(src: Any) -> Any:
    """Refuse an iterator in a DAG file.

    Raises:
        ConfigurationError: it is one.
    """
    if isinstance(src, Iterator):
        msg = (
            f"src is a {type(src).__name__}, which can be read once, and is another object at each parse of the DAG "
            "file: Airflow would make a new version of the DAG each time, and a retry would find nothing to ask. Give "
            "a list, the function that makes it (src=make, called with context and jinja_env), or "
            "@task.genai_batch."
        )
        raise ConfigurationError(msg)
    return src


def _seconds(value: float | timedelta) -> float:
    return value.total_seconds() if isinstance(value, timedelta) else float(value)
