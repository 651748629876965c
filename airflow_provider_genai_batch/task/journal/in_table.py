"""Loads answers of immediate calls into BigQuery, for tasks whose rows stay there."""

from __future__ import annotations

from hashlib import sha256

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.client.storage.table_jobs import Load
from airflow_provider_genai_batch.models import BatchJob, BatchSource
from airflow_provider_genai_batch.models.jobs.identity import digest
from airflow_provider_genai_batch.models.jobs.job import JobOutput
from airflow_provider_genai_batch.models.jobs.journal import Writer
from airflow_provider_genai_batch.task.files.files import spool
from airflow_provider_genai_batch.task.journal.journal import journal_of
from airflow_provider_genai_batch.task.tables.land import TableLanding
from airflow_provider_genai_batch.task.tables.staged import DAYS, requests_name
from airflow_provider_genai_batch.wire.tables.journaled import COLUMNS, as_answer
from airflow_provider_genai_batch.wire.tables.load import schema


def in_table(client: GenAIBatchClient, job: BatchJob, into: TableLanding) -> BatchJob:
    """Load the answers of a writer into a table, once for the same answers, and return them as the job that wrote it.

    Args:
        client: the client of the task's connection.
        job: the answers in a journal, as an ended job.
        into: the table in which they will land with others.

    Raises:
        CallError: the journal cannot be read, or BigQuery could not be reached, or refused.
    """
    assert job.output.journal is not None  # noqa: S101 - else it is a job at the service
    journal, who = journal_of(client, job.output.journal, job.name, job.model), Writer.of(job.name)
    staging, queries, content = into.ask.staging, client.queries, sha256()
    with spool() as lines:
        for part in journal.parts():
            if part.writer == who.name:
                for line in journal.lines([part]):
                    row = as_answer(line, part.at)
                    content.update(row)
                    lines.write(row)
        if not lines.tell():
            return job
        table = staging.table(f"genai_answers_{digest([job.name, content.hexdigest()])[:16]}")
        location = queries.location_of(staging)
        named = (lines, table, schema(COLUMNS), table.table, location, into.labels)
        queries.run(Load(*named, makes=table, again=True))
    queries.keep_for(table, DAYS, into.labels)
    requests = BatchSource(bigquery_uri=requests_name(staging, who.tag).uri)
    output = JobOutput(bigquery_table=table.uri, journal=job.output.journal)
    return job.model_copy(update={"source": requests, "output": output})
