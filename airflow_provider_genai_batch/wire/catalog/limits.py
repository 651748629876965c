"""The limits of one job.

Source: Google's rate limits page (Gemini), "Batch inference with Gemini" and "Get batch embeddings
inferences" (Vertex AI), 2026.
"""

from __future__ import annotations

from typing import NamedTuple

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.models.family import Family
from airflow_provider_genai_batch.wire.catalog.publishers import family_of
from airflow_provider_genai_batch.wire.prompts.backend_fields import SERVICE_NAMES
from airflow_provider_genai_batch.wire.prompts.embed import takes_text_only
from airflow_provider_genai_batch.wire.services.gemini import MAX_FILE_BYTES

MAX_LINE_BYTES = 100 * 1024**2
"""Limit of one row: a line is held in memory while it is checked. It exceeds any request that a service takes."""


_CLAUDE_JOBS = 4
"""At a time in a project, by "Batch predictions with Anthropic Claude models"; it does not say what a fifth gets."""


def jobs_at_once(model: str) -> int | None:
    """Return how many jobs of the model's family a project may run at a time; None: no limit is documented."""
    return _CLAUDE_JOBS if family_of(model) is Family.ANTHROPIC else None


class Limits(NamedTuple):
    """The most that one input file may hold; None: no limit is documented."""

    max_bytes: int | None
    max_requests: int | None
    service: str

    def are_passed(self, rows: int, size: int) -> bool:
        """Whether a file has exceeded a limit."""
        return (self.max_requests is not None and rows > self.max_requests) or (
            self.max_bytes is not None and size > self.max_bytes
        )

    def check(self, rows: int, size: int, where: str) -> None:
        """Refuse a file that has exceeded a limit.

        Raises:
            RequestError: it has; nothing was paid.
        """
        remedy = "Make several jobs of it."
        if self.max_requests is not None and rows > self.max_requests:
            msg = f"more than {self.max_requests} requests, which is what {self.service} takes in one job"
            raise RequestError(msg, remedy, where=where)
        if self.max_bytes is not None and size > self.max_bytes:
            msg = f"the file is over {self.max_bytes} bytes, which is what {self.service} takes in one file"
            raise RequestError(msg, remedy, where=where)


def limits_of(
    backend: Backend, task: Task, model: str, *, max_bytes: int | None = None, max_requests: int | None = None
) -> Limits:
    """Return the limits of a job; `max_bytes` and `max_requests` replace the service's own."""
    own_bytes: int | None = MAX_FILE_BYTES
    own_requests: int | None = None
    if family_of(model) is not Family.GOOGLE:
        own_bytes = None  # no page names a limit for partners' models
    elif backend is Backend.VERTEX:
        own_bytes, own_requests = 1024**3, 200_000
        if task is Task.EMBED:
            own_requests = 30_000 if takes_text_only(model, backend) else 1_000_000
    return Limits(
        own_bytes if max_bytes is None else max_bytes,
        own_requests if max_requests is None else max_requests,
        SERVICE_NAMES[backend],
    )
