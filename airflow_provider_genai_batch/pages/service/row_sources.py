"""Yields the rows of a task from where they landed, a bounded part of them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.exceptions import InputError
from airflow_provider_genai_batch.models import BatchJob, Manifest, RowStatus
from airflow_provider_genai_batch.results.read_back import columns_as_rows, plain
from airflow_provider_genai_batch.results.sinks import form_of
from airflow_provider_genai_batch.task.files.files import matching_files, read_chunks, spool
from airflow_provider_genai_batch.task.parts.places import is_dataset

STATUSES = tuple(status.value for status in RowStatus)
_MOST_BYTES = 8 * 1024 * 1024
"""The most uncompressed bytes of rows that are searched."""
_MOST_COLUMNS = 64 * 1024 * 1024
"""The most bytes of Parquet files, each of which can only be read as a whole."""
_MOST_SCANNED = 20_000
"""The most rows that are read from the service."""


def rows_of(
    client: GenAIBatchClient, manifest: Manifest, is_own: Callable[[str, BatchJob], bool]
) -> Generator[Mapping[str, Any] | None, None, None]:
    """Yield rows; None: a limit is reached, and nothing follows.

    Args:
        client: the client of the task's connection.
        manifest: the task's manifest.
        is_own: returns whether the task may have read a job, by the name in the manifest and the job itself.

    Raises:
        InputError: a file cannot be read, or a job is not the task's own.
        CallError: the service does not return the rows.
    """
    uri = manifest.results_uri
    if not uri:
        yield from _at_the_service(client, manifest, is_own)
        return
    files = matching_files(uri, client) if is_dataset(uri) else [uri]
    if not files:
        raise FileNotFoundError(uri)
    if form_of(uri) == "parquet":
        yield from _of_columns(client, files)
    else:
        yield from _of_lines(client, files)


def _of_lines(client: GenAIBatchClient, files: Sequence[str]) -> Iterator[Mapping[str, Any] | None]:
    left = _MOST_BYTES
    for uri in files:
        lines = plain(io.BufferedReader(_Stream(read_chunks(uri, client))), form_of(uri))
        while line := lines.readline(left + 1):
            left -= len(line)
            if left < 0:
                yield None
                return
            row = json.loads(line)
            if isinstance(row, dict) and row.get("status") in STATUSES:
                yield row


def _of_columns(client: GenAIBatchClient, files: Sequence[str]) -> Iterator[Mapping[str, Any] | None]:
    left = _MOST_COLUMNS
    for uri in files:
        with spool() as stream:
            for chunk in read_chunks(uri, client):
                left -= stream.write(chunk)
                if left < 0:
                    yield None
                    return
            stream.seek(0)
            yield from columns_as_rows(stream)


def _at_the_service(
    client: GenAIBatchClient, manifest: Manifest, is_own: Callable[[str, BatchJob], bool]
) -> Iterator[Mapping[str, Any] | None]:
    scanned = 0
    for name in manifest.job_names:
        job = client.get(name)
        if not is_own(name, job):
            msg = f"{name} is no job of this task, and its parameters do not name it, so it was not read."
            raise InputError(msg)
        for row in client.plain_rows(job):
            scanned += 1
            if scanned > _MOST_SCANNED:
                yield None
                return
            yield row


class _Stream(io.RawIOBase):
    """A stream over chunks of bytes."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks, self._rest = iter(chunks), b""

    def readable(self) -> bool:
        """Return True, because the stream can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer, or a part of it."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = chunk
        part, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)
