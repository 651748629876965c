"""The client for workers: blocking calls on a pooled connection."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.client import jobs
from airflow_provider_genai_batch.client.auth.google import auth_for, cloud_auth
from airflow_provider_genai_batch.client.calls import Call, Calls
from airflow_provider_genai_batch.client.config import ClientConfig
from airflow_provider_genai_batch.client.job_params import job_spec
from airflow_provider_genai_batch.client.pages import Pages
from airflow_provider_genai_batch.client.service_clock import ServiceClock, learn_from
from airflow_provider_genai_batch.client.storage import bigquery as tables
from airflow_provider_genai_batch.client.storage import downloads, uploads
from airflow_provider_genai_batch.client.storage.queries import Queries, Running
from airflow_provider_genai_batch.client.storage.upload_source import upload_flow, upload_source
from airflow_provider_genai_batch.client.transport.http import SyncHttp
from airflow_provider_genai_batch.client.transport.retries import TRIES, RetryBudget, Send, send_with_retries
from airflow_provider_genai_batch.exceptions import CallError
from airflow_provider_genai_batch.flows.drive import drive
from airflow_provider_genai_batch.flows.steps import Sleep
from airflow_provider_genai_batch.models import BatchJob, ResultRow
from airflow_provider_genai_batch.models.jobs.table_counts import TableCounts
from airflow_provider_genai_batch.results.read import Piece, PieceReader, each
from airflow_provider_genai_batch.wire.answers.answer import PlainRow, Reading
from airflow_provider_genai_batch.wire.answers.results import read_fields

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T")


class GenAIBatchClient:
    """Batch jobs of one connection. Use as a context manager, or call `close`.

    Reads are retried with jittered backoff; a create is sent once. Every call raises a subclass of `CallError` if there
    is no usable answer.
    """

    def __init__(self, config: ClientConfig) -> None:
        self.config = config
        self.calls = Calls(config)
        self.service_clock = ServiceClock()
        """The service's time, and whether it is known."""
        self._auth = auth_for(config)
        self._http = SyncHttp()
        self._queries: Queries | None = None

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the pool."""
        self.close()

    def close(self) -> None:
        """Close the pool."""
        self._http.close()

    # ------------------------------------------------------------ jobs

    def create(self, model: str, src: Any, **settings: Any) -> BatchJob:
        """Create a job: one POST, never repeated.

        Args:
            model: as in the operator.
            src: ``gs://…`` (str or list), ``bq://…``, ``files/…``, a list of requests (Gemini), or a dict or
                ``BatchJobSource`` of these.
            **settings: ``dest``, ``display_name``, ``labels``, ``webhook``, ``priority``, ``request_defaults``, and
                ``config`` as Google's SDK takes it.

        Raises:
            InputError: the backend cannot do this; nothing was sent.
            ConfigurationError: the connection has a `max_cost_per_day`, which nobody would hold; nothing was sent.
            TransportError, ServerError, UnreadableAnswer: the job may have been created all the same.
            ApiError: the service refused; nothing was created.
        """
        self.config.refuse_uncounted("create")
        return self.perform(self.calls.create(job_spec(self.config, model, src, **settings)))

    def get(self, name: str) -> BatchJob:
        """Get a job."""
        return self.perform(self.calls.look(name))

    def list(self, *, filter: str | None = None, page_size: int = jobs.PAGE_SIZE) -> Iterator[BatchJob]:  # noqa: A002 - Google's name
        """List jobs, newest first, page by page. `filter` is Vertex's (``state=…``, ``labels.k=v``, …)."""
        pages = Pages("jobs")
        while not pages.over:
            page = self.run(jobs.next_page(self.calls, filter, page_size, pages))
            yield from page

    def cancel(self, name: str) -> None:
        """Request the cancellation of a job. Look at the job to see how it ends, and judge it by its rows."""
        self.perform(self.calls.cancel(name))

    def delete(self, name: str) -> None:
        """Delete an ended job and wait until that is done.

        Raises:
            NotFound: there is no such job.
            ConfigurationError: the `max_cost_per_day` of the connection counts it today.
        """
        self.run(jobs.delete_job(self.calls, name, self.service_time))

    # ------------------------------------------------------------ bytes

    def upload(self, file: str | Path | BinaryIO, uri: str | None = None, **settings: Any) -> str:
        """Upload in chunks and return the address, which `create` takes.

        Args:
            file: a path or a seekable binary stream.
            uri: ``gs://bucket/object``; without one the Files API (Gemini) or the staging place (Vertex) is used.
            **settings: ``mime_type``; ``reuse=True``, which uses an existing object of the same name and size instead
                of replacing it; for the Files API ``name`` (``files/…``), which reuses in the same way, and
                ``display_name``.
        """
        with upload_source(file) as (stream, size, file_name):
            flow = upload_flow(self.calls, stream, size, uri=uri, file_name=file_name, **settings)
            return self.run(flow)

    def download(self, address: str) -> Iterator[bytes]:
        """Stream the bytes of a generated ``files/…`` or a ``gs://bucket/object``."""
        yield from self._stream(downloads.download_call(self.calls, address))

    def rows(self, job: BatchJob | str, *, keep_response: bool = False) -> Iterator[ResultRow]:
        """Stream the rows of an ended job, in the service's order.

        Raises:
            UnsupportedError: the rows are in BigQuery.
            CallError: they cannot be read (not yet, or not any more).
        """
        for row in self.plain_rows(job, Reading(keep_response=keep_response)):
            yield ResultRow.model_validate(row)

    def plain_rows(self, job: BatchJob | str, reading: Reading | None = None) -> Iterator[PlainRow]:
        """Stream the same rows as dicts of JSON values, at a fraction of the cost."""
        return each(self.row_pieces(job, reading))

    def row_pieces(self, job: BatchJob | str, reading: Reading | None = None) -> Iterator[Piece]:
        """Stream the same rows; rows with only the usual fields come many at a time."""
        job = self.get(job) if isinstance(job, str) else job
        backend, lines, rows = job.backend, downloads.Lines(job), 0
        for source in self.run(downloads.row_sources(self.calls, job)):
            if isinstance(source, dict):
                yield read_fields(source, backend, reading)
                continue
            reader = PieceReader(backend, reading)
            for chunk in downloads.together(self._stream(source)):
                found = reader.feed(chunk)
                rows += len(found)
                yield from found
            found = reader.end()
            rows += len(found)
            yield from found
            lines.took(reader)
        lines.check(rows)

    def count_rows(self, job: BatchJob | str) -> TableCounts:
        """Count an ended job's rows in BigQuery with one query; needs the extra ``bigquery``.

        Raises:
            UnsupportedError: the rows are not in BigQuery, or the extra is not installed.
            CallError: they cannot be counted (not yet, or not by this account).
        """
        job = self.get(job) if isinstance(job, str) else job
        return tables.count_rows(self.config, self._auth, job)

    def sample_requests(self, table: str, most: int, column: str = "request") -> Sequence[Any]:
        """Read the first requests of a table column in BigQuery, which is free; needs the extra ``bigquery``.

        Raises:
            UnsupportedError: its rows cannot be listed, or the extra is not installed.
            CallError: they cannot be read.
        """
        return tables.sample_requests(self.config, self._auth, table, most, column)

    @property
    def queries(self) -> Queries:
        """BigQuery, for statements that run there; needs the extra ``bigquery``.

        Raises:
            UnsupportedError: the extra is not installed.
            ConfigurationError: the connection names no project.
        """
        if self._queries is None:
            self._queries = Queries(self.config, cloud_auth(self.config, self._auth))
        return self._queries

    @property
    def statement(self) -> Running | None:
        """The job in BigQuery that this client is waiting for; None: there is none."""
        return None if self._queries is None else self._queries.running

    # ------------------------------------------------------------ how

    def service_time(self) -> float:
        """Return the time of the service's clock in seconds since 1970; before its first answer, the local time."""
        return self.service_clock.time()

    def perform(self, call: Call[T], tries: int = TRIES) -> T:
        """Send a call; a safe one is tried up to `tries` times."""
        return drive(send_with_retries(call, tries, renewable=self._auth.renewable), self._send_once)

    def run(self, flow: Generator[Any, Any, T]) -> T:
        """Carry out a protocol of calls."""
        return drive(flow, self.act)

    def act(self, step: Any) -> Any:
        """Carry out one step of a protocol."""
        if isinstance(step, Call):
            return self.perform(step)
        if isinstance(step, uploads.Read):
            return step.bytes()
        return self._send_once(step)

    def _send_once(self, step: Any) -> Any:
        if isinstance(step, Sleep):
            return clock.sleep(step.seconds)
        send: Send = step
        credentials = {} if send.request.anonymous else self._auth.headers(renew=send.renew)
        sent = clock.monotonic()
        answer = self._http.send(send.request, credentials)
        learn_from(self.service_clock, self.config, send.request, answer, sent)
        return answer

    def _stream(self, call: Call[None]) -> Iterator[bytes]:
        resumed, renew = downloads.Resumed(call), False
        budget = RetryBudget(TRIES, renewable=self._auth.renewable)
        while True:
            resumed.again()
            before = resumed.handed_out
            try:
                headers = self._auth.headers(renew=renew)
                with self._http.stream(call.request, headers, call.method) as chunks:
                    for chunk in chunks:
                        if new := resumed.take(chunk):  # to readers of files, no bytes mean the end
                            yield new
                resumed.end()
                return
            except CallError as error:
                if resumed.handed_out > before:
                    budget.progress()
                renew, pause = budget.after(error, call.method)
                if not renew:
                    clock.sleep(pause)
