"""The state of a job in common.ai's terms."""

from __future__ import annotations

from airflow.providers.common.ai.batch.base import BatchState, BatchStatus

from airflow_provider_genai_batch.adapters.rows import was_cut_short
from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.exceptions import NotFound
from airflow_provider_genai_batch.flows.outcome.messages import reason
from airflow_provider_genai_batch.flows.outcome.settle import refuse_paused
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.jobs.job import Verdict

_STATUSES: dict[Verdict, BatchStatus] = {
    Verdict.WAIT: "in_progress",
    Verdict.ROWS: "completed",
    Verdict.FAILED: "failed",
    Verdict.EXPIRED: "expired",
    Verdict.CANCELLED: "cancelled",
}


class JobGone(NotFound):
    """The job does not exist, or no longer exists; this is the error that common.ai expects."""

    status_code = 404


def state_of(client: GenAIBatchClient, name: str, most: int) -> BatchState:
    """Look at a job.

    Args:
        client: the client of the job's connection.
        name: the name of the job.
        most: the most requests that a job can have.

    Raises:
        JobGone: the job does not exist, or no longer exists.
        JobPaused: the job is paused. common.ai has no such state, and each of its states would act on the job.
    """
    try:
        job = client.get(name)
    except NotFound as error:
        raise JobGone(error.message, code=error.code, status=error.status, method=error.method) from error
    refuse_paused([job])
    status = "cancelled" if was_cut_short(client, job) else _STATUSES[job.verdict]
    said = None if job.problem is None else f"Job {job.name}: {reason(job)}."
    return BatchState(status, _counts(job, most), said)


def _counts(job: BatchJob, most: int) -> dict[str, int]:
    """Return the service's counts. Requests that were never processed count by how the job ended.

    Vertex AI does not always report how many requests there were. Then this assumes the largest possible number
    (`most`), because common.ai applies it only to requests without a row.
    """
    done, failed = job.counts.succeeded or 0, job.counts.failed or 0
    rest = most if job.counts.total is None else max(0, job.counts.total - done - failed)
    return {
        "succeeded": done,
        "errored": failed,
        "expired": rest if job.verdict is Verdict.EXPIRED else 0,
        "cancelled": rest if job.verdict is Verdict.CANCELLED else 0,
    }
