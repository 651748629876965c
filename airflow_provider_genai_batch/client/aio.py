"""The client for triggers and other coroutines: `GenAIBatchClient` for one event loop."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.client import jobs
from airflow_provider_genai_batch.client.auth.google import auth_for
from airflow_provider_genai_batch.client.calls import Call, Calls
from airflow_provider_genai_batch.client.config import ClientConfig
from airflow_provider_genai_batch.client.job_params import job_spec
from airflow_provider_genai_batch.client.pages import Pages
from airflow_provider_genai_batch.client.service_clock import ServiceClock, learn_from
from airflow_provider_genai_batch.client.storage import bigquery as tables
from airflow_provider_genai_batch.client.storage import downloads, uploads
from airflow_provider_genai_batch.client.storage.upload_source import upload_flow, upload_source
from airflow_provider_genai_batch.client.transport.http import MAX_CONNECTIONS, AsyncHttp
from airflow_provider_genai_batch.client.transport.retries import TRIES, RetryBudget, Send, send_with_retries
from airflow_provider_genai_batch.exceptions import AuthenticationError, CallError, ConfigurationError
from airflow_provider_genai_batch.flows.drive import adrive
from airflow_provider_genai_batch.flows.steps import Sleep
from airflow_provider_genai_batch.models import BatchJob, ResultRow
from airflow_provider_genai_batch.models.jobs.table_counts import TableCounts
from airflow_provider_genai_batch.results.read import Piece, PieceReader, each
from airflow_provider_genai_batch.wire.answers.answer import PlainRow, Reading
from airflow_provider_genai_batch.wire.answers.results import read_fields

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T")


class AsyncGenAIBatchClient:
    """Batch jobs of one connection, for the event loop it was made on. Errors are those of `GenAIBatchClient`."""

    def __init__(self, config: ClientConfig, *, max_connections: int = MAX_CONNECTIONS) -> None:
        self.config = config
        self.calls = Calls(config)
        self.refused = False
        """Whether the credentials were refused or could not be used; the connection may have new ones by now."""
        self.service_clock = ServiceClock()
        """The service's time, and whether it is known."""
        self._auth = auth_for(config)
        self._http = AsyncHttp(max_connections)

    async def __aenter__(self) -> Self:
        """Return the client."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the pool."""
        await self.close()

    async def close(self) -> None:
        """Close the pool."""
        await self._http.close()

    # ------------------------------------------------------------ jobs

    async def create(self, model: str, src: Any, **settings: Any) -> BatchJob:
        """Create a job: one POST, never repeated."""
        self.config.refuse_uncounted("create")
        return await self.perform(self.calls.create(job_spec(self.config, model, src, **settings)))

    async def get(self, name: str) -> BatchJob:
        """Get a job."""
        return await self.perform(self.calls.look(name))

    async def list(
        self,
        *,
        filter: str | None = None,  # noqa: A002 - Google's name
        page_size: int = jobs.PAGE_SIZE,
    ) -> AsyncIterator[BatchJob]:
        """List jobs, newest first, page by page. `filter` is Vertex's."""
        pages = Pages("jobs")
        while not pages.over:
            page = await self.run(jobs.next_page(self.calls, filter, page_size, pages))
            for job in page:
                yield job

    async def cancel(self, name: str) -> None:
        """Request the cancellation of a job."""
        await self.perform(self.calls.cancel(name))

    async def delete(self, name: str) -> None:
        """Delete an ended job and wait until that is done."""
        await self.run(jobs.delete_job(self.calls, name, self.service_time))

    # ------------------------------------------------------------ bytes

    async def upload(self, file: str | Path | BinaryIO, uri: str | None = None, **settings: Any) -> str:
        """Upload in chunks and return the address; the file is read in a thread."""
        with upload_source(file) as (stream, size, file_name):
            flow = upload_flow(self.calls, stream, size, uri=uri, file_name=file_name, **settings)
            return await self.run(flow)

    async def download(self, address: str) -> AsyncIterator[bytes]:
        """Stream the bytes of a generated ``files/…`` or a ``gs://bucket/object``."""
        # If the caller's loop ends early, the HTTP connection is returned at once.
        async with aclosing(self._stream(downloads.download_call(self.calls, address))) as chunks:
            async for chunk in chunks:
                yield chunk

    async def rows(self, job: BatchJob | str, *, keep_response: bool = False) -> AsyncIterator[ResultRow]:
        """Stream the rows of an ended job, in the service's order."""
        async with aclosing(self.plain_rows(job, Reading(keep_response=keep_response))) as rows:
            async for row in rows:
                yield ResultRow.model_validate(row)

    async def plain_rows(
        self, job: BatchJob | str, reading: Reading | None = None
    ) -> AsyncGenerator[PlainRow, None]:
        """Stream the same rows as dicts of JSON values, at a fraction of the cost."""
        async with aclosing(self.row_pieces(job, reading)) as pieces:
            async for piece in pieces:
                for row in each([piece]):
                    yield row

    async def row_pieces(
        self, job: BatchJob | str, reading: Reading | None = None
    ) -> AsyncGenerator[Piece, None]:
        """Stream the same rows; rows with only the usual fields come many at a time."""
        job = await self.get(job) if isinstance(job, str) else job
        backend, lines, rows = job.backend, downloads.Lines(job), 0
        for source in await self.run(downloads.row_sources(self.calls, job)):
            if isinstance(source, dict):
                yield read_fields(source, backend, reading)
                continue
            reader = PieceReader(backend, reading)
            async with aclosing(self._stream(source)) as chunks:
                async for chunk in chunks:
                    for piece in (found := reader.feed(chunk)):
                        yield piece
                    rows += len(found)
            for piece in (found := reader.end()):
                yield piece
            rows += len(found)
            lines.took(reader)
        lines.check(rows)

    async def count_rows(self, job: BatchJob | str) -> TableCounts:
        """Count an ended job's rows in BigQuery with one query, in a thread; needs the extra ``bigquery``."""
        job = await self.get(job) if isinstance(job, str) else job
        return await clock.in_thread(tables.count_rows, self.config, self._auth, job)

    async def sample_requests(self, table: str, most: int, column: str = "request") -> Sequence[Any]:
        """Read the first requests of a table in BigQuery, which is free, in a thread; needs the extra ``bigquery``."""
        look = partial(tables.sample_requests, self.config, self._auth, table, most, column)
        return await clock.in_thread(look)

    # ------------------------------------------------------------ how

    def service_time(self) -> float:
        """Return the time of the service's clock in seconds since 1970; before its first answer, the local time."""
        return self.service_clock.time()

    async def perform(self, call: Call[T], tries: int = TRIES) -> T:
        """Send a call; a safe one is tried up to `tries` times."""
        try:
            return await adrive(
                send_with_retries(call, tries, renewable=self._auth.renewable), self._send_once
            )
        except (AuthenticationError, ConfigurationError):
            self.refused = True
            raise

    async def run(self, flow: Generator[Any, Any, T]) -> T:
        """Carry out a protocol of calls."""
        return await adrive(flow, self.act)

    async def act(self, step: Any) -> Any:
        """Carry out one step of a protocol."""
        if isinstance(step, Call):
            return await self.perform(step)
        if isinstance(step, uploads.Read):
            return await clock.in_thread(step.bytes)
        return await self._send_once(step)

    async def _send_once(self, step: Any) -> Any:
        if isinstance(step, Sleep):
            return await clock.async_sleep(step.seconds)
        send: Send = step
        credentials = {} if send.request.anonymous else await self._auth.aheaders(renew=send.renew)
        sent = clock.monotonic()
        with clock.held():
            answer = await self._http.send(send.request, credentials)
        learn_from(self.service_clock, self.config, send.request, answer, sent)
        return answer

    async def _stream(self, call: Call[None]) -> AsyncGenerator[bytes, None]:
        resumed, renew = downloads.Resumed(call), False
        budget = RetryBudget(TRIES, renewable=self._auth.renewable)
        while True:
            resumed.again()
            before = resumed.handed_out
            try:
                headers = await self._auth.aheaders(renew=renew)
                async with self._http.stream(call.request, headers, call.method) as chunks:
                    async for chunk in chunks:
                        if new := resumed.take(chunk):  # to readers of files, no bytes mean the end
                            yield new
                resumed.end()
                return
            except CallError as error:
                if resumed.handed_out > before:
                    budget.progress()
                renew, pause = budget.after(error, call.method)
                if not renew:
                    await clock.async_sleep(pause)
