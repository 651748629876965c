"""The port of an operator: the only way in which an attempt uses Airflow. Loaded when a task runs."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import AirflowTaskTimeout

from airflow_provider_genai_batch.client import ClientConfig, GenAIBatchClient
from airflow_provider_genai_batch.client.cancel import cancel_jobs, cancel_statement
from airflow_provider_genai_batch.flows.watch import WaitPlan
from airflow_provider_genai_batch.hooks.approval import Approvals
from airflow_provider_genai_batch.hooks.genai_batch import open_earlier_client
from airflow_provider_genai_batch.hooks.queries import open_query
from airflow_provider_genai_batch.hooks.state_store.records import JobRecords
from airflow_provider_genai_batch.hooks.task_instance import owner_of
from airflow_provider_genai_batch.hooks.task_state import has_left
from airflow_provider_genai_batch.links.genai_batch import store_links
from airflow_provider_genai_batch.models import Approved, BatchJob, SqlSource
from airflow_provider_genai_batch.models.jobs.cancellation import Cancellation
from airflow_provider_genai_batch.reporting.metrics import report_metrics
from airflow_provider_genai_batch.task.files.overlap import warn_of_one_file
from airflow_provider_genai_batch.task.inputs.queries.rows import QueryRows
from airflow_provider_genai_batch.task.jobs.patience import Patience
from airflow_provider_genai_batch.task.landing.usage_ledger import UsageLedger
from airflow_provider_genai_batch.task.settings.settings import RunSettings
from airflow_provider_genai_batch.triggers.deferral import KeepsOverDeferrals
from airflow_provider_genai_batch.triggers.genai_batch import GenAIBatchTrigger
from airflow_provider_genai_batch.triggers.pause import GenAIBatchPauseTrigger, LateRows

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_genai_batch.models.settings.question import Question


class OperatorPort:
    """The `task.port.TaskPort` of a running operator.

    Args:
        operator: the operator, which defers and logs.
        context: Airflow's context.
        settings: the settings of the task.
        client: the client of the task's connection.
        links: see the attribute.

    Attributes:
        killed: Airflow has called ``on_kill``.
        links: the links to the attempt's jobs, by the keys of their XComs; None: not known, as an earlier process may
            have stored some.
    """

    def __init__(
        self,
        operator: KeepsOverDeferrals,
        context: Context,
        settings: RunSettings,
        client: GenAIBatchClient,
        links: Mapping[str, str] | None,
    ) -> None:
        self.owner, self.killed = owner_of(context), False
        self.links = links
        self.waiting_for: list[str] = []
        self.appear_until = 0.0
        self._operator, self._context, self._settings = operator, context, settings
        self._conn_id, self._connection = settings.conn_id, client.config
        self._client = client

    @property
    def is_first_try(self) -> bool:
        """Whether Airflow has never run the task instance before."""
        return bool(self._context["ti"].try_number <= 1)

    def open_query(self, query: SqlSource) -> AbstractContextManager[QueryRows]:
        """Run a query over the Airflow connection that it names."""
        return open_query(query)

    def open_client(self, conn_id: str) -> AbstractContextManager[GenAIBatchClient]:
        """Open a client of a connection that an earlier attempt of the task used."""
        return open_earlier_client(conn_id)

    def turn_to(self, conn_id: str, config: ClientConfig) -> None:
        """From now on, wait for jobs and cancel them through another connection."""
        self._conn_id, self._connection = conn_id, config

    def records(self, round_: int) -> JobRecords:
        """Return the records of a round's jobs in Airflow's task state store."""
        return JobRecords(self._context, round_)

    def earlier_manifest(self) -> Mapping[str, Any] | None:
        """Pull the task's own XCom of an earlier run; that of this run was cleared when the task began."""
        ti = self._context["ti"]
        found = ti.xcom_pull(task_ids=ti.task_id, map_indexes=ti.map_index, include_prior_dates=True)
        return found if isinstance(found, Mapping) else None

    def metrics(self, ledger: UsageLedger) -> AbstractContextManager[None]:
        """Report the settled jobs to Airflow's metrics."""
        return report_metrics(ledger, self._context)

    def show_links(self, jobs: Sequence[BatchJob], project: str | None) -> None:
        """Store the links to jobs for Airflow's page of the task."""
        self.links = store_links(self._context, jobs, project, self._settings.rows_uri, self.links)

    def check_mapped_results(self) -> None:
        """Warn if all instances of a mapped task land their rows at the same address."""
        warn_of_one_file(self._context, self._settings.rows_uri)

    def stop_if_over(self, said: str = "") -> None:
        """End the attempt if ``execution_timeout`` is over.

        Raises:
            AirflowTaskTimeout: it is over.
        """
        self._operator.stop_if_over(said)

    def cancel_unwanted(self) -> Mapping[str, Cancellation]:
        """Cancel the jobs that the task waits for, if it ran out of time or Airflow no longer runs it.

        A signal handler may have interrupted a call of the attempt's client, so this uses clients of its own.

        Returns:
            What became of each job; empty if they were not cancelled.
        """
        statement = self._client.statement
        if not (self._settings.cancel_on_kill and (self.waiting_for or statement)):
            return {}
        out_of_time = isinstance(sys.exc_info()[1], AirflowTaskTimeout)
        # Airflow considers a process without heartbeats dead. Then the next attempt must be able to reattach.
        if not out_of_time and not has_left(self._context["ti"], "running", "up_for_retry"):
            self._operator.log.info(
                "The process was stopped, but the task was not killed: %s is left running.",
                self.waiting_for or (statement and statement.job_id),
            )
            return {}
        if statement is not None:
            with GenAIBatchClient(self._client.config) as client:
                cancel_statement(client, statement)
        with GenAIBatchClient(self._connection) as client:
            return cancel_jobs(client, self.waiting_for, self.appear_until)

    def defer_until_ended(self, names: Sequence[str], plan: WaitPlan, memo: Mapping[str, Any]) -> NoReturn:
        """Defer until jobs have ended; ``execute_complete`` continues."""
        trigger = GenAIBatchTrigger(
            self._conn_id,
            [*names],
            plan.as_dict(),
            dict(memo),
            cancel_on_kill=self._settings.cancel_on_kill,
        )
        self._operator.defer(trigger=trigger, method_name="execute_complete")

    def defer_until(self, moment: float, memo: Mapping[str, Any]) -> NoReturn:
        """Defer until a moment; ``execute_after_refusal`` continues."""
        settings = self._settings
        trigger = GenAIBatchPauseTrigger(
            moment, dict(memo), self._conn_id, self.waiting_for, settings.cancel_on_kill
        )
        self._operator.defer(trigger=trigger, method_name="execute_after_refusal")

    def late_rows(self, event: Mapping[str, Any]) -> Patience | None:
        """Return how to wait for late rows: by deferrals that bring the event back to ``execute_complete``."""
        return LateRows(
            self._operator, dict(event), self.waiting_for, cancel_on_kill=self._settings.cancel_on_kill
        ).patience

    def approved(self) -> Approved | None:
        """Return what was approved, from Airflow's task state store."""
        return Approvals(self._context).approved()

    def close_question(self, approved: Approved | None) -> None:
        """Record in Airflow's task state store that no question is open, and what was approved."""
        Approvals(self._context).close(approved)

    def collect_answer(self) -> None:
        """Leave for a moment if an earlier attempt has left a question open; ``execute_after_answer`` continues."""
        Approvals(self._context).collect()

    def ask(self, question: Question, asked: Mapping[str, Any]) -> NoReturn:
        """Ask through Airflow's required actions; ``execute_after_answer`` continues."""
        memo = {"memo": asked["memo"], "ran": self._operator.ran}
        about = {name: value for name, value in asked.items() if name != "memo"}
        # The operator's own defer() works only with triggers of this package.
        Approvals(self._context).ask(question, about, memo, super(KeepsOverDeferrals, self._operator).defer)
