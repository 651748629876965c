"""The sensor: waits for jobs that somebody else submitted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_provider_genai_batch.hooks.borrow import DEFAULT_CONN_ID, borrowed_client

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_genai_batch.client import GenAIBatchClient
    from airflow_provider_genai_batch.flows.watch import Ending


class GenAIBatchSensor(BaseSensorOperator):
    """Wait until jobs have ended, and decide by their rows as the operator does.

    Args:
        job_names: a name, several, or a manifest (XCom of an operator of this package).
        max_failed_rows: count (int) or fraction (float below 1) of rows that may fail.
        conn_id: the Airflow connection.
        deferrable: wait on the triggerer; None asks ``[operators] default_deferrable``.
        **kwargs: ``poke_interval``, ``timeout``, ``mode``, ``soft_fail``, … of Airflow's sensors.

    Returns:
        The manifest as a dict of JSON. Jobs are left alone when the sensor gives up.

    Raises:
        JobError: one of its kinds, as the outcome table says; skipped instead with ``soft_fail``.
        AirflowSensorTimeout: `timeout` passed.
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

    def execute(self, context: Context) -> Any:
        """Poke, or look once and defer."""
        if not self.deferrable:
            return super().execute(context)
        found = self.poke(context)
        if found.is_done:
            return found.xcom_value
        from airflow_provider_genai_batch.flows.watch import WaitPlan
        from airflow_provider_genai_batch.triggers.genai_batch import GenAIBatchTrigger

        deadline = time.time() + self.timeout
        plan = WaitPlan(self.poke_interval, deadline, deadline, cancel_on_timeout=False)
        self.defer(
            trigger=GenAIBatchTrigger(self.conn_id, self._names(), plan.as_dict()),
            method_name="execute_complete",
        )
        return None

    def poke(self, context: Context) -> PokeReturnValue:  # noqa: ARG002 - Airflow's signature
        """Look once."""
        from airflow_provider_genai_batch.exceptions import PASSING
        from airflow_provider_genai_batch.hooks.jobs import JobDesk

        names = self._names()
        with borrowed_client(self.conn_id) as client:
            try:
                ending = JobDesk(client).glance(names)
            except PASSING as error:
                self.log.warning("A look gave no answer (%s); looking again.", error)
                ending = None
            if ending is None:
                return PokeReturnValue(is_done=False)
            return PokeReturnValue(is_done=True, xcom_value=self._settle(client, ending, names))

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - Airflow's
        """Settle after the trigger fired."""
        from airflow_provider_genai_batch.flows.watch import Ending, Why

        ending = Ending.from_dict(event)
        if ending.why is Why.TIMED_OUT:
            msg = (
                f"The jobs had not ended after {self.timeout:.0f} s ({ending.states}); they were left alone."
            )
            if self.soft_fail:
                raise AirflowSkipException(msg)
            raise AirflowSensorTimeout(msg)
        with borrowed_client(self.conn_id) as client:
            return self._settle(client, ending, event["job_names"])

    def _names(self) -> list[str]:
        from airflow_provider_genai_batch.hooks.names import job_names

        return job_names(self.job_names)

    def _settle(self, client: GenAIBatchClient, ending: Ending, names: list[str]) -> dict[str, Any]:
        from airflow_provider_genai_batch.exceptions import JobError
        from airflow_provider_genai_batch.hooks.jobs import JobDesk, Landing

        try:
            manifest = JobDesk(client).settle(ending, names, Landing(max_failed_rows=self.max_failed_rows))
        except JobError as error:
            if self.soft_fail:
                raise AirflowSkipException(str(error)) from error
            raise
        return manifest.model_dump(mode="json")
