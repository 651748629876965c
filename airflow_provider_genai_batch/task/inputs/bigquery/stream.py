"""Reads the rows of a BigQuery table as lines of requests, if they have to pass through the worker."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from hashlib import blake2b
from typing import Any

from pydantic_core import to_json

from airflow_provider_genai_batch.models import BatchSource
from airflow_provider_genai_batch.models.jobs.identity import Identity
from airflow_provider_genai_batch.results.external_sort import in_order
from airflow_provider_genai_batch.task.inputs.bigquery.rows import TableReader
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.task.inputs.reading import InputReader
from airflow_provider_genai_batch.task.tables.staged import StagedTable
from airflow_provider_genai_batch.wire.tables.sql import read_table


def read_stream(reader: TableReader, lines: InputReader, snapshot: str | None = None) -> PreparedInput:
    """Take a snapshot of the rows, and spool the requests that BigQuery makes from them, always in the same order.

    BigQuery returns rows in any order. The lines and their order identify an input and its part for each job, so they
    are sorted here; otherwise a retry would submit all of them again.

    Args:
        reader: takes the snapshot.
        lines: checks and spools the requests.
        snapshot: the snapshot that this attempt has already.

    Raises:
        InputError: the table cannot be used (the message lists all problems), or a request cannot be sent.
        CallError: BigQuery could not be reached, or failed.
    """
    kept = reader.keep(snapshot)
    address = reader.ask.source.uri
    prepared = _in_order(address, kept.table.lines(reader.client), lines)
    return replace(prepared, source=BatchSource(bigquery_uri=address), snapshot=kept.table.inputs.table)


def read_placed(table: StagedTable, identity: Identity, lines: InputReader) -> PreparedInput:
    """Make the table of requests of a round as for a job, and spool them, always in the same order.

    Args:
        table: the snapshot with the rows.
        identity: the identity of the round.
        lines: checks and spools the requests.

    Raises:
        InputError: a request cannot be sent.
        CallError: BigQuery could not be reached, or failed.
    """
    address = str(table.place(lines.client, identity).bigquery_uri)
    placed = read_table(address, "The table of requests")
    sql = f"SELECT key, request FROM {placed}"  # noqa: S608 - names are checked where they are read
    return _in_order(address, lines.client.queries.stream(sql, table.location, table.labels), lines)


def _in_order(address: str, rows: Iterable[tuple[Any, ...]], lines: InputReader) -> PreparedInput:
    with in_order(_placed(rows)) as sorted_lines:
        return lines.checked(address, sorted_lines)


def _placed(rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[int, bytes]]:
    for key, request in rows:
        name = to_json(key)
        place = int.from_bytes(blake2b(name, digest_size=8).digest(), "big") >> 1
        yield place, b'{"key":%b,"request":%b}\n' % (name, request.encode())
