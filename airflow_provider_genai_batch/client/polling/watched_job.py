"""A job that is watched, and whoever wants to know of it."""

from __future__ import annotations

from typing import Protocol

from airflow_provider_genai_batch.models.jobs.job_status import JobStatus


class Watcher(Protocol):
    """Whoever wants to know."""

    def on_answer(self, watched: WatchedJob, error: Exception | None) -> None:
        """Take an answer: the job in ``watched.job``, or trouble. It must not raise, and not take long."""


class WatchedJob:
    """One job that is watched: what is asked about it, and what was seen last.

    Args:
        name: the job.
        watcher: who gets the answers.
        listed: whether the connection's list has the job.
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
        """When it has to be answered, and from when on an answer is welcome (monotonic seconds)."""
        self.failed = 0.0
        """When the last look by name met trouble that may pass (monotonic seconds); 0: it did not."""
        self.list_says_ended = False
        """Whether the list says that the job has ended."""
        self.shown: int | None = None
        """Hash of what the list showed last: small, and the garbage collector has nothing to do with it."""
        self.job: JobStatus | None = None

    def answer(self, job: JobStatus) -> None:
        """Answer the question."""
        self.job = job
        if self.open:
            self.open = False
            self.watcher.on_answer(self, None)

    def fail(self, error: Exception) -> None:
        """Answer the question with trouble."""
        if self.open:
            self.open = False
            self.watcher.on_answer(self, error)
