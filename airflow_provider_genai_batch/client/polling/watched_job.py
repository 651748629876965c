"""A watched job, and the watcher that gets the answers about it."""

from __future__ import annotations

from typing import Protocol

from airflow_provider_genai_batch.models.jobs.job_status import JobStatus


class Watcher(Protocol):
    """Gets the answers about watched jobs."""

    def on_answer(self, watched: WatchedJob, error: Exception | None) -> None:
        """Take an answer: the job in ``watched.job``, or an error. This must not raise, and must not take long."""


class WatchedJob:
    """One watched job: the question about it, and what was seen last.

    Args:
        name: the name of the job.
        watcher: gets the answers.
        listed: whether the connection's list contains the job.
    """

    __slots__ = (
        "due",
        "failed",
        "job",
        "list_says_ended",
        "listed",
        "name",
        "open",
        "shown",
        "watcher",
        "welcome_from",
    )

    def __init__(self, name: str, watcher: Watcher, *, listed: bool) -> None:
        self.name = name
        self.watcher = watcher
        self.listed = listed
        self.open = False
        """Whether a question is waiting for its answer."""
        self.due = self.welcome_from = 0.0
        """When the question must be answered, and the earliest time at which an answer is accepted (monotonic)."""
        self.failed = 0.0
        """When the last look by name failed with a temporary error (monotonic seconds); 0: it did not fail."""
        self.list_says_ended = False
        """Whether the list says that the job has ended."""
        self.shown: int | None = None
        """Hash of what the list showed last: small, and ignored by the garbage collector."""
        self.job: JobStatus | None = None

    def answer(self, job: JobStatus) -> None:
        """Answer the question."""
        self.job = job
        if self.open:
            self.open = False
            self.watcher.on_answer(self, None)

    def fail(self, error: Exception) -> None:
        """Answer the question with an error."""
        if self.open:
            self.open = False
            self.watcher.on_answer(self, error)
