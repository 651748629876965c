"""The table of calls: what each endpoint sends, how its answer is read, and whether it may be repeated."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

from airflow_provider_genai_batch.client.config import ClientConfig
from airflow_provider_genai_batch.exceptions import InputError, UnreadableAnswer
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.jobs.job_status import JobStatus
from airflow_provider_genai_batch.models.tier import Tier
from airflow_provider_genai_batch.wire.catalog.publishers import task_of
from airflow_provider_genai_batch.wire.catalog.tiers import check_counted
from airflow_provider_genai_batch.wire.services import files, gemini, online, storage, vertex
from airflow_provider_genai_batch.wire.services.create import JobSpec
from airflow_provider_genai_batch.wire.services.http import HttpAnswer, HttpRequest, read_object
from airflow_provider_genai_batch.wire.services.list_entries import ListEntry, entries_reader

T = TypeVar("T")
_FILE_NAME = re.compile(r"files/[\w.~-]+", re.ASCII)
_VERTEX_ID = re.compile(r"[0-9]+")


@dataclass(frozen=True)
class Call(Generic[T]):
    """One call of one endpoint."""

    method: str
    """Google's name for it."""
    request: HttpRequest
    read: Callable[[HttpAnswer], T]
    safe: bool = True
    """Whether it may be sent again if it is not known whether the service acted on it."""
    accept: tuple[int, ...] = (200,)
    about: str = ""
    """The job's name, for errors: the service only says that an entity was not found."""


def _nothing(answer: HttpAnswer) -> None:
    """Read the answer to a call that returns nothing."""


def _named(name: str, read: Callable[[HttpAnswer], BatchJob]) -> Callable[[HttpAnswer], BatchJob]:
    """Return a reader that also checks that the answer is about the right job, because the next call acts on it."""

    def read_named(answer: HttpAnswer) -> BatchJob:
        job = read(answer)
        # Vertex AI writes the project by name or by number.
        if job.name.rpartition("/")[2] != name.rpartition("/")[2]:
            msg = f"status {answer.status} with an answer about {job.name[:80]!r} instead of {name}"
            raise UnreadableAnswer(msg)
        return job

    return read_named


