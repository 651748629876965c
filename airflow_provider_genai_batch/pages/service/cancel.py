"""Cancellation of a job by a person. Like the command ``cancel``, it first reads the job by its name."""

from __future__ import annotations

from concurrent.futures import TimeoutError as NoAnswer
from dataclasses import dataclass

from airflow_provider_genai_batch.client.jobs import cancel_job
from airflow_provider_genai_batch.exceptions import ApiError, CallError, ServerError
from airflow_provider_genai_batch.hooks.genai_batch import open_client
from airflow_provider_genai_batch.models.jobs.cancellation import Cancellation
from airflow_provider_genai_batch.models.jobs.identity import key_of_job
from airflow_provider_genai_batch.pages.service.lists import LISTS
from airflow_provider_genai_batch.pages.service.threads import Threads
from airflow_provider_genai_batch.pages.service.trouble import trouble_of

_PATIENCE = 25.0
_THREADS = Threads("cancel", at_once=4)


@dataclass(frozen=True)
class Answer:
    """The result of a request to cancel a job.

    Attributes:
        words: a sentence about the job, without the job's name at its beginning.
        asked: whether the service accepted the cancellation.
    """

    words: str
    asked: bool = False


def cancel(conn_id: str, name: str, key: str) -> Answer:
    """Cancel a job if it belongs to a task instance, and return what became of it.

    Args:
        conn_id: the connection.
        name: the name of the job.
        key: the short key of the task instance; the job that is read must carry it.
    """
    asked = _THREADS.start_now(lambda: _cancelled(conn_id, name, key))
    if asked is None:
        return Answer("goes on: the page is busy with other cancellations. Try again in a moment.")
    try:
        became = asked.result(_PATIENCE)
    except NoAnswer:
        return Answer("may have been cancelled: the service has not answered yet. Look again in a while.")
    except Exception as error:  # noqa: BLE001 - a person waits for the answer, whatever a secrets backend raises
        if _may_have_arrived(error):
            return Answer(f"may have been cancelled: {trouble_of(error).rstrip('.')}. Look again in a while.")
        return Answer(f"could not be cancelled, and may go on: {trouble_of(error)}")
    LISTS.forget(conn_id)
    return Answer(f"{became.words}.", became.asked)


def _may_have_arrived(error: Exception) -> bool:
    """Whether the cancellation was sent, and the service has not refused it."""
    sent = isinstance(error, CallError) and error.method.endswith(".cancel")
    return sent and (isinstance(error, ServerError) or not isinstance(error, ApiError))


def _cancelled(conn_id: str, name: str, key: str) -> Cancellation:
    with open_client(conn_id) as client:
        return client.run(cancel_job(client.calls, name, only_if=lambda job: key_of_job(job) == key))
