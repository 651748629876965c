"""Jobs of BigQuery that the caller names, so that none runs twice: statements, and loads of lines.

Sources: ``jobs.insert`` of BigQuery's REST reference; "Loading JSON data" for what a load job takes.
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
        sql: its text.
        job_id: of the job that runs it; a number is added for each earlier job of that id that is of no use.
        location: where.
        labels: of the job.
        makes: the table that it makes; a job that ended counts only while that is there.
        again: whether a job of that id that ended counts at all; else the statement runs again.
        max_bytes: that it may be billed for.
    """

    sql: str = field(repr=False)
    job_id: str
    location: str
    labels: Mapping[str, str] = field(default_factory=dict)
    makes: TableName | None = None
    again: bool = False
    max_bytes: int | None = None

    def begin(self, client: Any, job_id: str, seconds: float) -> None:
        """Create the job by Google's client; one call, never repeated."""
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
    """Lines of JSON that replace a table, with its schema.

    Attributes:
        lines: seekable; read from the start.
        table: that is written.
        schema: of its columns, as the service has them.
        job_id: of the job, as a statement's.
        location: where.
        labels: of the job.
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
        """Create the job, whose lines travel with it; one upload, of which no part is repeated."""
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