class Calls:
    """The calls of one connection."""

    def __init__(self, config: ClientConfig) -> None:
        self.config = config
        self._gemini = config.backend is Backend.GEMINI

    # ------------------------------------------------------------ jobs

    def create(self, spec: JobSpec) -> Call[BatchJob]:
        """Create a job. Not safe: sent twice it makes two jobs, each billed."""
        if self._gemini:
            root = self._root()
            return Call(spec.method, spec.gemini(root), gemini.read_created, safe=False)
        return Call(spec.method, spec.vertex(self._parent()), vertex.read_created, safe=False)

    def get(self, name: str, *, read: Callable[[HttpAnswer], Any] | None = None) -> Call[Any]:
        """Get a job, with inline rows if it has any; `read` replaces the reading as a `BatchJob`."""
        if self._gemini:
            request = gemini.get_job(self._root(), self._checked(name))
            return Call("batches.get", request, read or _named(name, gemini.read_found), about=name)
        request = vertex.get_job(self._url(name))
        return Call("batchPredictionJobs.get", request, read or _named(name, vertex.read_found), about=name)

    def look(self, name: str) -> Call[BatchJob]:
        """Get a job's state without its rows."""
        if self._gemini:
            request = gemini.get_job(self._root(), self._checked(name), fields=gemini.LOOK_FIELDS)
            return Call("batches.get", request, _named(name, gemini.read_found), about=name)
        call: Call[BatchJob] = self.get(name)
        return call

    def list_jobs(
        self, *, page_size: int | None = None, page_token: str | None = None, filter_: str | None = None
    ) -> Call[tuple[list[BatchJob], str]]:
        """List one page of jobs, newest first.

        Raises:
            InputError: a filter was given for the Gemini API, which documents none.
        """
        if self._gemini:
            if filter_:
                msg = "The Gemini API cannot filter batches; filter the jobs that the list returns."
                raise InputError(msg)
            page = gemini.list_jobs(self._root(), page_size=page_size, page_token=page_token)
            return Call("batches.list", page, gemini.read_list)
        page = vertex.list_jobs(self._parent(), page_size=page_size, page_token=page_token, filter_=filter_)
        return Call("batchPredictionJobs.list", page, vertex.read_list)

    def list_status(
        self, *, page_size: int, page_token: str | None = None
    ) -> Call[tuple[list[ListEntry], str]]:
        """List one page of jobs, newest first, with only the fields that change; `read_entry` reads an entry."""
        if self._gemini:
            page = gemini.list_jobs(
                self._root(), page_size=page_size, page_token=page_token, fields=gemini.STATUS_FIELDS
            )
            return Call("batches.list", page, entries_reader("operations"))
        page = vertex.list_jobs(
            self._parent(), page_size=page_size, page_token=page_token, mask=vertex.STATUS_MASK
        )
        return Call("batchPredictionJobs.list", page, entries_reader("batchPredictionJobs"))

    def list_summaries(
        self, *, page_size: int, page_token: str | None = None
    ) -> Call[tuple[list[BatchJob], str]]:
        """List one page of jobs, newest first, with the fields that identify a job, and without rows."""
        if self._gemini:
            page = gemini.list_jobs(
                self._root(), page_size=page_size, page_token=page_token, fields=gemini.SUMMARY_FIELDS
            )
            return Call("batches.list", page, gemini.read_list)
        page = vertex.list_jobs(
            self._parent(), page_size=page_size, page_token=page_token, mask=vertex.SUMMARY_MASK
        )
        return Call("batchPredictionJobs.list", page, vertex.read_list)

    def read_entry(self, entry: ListEntry) -> JobStatus:
        """Read the status of a job from a list entry."""
        read = gemini.read_status if self._gemini else vertex.read_status
        return read(json.loads(entry.shown))

    def lists(self, name: str) -> bool:
        """Whether the connection's list contains the job; on Vertex AI a list has the jobs of one location."""
        return self._gemini or vertex.location_of(name) in (None, self.config.location)

    def cancel(self, name: str) -> Call[None]:
        """Request a job's cancellation; the service cancels later, as far as it can."""
        if self._gemini:
            request = gemini.cancel_job(self._root(), self._checked(name))
            return Call("batches.cancel", request, _nothing, about=name)
        return Call("batchPredictionJobs.cancel", vertex.cancel_job(self._url(name)), _nothing)

    def delete(self, name: str) -> Call[str]:
        """Delete a job; the answer is the name of the operation to wait for (Vertex), or else an empty string."""
        if self._gemini:
            request = gemini.delete_job(self._root(), self._checked(name))
            return Call("batches.delete", request, lambda _: "", about=name)
        return Call("batchPredictionJobs.delete", vertex.delete_job(self._url(name)), _operation_to_wait_for)

    def operation(self, name: str) -> Call[dict[str, Any]]:
        """Get a long-running operation (Vertex)."""
        location = vertex.location_of(name)
        if location is None:
            msg = f"the service named its operation {name!r}, which is not the name of an operation"
            raise UnreadableAnswer(msg, method="operations.get")
        url = f"{self.config.base_url(location)}/{self.config.version}/{name}"
        return Call("operations.get", vertex.get_job(url), read_object)

    # ------------------------------------------------------------ the Files API of Gemini

    def start_file(self, **settings: Any) -> Call[str]:
        """Start an upload; the answer is the URL for the bytes, on the override host if there is one."""
        request = files.start_upload(self.config.base_url(), self.config.version, **settings)
        return Call("files.start", request, lambda answer: self._own_host(files.read_upload_url(answer)))

    def send_file_chunk(self, url: str, offset: int, chunk: bytes, *, last: bool) -> Call[files.UploadStatus]:
        """Send bytes. Not safe by itself: after an error, ask the server how many bytes have arrived."""
        request = files.send_chunk(url, offset, chunk, last=last)
        return Call("files.upload", request, files.read_upload, safe=False)

    def query_file(self, url: str) -> Call[files.UploadStatus]:
        """Ask how many bytes of an upload have arrived."""
        return Call("files.query", files.query_upload(url), files.read_upload)

    def get_file(self, name: str) -> Call[files.File]:
        """Get a file's metadata."""
        return Call("files.get", files.get_file(self._root(), _file_name(name)), files.read_file)

    def delete_file(self, name: str) -> Call[None]:
        """Delete an uploaded file."""
        return Call("files.delete", files.delete_file(self._root(), _file_name(name)), _nothing)

    def download_file(self, name: str) -> Call[None]:
        """Read a generated file's bytes (streamed by the client)."""
        return Call("files.download", files.download(self._root(), _file_name(name)), _nothing)

    # ------------------------------------------------------------ objects (Cloud Storage)

    def list_objects(
        self, uri_prefix: str, *, page_token: str | None = None
    ) -> Call[tuple[list[storage.Object], str]]:
        """List one page of objects below a prefix."""
        page = storage.list_objects(self.config.storage_url, uri_prefix, page_token=page_token)
        return Call("objects.list", page, lambda answer: storage.read_objects(uri_prefix, answer))

    def get_object(self, uri: str) -> Call[storage.Object]:
        """Get an object's metadata."""
        request = storage.get_object(self.config.storage_url, uri)
        return Call("objects.get", request, lambda answer: storage.read_metadata(uri, answer))

    def download_object(self, uri: str) -> Call[None]:
        """Read an object's bytes (streamed by the client)."""
        return Call("objects.get", storage.download(self.config.storage_url, uri), _nothing)

    def delete_object(self, uri: str) -> Call[None]:
        """Delete an object."""
        request = storage.delete_object(self.config.storage_url, uri)
        return Call("objects.delete", request, _nothing, accept=(200, 204))

    def compose_object(
        self, uri: str, sources: Sequence[storage.Object], *, mime_type: str
    ) -> Call[storage.Object]:
        """Join other objects into one. Repeating the call gives the same object."""
        request = storage.compose_objects(self.config.storage_url, uri, sources, mime_type=mime_type)
        return Call("objects.compose", request, lambda answer: storage.read_metadata(uri, answer))

    def start_object(self, uri: str, *, mime_type: str, generation: str | None = None) -> Call[str]:
        """Start an upload; the answer is the session URI for the bytes."""
        request = storage.start_upload(
            self.config.storage_url, uri, mime_type=mime_type, generation=generation
        )
        return Call("objects.insert", request, storage.read_session)

    def send_object_chunk(self, session: str, offset: int, chunk: bytes, *, last: bool) -> Call[int | None]:
        """Send bytes; the answer is how many have arrived so far, or None if the object is complete."""
        request = storage.send_chunk(session, offset, chunk, last=last)
        return Call("objects.insert", request, storage.read_received, safe=False, accept=(200, 201, 308))

    def cancel_object(self, session: str) -> Call[None]:
        """Cancel an upload; the service answers 499."""
        return Call("objects.insert", storage.cancel_upload(session), _nothing, accept=(200, 204, 499))

    def query_object(self, session: str) -> Call[int | None]:
        """Ask how many bytes have arrived; None if the object is complete."""
        request = storage.query_upload(session)
        return Call("objects.insert", request, storage.read_received, accept=(200, 201, 308))

    # ------------------------------------------------------------ immediate calls

    def generate(
        self, model: str, request: Mapping[str, Any], tier: Tier, timeout: int
    ) -> Call[dict[str, Any]]:
        """Request one answer. Not safe: sent twice, it may be billed twice."""
        if self._gemini:
            sent = online.generate_on_gemini(self._root(), model, request, tier, timeout)
            return Call("models.generateContent", sent, online.read_response, safe=False)
        sent = online.generate_on_vertex(self._parent(), model, request, tier, timeout)
        return Call("publishers.models.generateContent", sent, online.read_response, safe=False)

    def embed(
        self, model: str, requests: Sequence[Mapping[str, Any]], timeout: int
    ) -> Call[list[dict[str, Any]]]:
        """Request embeddings from the Gemini API, in the order of the requests. Not safe, like `generate`."""
        sent = online.embed_on_gemini(self._root(), model, requests, timeout)
        return Call("models.batchEmbedContents", sent, online.read_embeddings, safe=False)

    def count_tokens(self, model: str, request: Mapping[str, Any]) -> Call[int]:
        """Count the tokens of a request, which is not billed.

        Raises:
            UnsupportedError: the service cannot count this model's tokens.
        """
        check_counted(model, self.config.backend, task_of(model))
        if self._gemini:
            sent = online.count_on_gemini(self._root(), model, request)
            return Call("models.countTokens", sent, online.read_count)
        sent = online.count_on_vertex(self._parent(), model, request)
        return Call("publishers.models.countTokens", sent, online.read_count)

    # ------------------------------------------------------------ places

    def _root(self) -> str:
        return f"{self.config.base_url()}/{self.config.version}"

    def _parent(self) -> str:
        return f"{self._root()}/projects/{self.config.project}/locations/{self.config.location}"

    def _url(self, name: str) -> str:
        """Return a Vertex job's URL. A full name keeps its own project, and the host of its own location."""
        if not isinstance(name, str) or not (
            vertex.FULL_JOB_NAME.fullmatch(name) or _VERTEX_ID.fullmatch(name)
        ):
            raise InputError(_wrong_name(name, "Vertex AI", "projects/P/locations/L/batchPredictionJobs/123"))
        if name.startswith("projects/"):
            return f"{self.config.base_url(vertex.location_of(name))}/{self.config.version}/{name}"
        return f"{self._parent()}/batchPredictionJobs/{name}"

    @staticmethod
    def _checked(name: str) -> str:
        if not isinstance(name, str) or not gemini.JOB_NAME.fullmatch(name):
            raise InputError(_wrong_name(name, "the Gemini API", "batches/abc123"))
        return name

    def _own_host(self, url: str) -> str:
        """Return a URL on the connection's host override, as Google's SDK does behind a proxy."""
        if not self.config.host:
            return url
        host, given = urlsplit(self.config.host), urlsplit(url)
        return given._replace(scheme=host.scheme, netloc=host.netloc).geturl()


def _wrong_name(name: Any, service: str, example: str) -> str:
    if not isinstance(name, str):
        return f"A {type(name).__name__} is no name of a job: give a text, such as {example} (job.name)."
    return f"{name!r} is no name of a job of {service}, such as {example}. Does the connection fit the job?"


def _file_name(name: str) -> str:
    if not _FILE_NAME.fullmatch(name):
        msg = f"{name!r} is no name of a file of the Files API, such as files/abc123."
        raise InputError(msg)
    return name


def _operation_to_wait_for(answer: HttpAnswer) -> str:
    operation: Mapping[str, Any] = read_object(answer)
    return "" if operation.get("done") else str(operation.get("name") or "")
