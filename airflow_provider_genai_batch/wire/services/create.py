"""A create call as data: everything that decides what is sent to which service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_genai_batch.exceptions import InputError
from airflow_provider_genai_batch.models import BatchDestination, BatchSource
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.wire.services import gemini, vertex
from airflow_provider_genai_batch.wire.services.http import HttpRequest


@dataclass(frozen=True)
class JobSpec:
    """A job ready to be created: its input is in a place that the service reads."""

    backend: Backend
    model: str
    task: Task
    display_name: str | None
    source: BatchSource | None = None
    """``file_name`` (Gemini), ``gcs_uri`` or ``bigquery_uri`` (Vertex); None for inline entries."""
    entries: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    """Gemini inline requests in the service's format."""
    destination: BatchDestination | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    webhook: Mapping[str, Any] | None = field(default=None, repr=False)
    priority: int | None = None

    @property
    def method(self) -> str:
        """Google's name of the call."""
        if self.backend is Backend.VERTEX:
            return "batchPredictionJobs.create"
        return "batches.create" if self.task is Task.GENERATE else "batches.createEmbeddings"

    def gemini(self, root: str) -> HttpRequest:
        """Return the call for the Gemini API.

        Raises:
            InputError: the body is over the service's limit.
        """
        body = gemini.create_body(
            file_name=self.source.file_name if self.source else None,
            entries=self.entries,
            display_name=self.display_name,
            webhook=self.webhook,
            priority=self.priority,
        )
        request = gemini.create(root, self.model, self.task, body)
        size = len(request.body or b"")
        if size > gemini.MAX_BODY_BYTES:
            msg = (
                f"The create call would be {size} bytes; the Gemini API takes {gemini.MAX_BODY_BYTES} inline. "
                "Give the requests as a JSONL file (a path or object-storage URI) instead."
            )
            raise InputError(msg)
        return request

    def vertex(self, parent: str) -> HttpRequest:
        """Return the call for Vertex AI.

        Raises:
            InputError: source or destination is missing.
        """
        if self.source is None or self.destination is None or self.display_name is None:
            msg = "A Vertex job needs a source, a destination and a display name."
            raise InputError(msg)
        body = vertex.create_body(
            self.model, self.source, self.destination, display_name=self.display_name, labels=self.labels
        )
        return vertex.create(parent, body)
