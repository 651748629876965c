"""Downloads of an ended job's rows, resumed where they broke off."""

from __future__ import annotations

import logging
from collections.abc import Generator
from typing import Any

from airflow_provider_genai_batch.client.calls import Call, Calls
from airflow_provider_genai_batch.client.pages import Pages
from airflow_provider_genai_batch.exceptions import TransportError, UnreadableAnswer, UnsupportedError
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.printable import printable
from airflow_provider_genai_batch.wire.lines.line_reader import LineReader
from airflow_provider_genai_batch.wire.services import gemini
from airflow_provider_genai_batch.wire.services.http import read_object

log = logging.getLogger(__name__)


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
        pages, prefix = Pages(f"objects below {output.gcs_directory}"), f"{output.gcs_directory.rstrip('/')}/"
        while not pages.over:
            # Shards have had several names, so every JSONL object in the directory is one.
            objects, token = yield calls.list_objects(prefix, page_token=pages.token)
            pages.turn(token)
            found += [calls.download_object(o.uri) for o in objects if o.uri.endswith(".jsonl")]
        return found
    if job.backend is Backend.GEMINI:
        # Looks leave inline rows out, so only the whole job tells; jobs over a file were seen to answer inline too.
        payload = yield calls.get(job.name, read=read_object)
        late = gemini.read_job(payload).output.file_name
        return [calls.download_file(late)] if late else list(gemini.inline_rows(payload))
    return []


def download_call(calls: Calls, address: str) -> Call[None]:
    """Return the call that reads a generated ``files/…`` or a ``gs://bucket/object``."""
    return calls.download_object(address) if address.startswith("gs://") else calls.download_file(address)


class Lines:
    """What came of the lines of a job's files."""

    def __init__(self, job: BatchJob) -> None:
        self._job = job
        self._read = self._bad = 0
        self._reasons = ""

    def took(self, reader: LineReader) -> None:
        """Note a file that was read to its end; its lines that are no rows are warned of."""
        self._read += reader.line
        self._bad += reader.bad_count
        self._reasons = self._reasons or "; ".join(map(printable, reader.bad))
        if reader.bad_count:
            log.warning("%d lines of %s are not rows (%s).", reader.bad_count, self._job.name, self._reasons)

    def check(self, rows: int) -> None:
        """Tell answers that nobody can read from none.

        Raises:
            UnreadableAnswer: lines came, and none of them was a row.
        """
        if self._bad and not rows:
            msg = f"{self._read} lines arrived, and none of them can be read as a row ({self._reasons})"
            raise UnreadableAnswer(msg)


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

    def end(self) -> None:
        """Check that the attempt that came to its end was not shorter than one before.

        Raises:
            TransportError: it was, so the parts do not belong together.
        """
        if self._skip:
            msg = f"the download ended {self._skip} bytes before the point where it had broken off"
            raise TransportError(msg, method=self.call.method)
