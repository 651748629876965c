"""What happens to the jobs of a round that were submitted before one that could not be."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from airflow_provider_genai_batch.client.cancel import cancel_jobs
from airflow_provider_genai_batch.exceptions import (
    CallError,
    JobCancelled,
)
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.task.port import TaskPort
from airflow_provider_genai_batch.task.shared import Shared

log = logging.getLogger(__name__)


def became_of(shared: Shared, names: Sequence[str], over: Sequence[str] = ()) -> str:
    """Return text about the jobs before one that was not submitted; cancel those in `over`, whose time is over."""
    became = "Those still running are left running and are billed as they go."
    if over and shared.settings.on_timeout == "cancel":
        try:
            ends = cancel_jobs(shared.client, over)
            stopping = any(end.asked for end in ends.values())
            became = " ".join(
                [
                    *(["Cancellation of those still running was requested."] if stopping else []),
                    *(f"{name} {end.words}." for name, end in ends.items() if not end.asked),
                ]
            )
        except CallError as error:
            became = (
                f"Not all of those still running could be cancelled ({error}): they are billed as they go."
            )
    return f"Before it, {', '.join(names)} had been submitted. {became} The next attempt uses their rows."


def stop_if_killed(task: TaskPort, job: BatchJob) -> None:
    """End the attempt if somebody killed the task while it submitted a job.

    Raises:
        JobCancelled: somebody did.
    """
    if task.killed and (became := task.cancel_unwanted()):
        own = became.get(job.name)
        said = "has ended" if own is None else own.words
        msg = (
            f"The task was killed while it submitted job {job.name}, which {said}. Its answers are billed. "
            "The next attempt uses its rows and submits the missing ones."
        )
        raise JobCancelled(msg, job_names=[job.name])
