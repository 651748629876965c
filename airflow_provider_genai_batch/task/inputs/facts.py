"""What is known of the requests, small enough for a deferral."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput


@dataclass(frozen=True)
class InputFacts:
    """What is known of the requests, small enough for a deferral."""

    requests: int | None = None
    keyed: bool = False
    stamped: bool = False
    """All keys were stamped here, so they are known without the input."""
    key_sum: int | None = None
    """Stands for the set of keys, see `requests.duplicate_keys.DuplicateKeyFinder`; None: they are stamps of places."""
    for_type: bool = False
    """One of the requests has a response schema."""
    content: str | None = None
    """Digest of all lines: tells whether an input that is read again is what it was."""
    snapshot: str | None = None
    """The table in which rows of a table in BigQuery are kept."""

    @classmethod
    def of(cls, prepared: PreparedInput) -> InputFacts:
        """Keep of an input what its rows need."""
        stamped = prepared.stamped > 0 and prepared.stamped == prepared.requests
        content = prepared.content if isinstance(prepared.content, str) else None
        snapshot = prepared.snapshot if prepared.table is None else prepared.table.inputs.table
        return cls(
            prepared.requests,
            prepared.keyed,
            stamped,
            prepared.key_sum,
            prepared.asks_for_type,
            content,
            snapshot,
        )

    def joins(self, job: BatchJob) -> bool:
        """Whether a job's rows can be counted beside those of another job of the same requests.

        Their keys tell which rows are of one request. Rows in BigQuery are counted by their tables, also those of a job
        that has yet to write its own.
        """
        table = job.output.bigquery_table or (job.destination and job.destination.bigquery_uri)
        return self.requests is not None and self.keyed and not table
