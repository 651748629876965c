"""What is known of the requests, small enough for a deferral."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.wire.keys import MASK, sum_of_stamps


@dataclass(frozen=True)
class InputFacts:
    """What is known of the requests, small enough for a deferral."""

    requests: int | None = None
    keyed: bool = False
    stamped: bool = False
    """Whether all keys are generated from positions that begin with 0, so that they are known without the input."""
    key_sum: int | None = None
    """Checksum of the keys, see `requests.duplicate_keys.DuplicateKeyFinder`; None: they are known, see `stamped`."""
    for_type: bool = False
    """Whether a request has a response schema."""
    content: str | None = None
    """Digest of all lines: shows whether an input that is read again has changed."""
    snapshot: str | None = None
    """The snapshot of the rows of a BigQuery table."""

    @classmethod
    def of(cls, prepared: PreparedInput) -> InputFacts:
        """Return the facts about an input that are needed for its rows."""
        stamped, key_sum = prepared.stamped > 0 and prepared.stamped == prepared.requests, prepared.key_sum
        if stamped and prepared.first:  # neighbours in a larger input, such as a pilot of one row
            last = prepared.first + prepared.stamped
            stamped, key_sum = False, sum_of_stamps(prepared.first, last) & MASK
        content = prepared.content if isinstance(prepared.content, str) else None
        snapshot = prepared.snapshot if prepared.table is None else prepared.table.inputs.table
        return cls(
            prepared.requests,
            prepared.keyed,
            stamped,
            key_sum,
            prepared.asks_for_type,
            content,
            snapshot,
        )

    def joins(self, job: BatchJob) -> bool:
        """Whether a job's rows can be counted together with those of another job with the same requests.

        Keys show which rows belong to one request. Rows in BigQuery are counted by table, even if the job has yet to
        write its table.
        """
        table = job.output.bigquery_table or (job.destination and job.destination.bigquery_uri)
        return self.requests is not None and self.keyed and not table
