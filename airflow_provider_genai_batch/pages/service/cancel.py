"""Cancellation of a job by a person. Like the command ``cancel``, it first reads the job by its name."""

from __future__ import annotations

from concurrent.futures import TimeoutError as NoAnswer
from dataclasses import dataclass

from airflow.providers.common.compat.sdk import AirflowNotFoundException

from airflow_provider_genai_batch.client.jobs import cancel_job
from airflow_provider_genai_batch.exceptions import GenAIBatchError
from airflow_provider_genai_batch.hooks.genai_batch import open_client
from airflow_provider_genai_batch.models.jobs.cancellation import Cancellation
from airflow_provider_genai_batch.models.jobs.identity import key_of_job
from airflow_provider_genai_batch.pages.service.lists import LISTS
from airflow_provider_genai_batch.pages.service.threads import start
from airflow_provider_genai_batch.printable import printable

_PATIENCE = 25.0


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
    try:
        became = start(lambda: _cancelled(conn_id, name, key), "cancel").result(_PATIENCE)
    except NoAnswer:
        return Answer("may have been cancelled: the service has not answered yet. Look again in a while.")
    except (GenAIBatchError, AirflowNotFoundException) as error:
        said = f"{type(error).__name__}: {printable(str(error), 300)}"
        return Answer(f"could not be cancelled, and may go on: {said}")
    LISTS.forget(conn_id)
    return Answer(f"{became.words}.", became.asked)


def _cancelled(conn_id: str, name: str, key: str) -> Cancellation:
    with open_client(conn_id) as client:
        return client.run(cancel_job(client.calls, name, only_if=lambda job: key_of_job(job) == key))
