"""The rows of a table in BigQuery as lines of requests, where the service does not read BigQuery."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from hashlib import blake2b

from pydantic_core import to_json

from airflow_provider_genai_batch.models import BatchSource
from airflow_provider_genai_batch.results.external_sort import in_order
from airflow_provider_genai_batch.task.inputs.bigquery.rows import TableReader
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.task.inputs.reading import InputReader
from airflow_provider_genai_batch.task.tables.staged import StagedTable


def read_stream(reader: TableReader, lines: InputReader, snapshot: str | None = None) -> PreparedInput:
    """Keep the rows, and spool the requests that BigQuery makes of them, in an order that is theirs.

    BigQuery gives rows in any order. What is asked, and by which of several jobs, is known by the lines in their
    order: so they are sorted here, or a retry would ask all of them again.

    Args:
        reader: keeps the rows.
        lines: checks the requests, and spools them.
        snapshot: the table that this attempt has kept the rows in already.

    Raises:
        InputError: all that is wrong with the table, in one message; or a request that cannot be sent.
        CallError: BigQuery was not to be reached, or is in trouble.
    """
    kept = reader.keep(snapshot)
    address = reader.ask.source.uri
    with in_order(_placed(reader, kept.table)) as sorted_lines:
        prepared = lines.checked(address, sorted_lines)
    return replace(prepared, source=BatchSource(bigquery_uri=address), snapshot=kept.table.inputs.table)


def _placed(reader: TableReader, table: StagedTable) -> Iterator[tuple[int, bytes]]:
    for key, request in table.lines(reader.client):
        name = to_json(key)
        place = int.from_bytes(blake2b(name, digest_size=8).digest(), "big") >> 1
        yield place, b'{"key":%b,"request":%b}\n' % (name, request.encode())
