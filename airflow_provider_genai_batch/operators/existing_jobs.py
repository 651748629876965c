"""Operators on jobs that exist: land their rows, cancel them, delete them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_genai_batch.address import address
from airflow_provider_genai_batch.exceptions import InputError, NotFound
from airflow_provider_genai_batch.hooks.genai_batch import DEFAULT_CONN_ID, open_client
from airflow_provider_genai_batch.hooks.xcom import trust_models
from airflow_provider_genai_batch.operators.built import check_results
from airflow_provider_genai_batch.operators.outcome import ReportsOutcome
from airflow_provider_genai_batch.operators.templates import RendersAddresses
from airflow_provider_genai_batch.task.settings.known import check_job_names

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_genai_batch.checks import Check

trust_models()


class _JobsOperator(BaseOperator):
    """Base of operators that act on jobs by name."""

    template_fields: Sequence[str] = ("job_names", "conn_id")

    def __init__(self, *, job_names: Any, conn_id: str = DEFAULT_CONN_ID, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.job_names = job_names
        self.conn_id = conn_id
        check_job_names(job_names)

    def _names(self, *, or_none: bool = False) -> list[str]:
        from airflow_provider_genai_batch.task.settings.job_names import job_names

        names = job_names(self.job_names, or_none=or_none)
        if not names:
            self.log.info("The task before this one needed no job, so there is nothing to do.")
        return names


class GenAIBatchResultsOperator(ReportsOutcome, RendersAddresses, _JobsOperator):
    """Land the rows of ended jobs, including jobs that were started elsewhere.

    Args:
        job_names: a name, several, or a manifest.
        results_uri: where rows land, ``….jsonl``, ``….jsonl.gz`` or ``….parquet``, or ``bq://p.d.t``, a table with
            typed columns.
        media_uri: a folder, in object storage or a path, where pictures and sound of answers are written as files.
        src: the requests, in any form that `GenAIBatchOperator` takes; they are read and checked, but not sent. With
            them, each row is joined to its request: missing rows are named, and rows of other requests are dropped. All
            jobs together are assumed to be for these requests. Without `src`, the rows are those of the jobs.
        ordered: land rows in the order of the input; with keys of your own this needs `src`.
        output_type: the type of the answers; each answer is checked against it.
        keep: ``response`` lands the service's own response with each row.
        truncated: status of an answer that was cut off at a token limit: ``ok`` or ``invalid``. If answers have a type,
            it is always ``invalid``.
        max_failed_rows: count (int) or fraction (float up to 1.0) of rows that may fail.
        checks: conditions that all rows together must meet before the task succeeds, made by the functions of
            `airflow_provider_genai_batch.checks`. The rows are landed either way.
        on_check: what happens if one is not met, ``fail`` or ``warn``.
        conn_id: the Airflow connection.

    Returns:
        The manifest as a dict of JSON.

    Raises:
        JobError: one of its kinds, as the outcome table says.
        InputError: a job has not ended; `GenAIBatchSensor` waits for it.
    """

    template_fields: Sequence[str] = (
        *_JobsOperator.template_fields,
        "results_uri",
        "media_uri",
        "src",
        "checks",
    )

    def __init__(  # noqa: PLR0913 - one a setting; keyword-only
        self,
        *,
        results_uri: Any,
        media_uri: Any = None,
        src: Any = None,
        ordered: bool = False,
        output_type: Any = None,
        keep: str | None = None,
        truncated: str = "ok",
        max_failed_rows: float = 0,
        checks: Sequence[Check] | None = None,
        on_check: str = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.results_uri = address(results_uri)
        self.media_uri = address(media_uri)
        self.src = src
        self.ordered = ordered
        self.output_type = output_type
        self.keep = keep
        self.truncated = truncated
        self.max_failed_rows = max_failed_rows
        self.checks = checks
        self.on_check = on_check
        check_results(self)

    def execute(self, context: Context) -> dict[str, Any]:
        """Land the rows and return the manifest."""
        return self.settled(context, self._land)

    def lineage(self) -> Any:
        """Return the sources and destinations of the rows."""
        from airflow_provider_genai_batch.reporting.lineage import lineage_of_landing

        return lineage_of_landing(self, self.outcome)

    def _land(self) -> dict[str, Any]:
        from airflow_provider_genai_batch.results.media import check_media_uri
        from airflow_provider_genai_batch.results.sinks import check_results_uri
        from airflow_provider_genai_batch.task.checks.row_checks import check_ended
        from airflow_provider_genai_batch.task.checks.values import check_allowance
        from airflow_provider_genai_batch.task.jobs.settler import JobSettler
        from airflow_provider_genai_batch.task.jobs.watcher import JobWatcher
        from airflow_provider_genai_batch.task.landing.reread import landing_for_existing_jobs, loaded_table
        from airflow_provider_genai_batch.wire.answers.answer import AnswerSettings
        from airflow_provider_genai_batch.wire.tables.sql import is_table

        check_results_uri(self.results_uri)
        check_allowance(self.max_failed_rows)
        check_ended(self)
        if self.media_uri is not None:
            check_media_uri(self.media_uri)
        names = self._names()
        with open_client(self.conn_id) as client:
            ending = JobWatcher(client).look_once(names)
            if ending is None:
                msg = f"{', '.join(names)}: not all of these have ended. Wait for them with GenAIBatchSensor first."
                raise InputError(msg)
            loads = (
                loaded_table(client, names, self.results_uri, self.output_type)
                if is_table(self.results_uri)
                else None
            )
            with landing_for_existing_jobs(
                client,
                names,
                src=self.src,
                output_type=self.output_type,
                loads=loads,
                answers=AnswerSettings(self.keep, self.truncated),
                results_uri=self.results_uri,
                media_uri=self.media_uri,
                max_failed_rows=self.max_failed_rows,
                ordered=self.ordered,
                checks=tuple(self.checks or ()),
                on_check=self.on_check,
            ) as landing:
                return JobSettler(client).settle_last(ending, names, landing).model_dump(mode="json")


class GenAIBatchCancelOperator(_JobsOperator):
    """Request the cancellation of jobs.

    A job that has ended or is gone is not an error, nor is a manifest without jobs. The operator does not wait until
    the jobs end. Answers that they have given by then are billed.

    Args:
        job_names: a name, several, or a manifest.
        conn_id: the Airflow connection.

    Raises:
        CallError: the service refused a cancellation.
    """

    def execute(self, context: Context) -> None:  # noqa: ARG002 - Airflow's signature
        """Cancel the jobs."""
        from airflow_provider_genai_batch.client.cancel import cancel_jobs

        names = self._names(or_none=True)
        with open_client(self.conn_id) as client:
            cancel_jobs(client, names)


class GenAIBatchDeleteOperator(_JobsOperator):
    """Delete ended jobs, on the Gemini API with their output.

    A job that is gone is not an error, nor is a manifest without jobs.

    Args:
        job_names: a name, several, or a manifest.
        conn_id: the Airflow connection.

    Raises:
        InputError: a job has not ended; cancel it first, with `GenAIBatchCancelOperator`.
    """

    def execute(self, context: Context) -> None:  # noqa: ARG002 - Airflow's signature
        """Delete the jobs."""
        names = self._names(or_none=True)
        with open_client(self.conn_id) as client:
            for name in names:
                try:
                    job = client.get(name)
                    if not job.state.final:
                        msg = (
                            f"Job {name} is {job.state.value}; deleting it now would leave it billed and unread. "
                            "Cancel it first (GenAIBatchCancelOperator)."
                        )
                        raise InputError(msg)
                    client.delete(name)
                    self.log.info("Deleted job %s.", name)
                except NotFound:
                    self.log.info("Job %s does not exist (any more).", name)
