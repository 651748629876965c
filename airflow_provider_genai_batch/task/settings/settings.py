"""The settings of a task, passed from its operator to an attempt: read once, after the templates are rendered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from functools import cached_property
from typing import Any

from airflow_provider_genai_batch.checks import Check
from airflow_provider_genai_batch.client import ClientConfig
from airflow_provider_genai_batch.flows.stall import is_stalled
from airflow_provider_genai_batch.flows.watch import BUDGET, WaitPlan
from airflow_provider_genai_batch.models import BatchJob, Versions
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.tier import Tier
from airflow_provider_genai_batch.task.checks.at_once import check_place_of_pilot
from airflow_provider_genai_batch.task.checks.checks import check_order_settings
from airflow_provider_genai_batch.task.checks.reuse_checks import no_place_for_unasked
from airflow_provider_genai_batch.task.settings.order import Order, read_order
from airflow_provider_genai_batch.task.settings.versions import versions_of
from airflow_provider_genai_batch.task.tables.ask import (
    TABLE_SETTINGS,
    refuse_landing,
    refuse_table_settings,
)
from airflow_provider_genai_batch.task.tables.typed import TypedTable, typed_of
from airflow_provider_genai_batch.wire.answers.answer import AnswerSettings
from airflow_provider_genai_batch.wire.parameters.labels import with_more
from airflow_provider_genai_batch.wire.schemas.output_type import asks_for_type
from airflow_provider_genai_batch.wire.tables.sql import is_table

_BATCH = Tier.BATCH.value


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """The parameters of `GenAIBatchOperator`; its docstring explains each of them."""

    conn_id: str
    model: str
    source: Callable[[], Any] = field(repr=False)
    """Returns ``src``. It is called again if the input must be read once more."""
    listed: bool = False
    """Whether ``src`` is a list, so that it can be read again at no cost to speak of."""
    prompt: Any = field(default=None, repr=False)
    prompt_name: str | None = None
    key: Any = None
    columns: Any = None
    where: str | None = field(default=None, repr=False)
    staging: str | None = None
    rename: Mapping[str, str] | None = None
    max_bytes: int | None = None
    validate: str | None = None
    dest: Any = None
    config: Any = field(default=None, repr=False)
    request_defaults: Any = field(default=None, repr=False)
    output_type: Any = None
    results_uri: str | None = None
    media_uri: str | None = None
    ordered: bool = False
    keep: str | None = None
    truncated: str = "ok"
    display_name: str | None = None
    labels: Mapping[str, str] | None = None
    priority: int | None = None
    webhook: Any = field(default=None, repr=False)
    wait: bool = True
    deferrable: bool = False
    poll_interval: float | timedelta = 60
    timeout: float | timedelta | None = None
    pending_timeout: float | timedelta | None = None
    on_timeout: str = "cancel"
    max_failed_rows: float = 0
    retry_failed_rows: int = 0
    max_requests_per_job: int | None = None
    max_bytes_per_job: int | None = None
    max_active_jobs: int = 10
    max_cost: float | None = None
    max_cost_per_day: float | None = None
    ready_by: Any = None
    fallbacks: Any = None
    plan_only: bool = False
    tier: str = _BATCH
    online_below: int | None = None
    retry_tier: str | None = None
    pilot: Any = None
    checks: Sequence[Check] | None = None
    on_check: str = "fail"
    cancel_on_kill: bool = True
    reattach: bool = True
    reuse: Any = None
    dedupe: bool = False

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            ConfigurationError, InputError: a setting is invalid; the message names it.
        """
        check_order_settings(self)

    @classmethod
    def of(cls, operator: Any) -> RunSettings:
        """Read the attributes of an operator.

        Raises:
            ConfigurationError, InputError: a setting is invalid; the message names it.
        """
        given = {one.name: getattr(operator, one.name) for one in fields(cls) if one.name != "listed"}
        return cls(**given, listed=isinstance(operator.src, (list, tuple)))

    @property
    def answers(self) -> AnswerSettings:
        """The settings for answers."""
        return AnswerSettings(
            self.keep, self.truncated, asks_for_type(self.output_type, self.request_defaults)
        )

    @cached_property
    def versions(self) -> Versions | None:
        """Versions of prompt, schema and defaults; None: the task has none of these."""
        given = (self.prompt, self.prompt_name, self.output_type, self.request_defaults)
        return None if all(one is None for one in given) else versions_of(self)

    @cached_property
    def may_ask_at_once(self) -> bool:
        """Whether some requests may be sent as immediate calls regardless of jobs."""
        unset = self.online_below is None and self.retry_tier is None and self.pilot is None
        return not (self.tier == _BATCH and unset)

    def has_day_limit(self, connection: ClientConfig) -> bool:
        """Whether the task or its connection limits what the jobs of a day may cost."""
        return self.max_cost_per_day is not None or connection.max_cost_per_day is not None

    @property
    def file_uri(self) -> str | None:
        """Return `results_uri` if it is a file, beside which other files may be kept."""
        return None if self.results_uri is None or is_table(self.results_uri) else self.results_uri

    def journal_uri(self, connection: ClientConfig) -> str | None:
        """Return the address beside which journals are kept: a file of rows, or one in the place for staging."""
        if self.file_uri is not None or connection.staging_uri is None:
            return self.file_uri
        return f"{connection.staging_uri.rstrip('/')}/rows"

    @property
    def rows_uri(self) -> str | None:
        """Return where rows land: `results_uri`, or for rows of a BigQuery table the table in `dest`."""
        dest = self.dest if isinstance(self.dest, str) and is_table(self.dest) else None
        return self.results_uri or (None if self.prompt is None else dest)

    def typed(self, backend: Backend) -> TypedTable | None:
        """Return the table into which rows are loaded; None: they land in a file, or nowhere.

        Raises:
            InputError, ConfigurationError: its columns are invalid.
        """
        return None if self.results_uri is None else typed_of(self, backend)

    def order(self, connection: ClientConfig) -> Order:
        """Read the parameters of the job, and check them against its service.

        Raises:
            InputError: the message names the parameter.
        """
        of_tables = {name: getattr(self, name) for name in TABLE_SETTINGS}
        order = read_order(
            connection,
            model=self.model,
            src=self.source(),
            prompt=self.prompt,
            dest=self.dest,
            config=self.config,
            request_defaults=self.request_defaults,
            output_type=self.output_type,
            display_name=self.display_name,
            labels=self.labels,
            webhook=self.webhook,
            priority=self.priority,
            results_uri=self.results_uri,
            media_uri=self.media_uri,
            **of_tables,
        )
        if order.table is not None:
            refuse_landing(self, streamed=order.table.streamed)
            if self.checks and not order.table.streamed:
                order.table.gates(self.checks).query(
                    order.table.result
                )  # refuses what cannot be counted there
            if self.reuse or self.dedupe:
                order = replace(order, table=order.table.looking_back())
        elif (self.reuse or self.dedupe) and self.file_uri is None:
            raise no_place_for_unasked(self)
        elif of_tables != dict.fromkeys(TABLE_SETTINGS):
            refuse_table_settings(self)
        if order.table is None:
            self.typed(order.backend)  # refuses columns that cannot be
        if self.pilot is not None and self.file_uri is None:
            in_table = order.table is not None or self.results_uri is not None
            check_place_of_pilot(self.pilot, in_table=in_table, place=self.journal_uri(connection))
        if self.versions is None:
            return order
        return replace(order, labels=with_more(order.labels, self.versions.labels()))

    def wait_plan(self, job: BatchJob, *, now: float, reattached: bool = False) -> WaitPlan:
        """Return how to wait for a job. Its time counts from its creation, in whichever attempt that was.

        Args:
            job: the job.
            now: seconds since the epoch by the service's clock, which also dates the job's creation.
            reattached: whether the job is from an earlier attempt.
        """
        begun = job.create_time.timestamp() if job.create_time else now
        deadline = begun + self.budget(job.backend)
        pending = deadline if self.pending_timeout is None else begun + _seconds(self.pending_timeout)
        return WaitPlan(
            _seconds(self.poll_interval),
            deadline,
            pending,
            cancel_on_timeout=self.on_timeout == "cancel",
            late=reattached and deadline <= now,
            leads_on=bool(self.fallbacks),
        )

    def is_stalled(self, job: BatchJob) -> bool:
        """Whether a job did not leave the queue in time, so that a fallback replaces it."""
        return self.pending_timeout is not None and is_stalled(job, _seconds(self.pending_timeout))

    def capacity_budget(self, backend: Backend) -> float:
        """Return the seconds to wait for capacity."""
        budget = self.budget(backend)
        if not self.fallbacks or self.pending_timeout is None:
            return budget
        return min(budget, _seconds(self.pending_timeout))

    def budget(self, backend: Backend) -> float:
        """Return the seconds that a job may take; by default more than the service itself allows."""
        return BUDGET[backend] if self.timeout is None else _seconds(self.timeout)


def _seconds(value: float | timedelta) -> float:
    return value.total_seconds() if isinstance(value, timedelta) else float(value)
