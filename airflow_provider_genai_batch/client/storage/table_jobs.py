"""Jobs in BigQuery with ids that the caller chooses, so that none runs twice: statements and loads.

Sources: ``jobs.insert`` of BigQuery's REST reference; "Loading JSON data" for the input of a load job.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import SEEK_END
from typing import Any, BinaryIO

from airflow_provider_genai_batch.wire.tables.sql import TableName


@dataclass(frozen=True)
class Statement:
    """One statement.

    Attributes:
        sql: the text of the statement.
        job_id: the beginning of the job's id; a number follows, which counts earlier jobs that are of no use.
        location: the location where it runs.
        labels: the labels of the job.
        makes: the table that it creates. An ended job only counts as long as this table exists.
        again: whether an ended job counts at all. If not, the statement runs again.
        max_bytes: the most bytes that it may be billed for; None: no limit.
    """

    sql: str = field(repr=False)
    job_id: str
    location: str
    labels: Mapping[str, str] = field(default_factory=dict)
    makes: TableName | None = None
    again: bool = False
    max_bytes: int | None = None

    def begin(self, client: Any, job_id: str, seconds: float) -> None:
        """Create the job through Google's client; one call, never repeated."""
        from google.cloud import bigquery

        config = bigquery.QueryJobConfig(labels=dict(self.labels))
        if self.max_bytes is not None:  # None would be sent as a text
            config.maximum_bytes_billed = self.max_bytes
        client.query(
            self.sql,
            job_id=job_id,
            job_config=config,
            location=self.location,
            retry=None,
            job_retry=None,
            timeout=seconds,
        )


@dataclass(frozen=True)
class Load:
    """Lines of JSON that replace the rows and the schema of a table.

    Attributes:
        lines: the lines, seekable; they are read from the start.
        table: the table that is written.
        schema: the schema of its columns, as the service writes it.
        job_id: the beginning of the job's id, see `Statement`.
        location: the location where it runs.
        labels: the labels of the job.
    """

    lines: BinaryIO = field(repr=False)
    table: TableName
    schema: Sequence[Mapping[str, Any]] = field(repr=False)
    job_id: str
    location: str
    labels: Mapping[str, str] = field(default_factory=dict)
    makes: TableName | None = None
    again: bool = False

    def begin(self, client: Any, job_id: str, seconds: float) -> None:
        """Create the job together with its lines, in one upload that is never repeated, not even in part."""
        from google.cloud import bigquery

        config = bigquery.LoadJobConfig(
            schema=[bigquery.SchemaField.from_api_repr(dict(one)) for one in self.schema],
            source_format="NEWLINE_DELIMITED_JSON",
            write_disposition="WRITE_TRUNCATE",
            labels=dict(self.labels),
            max_bad_records=0,
        )
        size = self.lines.seek(0, SEEK_END)
        client.load_table_from_file(
            self.lines,
            f"{self.table.project}.{self.table.dataset}.{self.table.table}",
            rewind=True,
            size=size,
            num_retries=0,
            job_id=job_id,
            job_config=config,
            location=self.location,
            timeout=seconds,
        )
