"""Downloads an ended job's rows, and continues where a download broke off."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, Iterator
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

_TOGETHER = 256 * 1024
"""The size that chunks are joined to before rows are read. TLS passes at most 16 KiB on at a time; in blocks of that
size, reading and writing a row takes a tenth more."""


def row_sources(calls: Calls, job: BatchJob) -> Generator[Any, Any, list[Any]]:
    """Find a job's rows: a list of download calls (JSONL to stream) and of inline rows (dicts).

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
            # Shards have had different names, so every JSONL object in the directory counts as one.
            objects, token = yield calls.list_objects(prefix, page_token=pages.token)
            pages.turn(token)
            found += [calls.download_object(o.uri) for o in objects if o.uri.endswith(".jsonl")]
        return found
    if job.backend is Backend.GEMINI:
        # Looks leave out inline rows, so the whole job is read. Jobs with a file as input may also answer inline.
        payload = yield calls.get(job.name, read=read_object)
        late = gemini.read_job(payload).output.file_name
        return [calls.download_file(late)] if late else list(gemini.inline_rows(payload))
    return []


def download_call(calls: Calls, address: str) -> Call[None]:
    """Return the call that reads a generated ``files/…`` or a ``gs://bucket/object``."""
    return calls.download_object(address) if address.startswith("gs://") else calls.download_file(address)


def together(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Join small chunks."""
    waiting, size = list[bytes](), 0
    for chunk in chunks:
        waiting.append(chunk)
        size += len(chunk)
        if size >= _TOGETHER:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


class Lines:
    """The lines of a job's files that were read, and why some are not rows."""

    def __init__(self, job: BatchJob) -> None:
        self._job = job
        self._read = self._bad = 0
        self._reasons = ""

    def took(self, reader: LineReader) -> None:
        """Record a file that was read to its end; log a warning about lines that are not rows."""
        self._read += reader.line
        self._bad += reader.bad_count
        self._reasons = self._reasons or "; ".join(map(printable, reader.bad))
        if reader.bad_count:
            log.warning(
                "Lines of %s that are not rows: %d (%s).", self._job.name, reader.bad_count, self._reasons
            )

    def check(self, rows: int) -> None:
        """Distinguish unreadable answers from no answers.

        Raises:
            UnreadableAnswer: lines came, but none was a row.
        """
        if self._bad and not rows:
            msg = f"{self._read} lines arrived, and none of them can be read as a row ({self._reasons})"
            raise UnreadableAnswer(msg)


class Resumed:
    """Joins the tries of one download: a later try skips the bytes that were yielded already."""

    def __init__(self, call: Call[None]) -> None:
        self.call = call
        self.handed_out = 0
        self._skip = 0

    def again(self) -> None:
        """Begin a try, from the first byte, because ranges are not documented on every service."""
        self._skip = self.handed_out

    def take(self, chunk: bytes) -> bytes:
        """Return the new bytes of a chunk."""
        if self._skip >= len(chunk):
            self._skip -= len(chunk)
            return b""
        new = chunk[self._skip :]
        self._skip = 0
        self.handed_out += len(new)
        return new

    def end(self) -> None:
        """Check that a complete try was not shorter than an earlier one.

        Raises:
            TransportError: it was shorter, so the parts do not belong together.
        """
        if self._skip:
            msg = f"the download ended {self._skip} bytes before the point where it had broken off"
            raise TransportError(msg, method=self.call.method)
