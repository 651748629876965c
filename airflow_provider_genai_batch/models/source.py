"""The source of requests, and the destination that the service writes to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import model_validator

from airflow_provider_genai_batch.models.base import Noun
from airflow_provider_genai_batch.models.sql_source import SqlSource


class BatchSource(Noun):
    """Where requests come from; exactly one field is set.

    `wire.parameters.sources` reads all forms of ``src`` that users may write.
    """

    gcs_uri: tuple[str, ...] = ()
    """Vertex: one or more ``gs://bucket/object``."""
    bigquery_uri: str | None = None
    """Vertex: ``bq://project.dataset.table``."""
    file_name: str | None = None
    """Gemini: ``files/…``, a JSONL file that has already been uploaded."""
    inlined_requests: tuple[Any, ...] | None = None
    """Requests themselves: str, dict, `BatchRequest` or google-genai objects."""
    stream: Any = None
    """Requests from an iterator, which can be read only once."""
    path: str | None = None
    """A local path or object-storage URI of a file that this package reads and uploads."""
    sql: SqlSource | None = None
    """A database query; this package turns its rows into requests."""

    @property
    def written_here(self) -> bool:
        """Whether this package writes the requests that the service gets, and may add to them."""
        return self.path is not None or self.sql is not None or self.requests is not None

    @property
    def requests(self) -> Iterable[Any] | None:
        """Requests that are given as Python objects, whether they can be read once or several times."""
        return self.stream if self.inlined_requests is None else self.inlined_requests

    @model_validator(mode="after")
    def _one_place(self) -> BatchSource:
        given = [name for name, value in self if value not in ((), None)]
        if self.inlined_requests == ():
            given.append("inlined_requests")
        if len(given) != 1:
            msg = f"a source is one place, not {len(given)}: {', '.join(given) or 'none given'}"
            raise ValueError(msg)
        return self


class BatchDestination(Noun):
    """Where Vertex writes; exactly one field is set."""

    gcs_uri: str | None = None
    """``gs://bucket/prefix/``: the service makes a directory of its own below it."""
    bigquery_uri: str | None = None
    """``bq://project``, ``bq://project.dataset`` or ``bq://project.dataset.table``."""

    @model_validator(mode="after")
    def _one_place(self) -> BatchDestination:
        if (self.gcs_uri is None) == (self.bigquery_uri is None):
            msg = "a destination is either gcs_uri or bigquery_uri"
            raise ValueError(msg)
        return self
