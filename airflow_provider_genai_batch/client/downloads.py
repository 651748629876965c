"""Where an ended job's rows are, and how to take up a download that broke off."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from airflow_provider_genai_batch.client.calls import Call, Calls
from airflow_provider_genai_batch.exceptions import UnsupportedError
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.wire import gemini
from airflow_provider_genai_batch.wire.http import read_object


def row_sources(calls: Calls, job: BatchJob) -> Generator[Any, Any, list[Any]]:
    """Find a job's rows: a list of download calls (JSONL to stream) and of rows (dicts) that came inline.

    Raises:
        UnsupportedError: the rows are in BigQuery.
    """
    output = job.output
    if output.bigquery_table:
        msg = f"The rows of {job.name} are in {output.bigquery_table}; read them there with SQL."
        raise UnsupportedError(msg)
    if output.file_name:
        return [calls.download_file(output.file_name)]
    if output.gcs_directory:
        found: list[Any] = []
        token: str | None = None
        while token != "":
            # Shards have had several names, so every JSONL object in the directory is one.
            objects, token = yield calls.list_objects(
                f"{output.gcs_directory.rstrip('/')}/", page_token=token
            )
            found += [calls.download_object(o.uri) for o in objects if o.uri.endswith(".jsonl")]
        return found
    if output.inline:
        payload = yield calls.get(job.name, read=read_object)
        return list(gemini.inline_rows(payload))
    return []


def download_call(calls: Calls, address: str) -> Call[None]:
    """Return the call that reads a generated ``files/…`` or a ``gs://bucket/object``."""
    return calls.download_object(address) if address.startswith("gs://") else calls.download_file(address)


class Resumed:
    """Joins the attempts at one download: a repeated one skips the bytes that were handed out already."""

    def __init__(self, call: Call[None]) -> None:
        self.call = call
        self.handed_out = 0
        self._skip = 0

    def again(self) -> None:
        """Begin an attempt (from the first byte: ranges are not documented on every service)."""
        self._skip = self.handed_out

    def take(self, chunk: bytes) -> bytes:
        """Return what is new in a chunk."""
        if self._skip >= len(chunk):
            self._skip -= len(chunk)
            return b""
        new = chunk[self._skip :]
        self._skip = 0
        self.handed_out += len(new)
        return new
