"""The sensor: waits for jobs that others submitted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_provider_genai_batch.exceptions import PASSING, JobError, JobLost, OutputNotReadable
from airflow_provider_genai_batch.hooks.genai_batch import DEFAULT_CONN_ID, open_client
from airflow_provider_genai_batch.hooks.xcom import trust_models
from airflow_provider_genai_batch.reporting.failed import keep_manifest
from airflow_provider_genai_batch.reporting.outlets import add_manifest_to_outlets
from airflow_provider_genai_batch.task.checks.values import check_allowance
from airflow_provider_genai_batch.task.settings.known import check_job_names, is_known
from airflow_provider_genai_batch.triggers.deferral import KeepsOverDeferrals

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_genai_batch.client import GenAIBatchClient
    from airflow_provider_genai_batch.flows.watch import Ending
    from airflow_provider_genai_batch.task.jobs.patience import Patience

trust_models()


class GenAIBatchSensor(KeepsOverDeferrals, BaseSensorOperator):
    """Wait until jobs have ended, and decide by their rows, as the operator does.

    Args:
        job_names: a name, several, or a manifest (the XCom of an operator of this package).
        max_failed_rows: count (int) or fraction (float up to 1.0) of rows that may fail.
        conn_id: the Airflow connection.
        deferrable: wait on the triggerer; None: as ``[operators] default_deferrable`` says.
        **kwargs: parameters of Airflow's sensors: ``poke_interval``, ``timeout``, ``mode``, ``soft_fail``, ….

    Returns:
        The manifest as a dict of JSON. The jobs keep running if the sensor gives up.

    Raises:
        JobError: one of its kinds, as the outcome table says; with ``soft_fail`` the task is skipped instead, except
            for `JobLost`.
        AirflowSensorTimeout: `timeout` passed; with ``soft_fail`` the task is skipped instead.
    """

    template_fields: Sequence[str] = ("job_names", "conn_id")
    ui_color = "#d2e3fc"

    def __init__(
        self,
        *,
        job_names: Any,
        max_failed_rows: float = 0,
        conn_id: str = DEFAULT_CONN_ID,
        deferrable: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job_names = job_names
        self.max_failed_rows = max_failed_rows
        self.conn_id = conn_id
        self.deferrable = (
            conf.getboolean("operators", "default_deferrable", fallback=False)
            if deferrable is None
            else deferrable
        )
        check_job_names(job_names)
        if is_known(max_failed_rows):
            check_allowance(max_failed_rows)

    def execute(self, context: Context) -> Any:
        """Poke, or look once and defer."""
        from airflow_provider_genai_batch.task.checks.values import check_seconds

        check_allowance(self.max_failed_rows)
        if not self.deferrable:
            return self._execute_in_place(context)
        check_seconds("poke_interval", self.poke_interval, optional=False)  # all tasks share the triggerer
        with self._as_poked():
            return self._begin_to_wait(context)

    def _execute_in_place(self, context: Context) -> Any:
        try:
            return super().execute(context)
        except AirflowSensorTimeout as error:  # Airflow applies `never_fail` to it only after a deferral
            if self.never_fail:
                raise AirflowSkipException(str(error)) from error
            raise

    def _begin_to_wait(self, context: Context) -> Any:
        from airflow_provider_genai_batch.flows.watch import WaitPlan
        from airflow_provider_genai_batch.task.settings.job_names import appear_until
        from airflow_provider_genai_batch.triggers.genai_batch import GenAIBatchTrigger

        self.begin()
        found = self.poke(context)
        if found.is_done:
            return found.xcom_value
        deadline = self.begun + self.timeout
        plan = WaitPlan(
            self.poke_interval,
            deadline,
            deadline,
            cancel_on_timeout=False,
            appear_until=appear_until(self.job_names),
        )
        self.defer(
            trigger=GenAIBatchTrigger(self.conn_id, self._names(), plan.as_dict()),
            method_name="execute_complete",
        )
        return None

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once. Rows that are not readable yet count as not done, so they do not hold the slot."""
        with open_client(self.conn_id) as client, self._softly():
            self._service_time = client.service_time
            try:
                manifest = self._look(client, context)
            except PASSING as error:
                self.log.warning("A status request got no answer (%s); trying again.", error)
                manifest = None
            return PokeReturnValue(is_done=manifest is not None, xcom_value=manifest)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Continue after the trigger fired."""
        with self._as_poked(), self._softly():
            return self._complete(context, event)

    @property
    def ends_at(self) -> float:
        """When the sensor's own `timeout` or Airflow's limit for the attempt ends, whichever is first."""
        own, airflows = self.begun + self.timeout, super().ends_at
        return own if airflows is None else min(own, airflows)

    def out_of_time(self, said: str) -> NoReturn:
        """End the attempt as a poke does.

        Raises:
            AirflowTaskTimeout: at `execution_timeout`.
            AirflowSensorTimeout: at `timeout`.
        """
        if self.ends_at == super().ends_at:
            super().out_of_time(said)
        raise AirflowSensorTimeout(said)

    def _complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        from airflow_provider_genai_batch.flows.outcome.messages import lost
        from airflow_provider_genai_batch.flows.watch import Why
        from airflow_provider_genai_batch.triggers.pause import LateRows

        ending, names = self.resumes(event), event.get("job_names") or self._names()
        ending.tell()
        if ending.why is Why.TIMED_OUT:
            msg = (
                f"The jobs had not ended after {self.timeout:.0f} s ({ending.states}); they were left alone."
            )
            raise AirflowSensorTimeout(msg)
        if ending.why is Why.LOST:  # perhaps because there is no connection, so none is opened
            raise JobLost(lost(ending), job_names=names)
        with open_client(self.conn_id) as client:
            return self._settle(client, context, ending, names, LateRows(self, event).patience)

    def _names(self) -> list[str]:
        from airflow_provider_genai_batch.task.settings.job_names import job_names

        return job_names(self.job_names)

    def _look(self, client: GenAIBatchClient, context: Context) -> dict[str, Any] | None:
        """Return the manifest; None: the jobs have not ended, or their rows are not readable yet."""
        from airflow_provider_genai_batch.task.jobs.patience import Patience
        from airflow_provider_genai_batch.task.jobs.watcher import JobWatcher
        from airflow_provider_genai_batch.task.settings.job_names import appear_until

        names = self._names()
        ending = JobWatcher(client).look_once(names, appear_until(self.job_names))
        if ending is None:
            return None
        before = client.service_time()  # a job that is fresh while settling is fresh at this time too
        try:
            return self._settle(client, context, ending, names, Patience(0))
        except OutputNotReadable as error:
            passing = isinstance(error.__cause__, PASSING)
            if _awaits_rows(client, names, before) or (passing and self.deferrable):
                self.log.warning("%s Looking again.", error)
                return None
            if not passing:
                raise
            self.log.warning("%s Trying again for a while.", error)
        return self._settle(client, context, ending, names, Patience(min(Patience().seconds, self.timeout)))

    def _settle(
        self,
        client: GenAIBatchClient,
        context: Context,
        ending: Ending,
        names: list[str],
        patience: Patience,
    ) -> dict[str, Any]:
        from airflow_provider_genai_batch.reporting.metrics import report_metrics
        from airflow_provider_genai_batch.task.jobs.settler import JobSettler
        from airflow_provider_genai_batch.task.landing.landing import Landing

        landing, settler = Landing(max_failed_rows=self.max_failed_rows, submits=False), JobSettler(client)
        try:
            with report_metrics(settler.ledger, context):
                manifest = settler.settle_last(ending, names, landing, patience).model_dump(mode="json")
        except JobError as error:
            keep_manifest(context, error)
            raise
        add_manifest_to_outlets(context, self.outlets, manifest)
        return manifest

    @contextmanager
    def _softly(self) -> Iterator[None]:
        """With ``soft_fail``, skip the task after a bad outcome of the jobs. `JobLost` is no outcome: it is unknown."""
        try:
            yield
        except JobLost:
            raise
        except JobError as error:
            if self.soft_fail:
                raise AirflowSkipException(str(error)) from error
            raise

    @contextmanager
    def _as_poked(self) -> Iterator[None]:
        """Skip the task in the cases in which Airflow's own loop of pokes skips one that does not defer."""
        try:
            yield
        except (AirflowSensorTimeout, AirflowTaskTimeout, AirflowFailException) as error:
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException(str(error)) from error
            raise
        except AirflowSkipException:
            raise
        except Exception as error:
            if self.never_fail:
                raise AirflowSkipException(str(error)) from error
            raise


def _awaits_rows(client: GenAIBatchClient, names: list[str], now: float) -> bool:
    """Return whether one of the jobs ended so shortly before `now` that its rows may not be readable yet."""
    from airflow_provider_genai_batch.flows.outcome.collect import is_fresh

    return any(is_fresh(client.get(name), now, unknown=True) for name in names)
