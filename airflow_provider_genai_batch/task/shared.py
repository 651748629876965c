"""Objects that all parts of an attempt share."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.task.jobs.finder import JobFinder
from airflow_provider_genai_batch.task.jobs.settler import JobSettler
from airflow_provider_genai_batch.task.jobs.watcher import JobWatcher
from airflow_provider_genai_batch.task.port import TaskPort
from airflow_provider_genai_batch.task.settings.settings import RunSettings


@dataclass(frozen=True)
class Shared:
    """Objects that all parts of an attempt share.

    Attributes:
        settings: the task's settings.
        task: the port to the task instance.
        client: the client of the task's connection.
        watcher: reads jobs, and waits for them.
        finder: looks for jobs.
        settler: lands their rows, and decides the outcome.
    """

    settings: RunSettings
    task: TaskPort
    client: GenAIBatchClient
    watcher: JobWatcher
    finder: JobFinder
    settler: JobSettler

    @property
    def usual(self) -> str:
        """How long jobs take, in words: by the connection's list if it was read, else by the task's own jobs."""
        own = (
            None
            if self.finder.usual
            else self.settler.ledger.times.usual(self.settings.model, self.settings.conn_id)
        )
        return self.finder.usual if own is None else own.words
