"""The operator that submits a job, waits for it and lands its rows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import BaseOperator, conf

from airflow_provider_genai_batch.address import address
from airflow_provider_genai_batch.exceptions import ApprovalRejected, ConfigurationError
from airflow_provider_genai_batch.hooks.genai_batch import DEFAULT_CONN_ID, open_client
from airflow_provider_genai_batch.hooks.xcom import trust_models
from airflow_provider_genai_batch.links.genai_batch import GenAIBatchJobLink, GenAIBatchRowsLink
from airflow_provider_genai_batch.operators.built import check_order
from airflow_provider_genai_batch.operators.outcome import ReportsOutcome
from airflow_provider_genai_batch.operators.shown import shown
from airflow_provider_genai_batch.operators.templates import RendersAddresses
from airflow_provider_genai_batch.requests.tables.media_parts import with_media
from airflow_provider_genai_batch.task.checks.unpaid import refusals
from airflow_provider_genai_batch.triggers.deferral import KeepsOverDeferrals

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperatorLink, Context

    from airflow_provider_genai_batch.checks import Check
    from airflow_provider_genai_batch.operators.task_port import OperatorPort
    from airflow_provider_genai_batch.task.attempt import TaskAttempt

trust_models()


class GenAIBatchOperator(ReportsOutcome, RendersAddresses, KeepsOverDeferrals, BaseOperator):
    """Run a batch job on the Gemini API or Vertex AI: submit it once, wait, land its rows, and decide by them.

    Args:
        model: ``gemini-2.5-flash``, ``publishers/…``, ``projects/…/models/…``, ``tunedModels/…``. Embedding models
            make embedding jobs.
        src: ``gs://…`` (str or list), ``bq://p.d.t``, ``files/…``, a list of requests (str, dict in SDK or REST
            spelling, `BatchRequest`), an object-storage URI or local path of a JSONL file, or a dict / google-genai
            ``BatchJobSource``. Only addresses are templated, never requests. With `prompt`: rows, as a list of dicts,
            a path or URI of a ``.csv``, ``.jsonl`` (both also ``.gz``) or ``.parquet`` file, or an `SqlSource`. Any of
            these can also come from a callable, which Airflow calls with ``context`` and ``jinja_env``.
        key: with `prompt`: the column, or columns, that identify a row; None: its position, or, in a table whose rows
            stay in BigQuery, the whole row.
        columns: input columns to keep in the result; None: all.
        where: for a BigQuery table: a SQL condition that selects rows; None: all.
        staging: for a BigQuery table: ``bq://p.d``, where its snapshot, requests and answers are kept for 30 days;
            None: the dataset of `dest`.
        rename: new names for answer columns, by their original names.
        max_bytes: most bytes that reading a BigQuery table may scan; None: no limit.
        validate: for a BigQuery table: ``python`` reads the rows on the worker, where Pydantic checks the answers with
            the model's own validators; None: they stay in BigQuery if the service reads it, and SQL checks them.
        prompt: turns each row into a request: a string with ``{column}`` in it, or a list of parts with such strings.
            ``{{`` and ``}}`` are braces. Jinja is not rendered in it.
        media: columns with the address of a file (on Vertex AI ``gs://…``), with its type, such as
            ``{"photo": "image/png"}``: each becomes a part after those of `prompt`.
        prompt_name: name and version of the prompt, such as ``classify-v3``. It appears in the manifest, in lineage
            and in labels, but is not sent to the model.
        dest: where Vertex AI writes: ``gs://prefix/``, ``bq://p[.d[.t]]``, or a dict / ``BatchJobDestination``.
        config: what the SDK's ``batches.create(config=)`` takes; no setting may be given here and as a parameter.
        request_defaults: fields of the SDK's ``GenerateContentConfig`` (or REST) for every request that this package
            writes; a request's own value wins.
        output_type: type of the answers, a Pydantic model or another type: sent with every request that this package
            writes, as a schema that is safe on batch endpoints, and every answer is checked against it.
        results_uri: where normalised rows land, ``….jsonl``, ``….jsonl.gz`` or ``….parquet``, or ``bq://p.d.t``, a
            table with a typed column for each field of `output_type`; None leaves them at the service.
        media_uri: a folder, in object storage or a path, where pictures and sound of answers are written as files while
            their rows land. Without it, requests that ask for them are refused.
        ordered: land rows in the order of the input.
        keep: ``response`` lands the service's own response with each row.
        truncated: status of an answer that was cut off at a token limit: ``ok`` or ``invalid``. If answers have a type,
            by `output_type` or a response schema, it is always ``invalid``.
        display_name: the readable part of the job's name; None: DAG and task.
        labels: labels of the job on Vertex AI, in addition to those for DAG, task and run.
        priority: Gemini only: higher goes first; on Vertex AI it is not sent. Below 0, the task also gives way while it
            waits for room within the connection's `max_enqueued_tokens`.
        webhook: Gemini only: an address, or the SDK's ``WebhookConfig``.
        conn_id: the Airflow connection.
        wait: False submits and returns.
        deferrable: wait on the triggerer; None: as ``[operators] default_deferrable`` says.
        poll_interval: seconds between looks at the job; the first looks come sooner.
        timeout: seconds or timedelta from the job's creation; None: longer than the service's own limit.
        pending_timeout: the same for the time in the queue; None: no separate limit.
        on_timeout: what to do with the job at its deadline: ``cancel`` or ``leave``.
        max_failed_rows: count (int) or fraction (float up to 1.0) of rows that may fail.
        retry_failed_rows: how many further rounds may submit failed rows again, each in a job of only those.
        max_requests_per_job: more requests become several jobs with one manifest; None: the service's limit.
        max_bytes_per_job: the same for the bytes of their JSONL.
        max_active_jobs: how many of these jobs may run at a time.
        max_cost: USD that the task may cost in all its rounds: requests that may cost more are refused before they
            are uploaded. Needs the extra ``prices``.
        max_cost_per_day: USD that all jobs of this DAG may cost that are created in one day (UTC) and state their cost:
            those of tasks with this parameter, and all if the connection has such a limit, too, for all DAGs. A job
            that may cost more than is left is refused before its input is uploaded. Needs the extra ``prices``.
        ready_by: when all rows must be ready: a time of day in the DAG's timezone (``06:00``), a datetime, a timedelta
            from the end of the data interval, or `ReadyBy`. A job that would be late is cancelled, and its unanswered
            requests are sent as immediate calls. Needs `results_uri`.
        fallbacks: what to try in turn if a job does not leave the queue within `pending_timeout`, or cannot be
            created: models, tiers (``flex``, ``standard``), or `Fallback` with another model or connection.
        plan_only: read and check the input, and return the plan (requests, tokens, jobs, cost) in the manifest; submit
            nothing. Requests that may cost more than `max_cost` are refused nevertheless.
        tier: how the requests are sent: ``batch`` in a job; ``flex`` (at batch price, when there is room) or
            ``standard`` (at full price) as immediate calls, which hold the worker's slot and need `results_uri`.
        online_below: an input with fewer requests is sent as immediate calls, ``standard`` if `tier` is ``batch``.
        retry_tier: how the rounds after the first are sent, ``flex`` or ``standard``; None: like the first.
        pilot: how many requests to submit first: a count (int), a fraction (float up to 1.0), or `Pilot`. If too many
            of them fail, the others are not submitted; otherwise they show what all will cost, which `max_cost` limits.
        checks: conditions that all rows together must meet before the task succeeds, made by the functions of
            `airflow_provider_genai_batch.checks`. The rows are landed either way.
        on_check: what to do if a check fails: ``fail`` or ``warn``.
        cancel_on_kill: cancel the job when the task is killed, cleared or marked by a user, or ``execution_timeout``
            ends it. A process that is only stopped cancels nothing.
        reattach: a retry reattaches to the job of the earlier attempt; False: it submits its own, and cancels the
            earlier one if it still runs.
        reuse: earlier results whose answers are used again, so that requests equal to theirs are not submitted: an
            address or path (with ``*`` several), a manifest, a list of these, ``Reuse(results, max_age)``, or True: the
            rows at `results_uri`, and those that the task's last earlier run landed.
        dedupe: submit equal requests once, and land a row for each of them.

    Attributes:
        asks_for: `prompt` and `output_type` as Airflow's UI shows them among rendered templates; nothing is rendered.

    Returns:
        The manifest (`models.Manifest`) as a dict of JSON.

    Raises:
        InputError, ConfigurationError: before anything is sent.
        CostLimitExceeded: requests may cost more than `max_cost` or `max_cost_per_day` allows.
        JobError: one of its kinds, as the outcome table says.
    """

    template_fields: Sequence[str] = (
        "model",
        "src",
        "prompt_name",
        "key",
        "columns",
        "where",
        "staging",
        "dest",
        "config",
        "request_defaults",
        "results_uri",
        "media_uri",
        "display_name",
        "labels",
        "webhook",
        "tier",
        "retry_tier",
        "reuse",
        "conn_id",
        "ready_by",
        "fallbacks",
        "pilot",
        "checks",
        "asks_for",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"asks_for": "json"}
    operator_extra_links: Collection[BaseOperatorLink] = (GenAIBatchJobLink(), GenAIBatchRowsLink())
    ui_color = "#d2e3fc"

    def __init__(  # noqa: PLR0913, PLR0915 - one a setting; keyword-only
        self,
        *,
        model: str,
        src: Any,
        prompt: Any = None,
        media: Mapping[str, str] | None = None,
        prompt_name: str | None = None,
        key: str | Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        where: str | None = None,
        staging: Any = None,
        rename: Mapping[str, str] | None = None,
        max_bytes: int | None = None,
        validate: str | None = None,
        dest: Any = None,
        config: Any = None,
        request_defaults: Any = None,
        output_type: Any = None,
        results_uri: Any = None,
        media_uri: Any = None,
        ordered: bool = False,
        keep: str | None = None,
        truncated: str = "ok",
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
        max_requests_per_job: int | None = None,
        max_bytes_per_job: int | None = None,
        max_active_jobs: int = 10,
        max_cost: float | None = None,
        max_cost_per_day: float | None = None,
        ready_by: Any = None,
        fallbacks: Any = None,
        plan_only: bool = False,
        tier: str = "batch",
        online_below: int | None = None,
        retry_tier: str | None = None,
        pilot: Any = None,
        checks: Sequence[Check] | None = None,
        on_check: str = "fail",
        cancel_on_kill: bool = True,
        reattach: bool = True,
        reuse: Any = None,
        dedupe: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.src = repeatable(src)
        self.prompt = with_media(prompt, media)
        self.prompt_name = prompt_name
        self.key, self.columns, self.where = key, columns, where
        self.staging = staging
        self.rename = rename
        self.max_bytes = max_bytes
        self.validate = validate
        self.dest = dest
        self.config = config
        self.request_defaults = request_defaults
        self.output_type = output_type
        self.results_uri = address(results_uri)
        self.media_uri = address(media_uri)
        self.ordered = ordered
        self.keep = keep
        self.truncated = truncated
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
        self.max_requests_per_job = max_requests_per_job
        self.max_bytes_per_job = max_bytes_per_job
        self.max_active_jobs = max_active_jobs
        self.max_cost = max_cost
        self.max_cost_per_day = max_cost_per_day
        self.ready_by = ready_by
        self.fallbacks = fallbacks
        self.plan_only = plan_only
        self.tier = tier
        self.online_below = online_below
        self.retry_tier = retry_tier
        self.pilot = pilot
        self.checks = checks
        self.on_check = on_check
        self.cancel_on_kill = cancel_on_kill
        self.reattach = reattach
        self.reuse = reuse
        self.dedupe = dedupe
        self.asks_for = shown(self.prompt, output_type)
        self.killed = False
        self._port: OperatorPort | None = None
        check_order(self)

    def execute(self, context: Context) -> dict[str, Any]:
        """Find or create the job, wait for it (in place, deferred, or not at all), and return the manifest."""
        from airflow_provider_genai_batch.flows.submission.attempt import Attempt

        begun, again = self.begin(), context["ti"].try_number > 1
        self._port = None
        first = Attempt(look_first=again, reattach=self.reattach, begun=begun)
        with refusals(self._has_jobs, again=again), self._attempt(context, links={}) as attempt:
            if again and self._port is not None:
                self._port.collect_answer()
            return self.settled(context, partial(attempt.run, first))

    def execute_after_refusal(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Continue after the service had no capacity, or the input could not be read. Earlier jobs are found again."""
        self.resumes(event)
        with self._attempt(context) as attempt:
            return self.settled(context, partial(attempt.resume, event))

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Continue after the trigger fired. All state is in the event, which every executor passes on."""
        self.resumes(event)
        with self._attempt(context) as attempt:
            return self.settled(context, partial(attempt.complete, event))

    def execute_after_answer(
        self, context: Context, event: dict[str, Any], asked: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Continue after a person was asked, or after the question of an earlier attempt was closed."""
        from airflow_provider_genai_batch.flows.submission.attempt import Attempt
        from airflow_provider_genai_batch.hooks.approval import COLLECTS, for_good

        kept = asked or {}
        self.resumes_after_people(kept.get("ran"))
        with refusals(self._has_jobs, again=True), self._attempt(context) as attempt:
            if kept.get(COLLECTS):
                first = Attempt(look_first=True, reattach=self.reattach, begun=self._started)
                go_on = partial(attempt.collected, event, kept, first)
            else:
                go_on = partial(attempt.answered, event, kept)
            try:
                return self.settled(context, go_on)
            except ApprovalRejected as rejected:
                raise for_good(rejected) from rejected

    def lineage(self) -> Any:
        """Return the source of the requests and the destination of the rows."""
        from airflow_provider_genai_batch.reporting.lineage import lineage_of_asking

        return lineage_of_asking(self, self.outcome)

    def on_kill(self) -> None:
        """Cancel the job that the task waits for in place, or stop its submission.

        Airflow calls this in a signal handler, and lets the task run on for some seconds. In that time a create call
        that was sent may still be answered, but no new one may be sent.
        """
        self.killed = True
        if self._port is not None:
            self._port.killed = True
            self._port.cancel_unwanted()

    def source(self) -> Any:
        """Return ``src``. It is called again if the input has to be read once more."""
        return self.src

    def _has_jobs(self) -> bool:
        return self._port is not None and bool(self._port.links or self._port.waiting_for)

    @contextmanager
    def _attempt(self, context: Context, links: Mapping[str, str] | None = None) -> Iterator[TaskAttempt]:
        """Yield the attempt; without `links`, an earlier process of it may have stored some."""
        from airflow_provider_genai_batch.hooks.approval import check_asking
        from airflow_provider_genai_batch.operators.task_port import OperatorPort
        from airflow_provider_genai_batch.task.attempt import TaskAttempt
        from airflow_provider_genai_batch.task.settings.settings import RunSettings

        # The port stores links. At the end of the process Airflow 3 would store these once more, also empty ones.
        self.operator_extra_links = ()
        settings = RunSettings.of(self)
        if settings.pilot is not None:
            check_asking(settings.pilot)
        with open_client(self.conn_id) as client:
            self._service_time = client.service_time
            self._port = OperatorPort(self, context, settings, client, links)
            self._port.killed = self.killed  # on_kill may have been called before there was a port
            yield TaskAttempt(settings, self._port, client)


def repeatable(src: Any) -> Any:
    """Return `src`, unless it is an iterator, which can be read only once.

    Raises:
        ConfigurationError: it is an iterator.
    """
    if isinstance(src, Iterator):
        msg = (
            f"src is a {type(src).__name__}, which can be read only once and is a new object at each parse of the "
            f"DAG file: Airflow would make a new version of the DAG each time, and a retry would have nothing to "
            f"submit. Give "
            "a list, the function that makes it (src=make, called with context and jinja_env), or "
            "@task.genai_batch."
        )
        raise ConfigurationError(msg)
    return src
