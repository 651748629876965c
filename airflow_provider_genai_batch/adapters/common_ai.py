"""The adapters of ``@task.llm_batch``: ``google:…`` runs on the Gemini API, ``google-cloud:…`` on Vertex AI.

They only translate. Submitting, finding, waiting and reading are done by the code that this package's operator uses.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.ai.batch.base import (
    BatchAdapter,
    BatchRequest,
    BatchState,
    ExtractedOutput,
    RawResultItem,
    SubmitResult,
)
from airflow.providers.common.ai.exceptions import (
    LLMBatchInputError,
    LLMBatchLimitExceededError,
    LLMBatchModelMismatchError,
)

from airflow_provider_genai_batch.adapters.checks import SPLIT, as_input_error, check_lines
from airflow_provider_genai_batch.adapters.places import Place, running_task
from airflow_provider_genai_batch.adapters.requests import Wording, answer_fields, answer_type
from airflow_provider_genai_batch.adapters.rows import landed, output_of
from airflow_provider_genai_batch.adapters.states import state_of
from airflow_provider_genai_batch.adapters.submission import find_orphan, submit
from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.client.cancel import cancel_jobs
from airflow_provider_genai_batch.hooks.genai_batch import GenAIBatchHook
from airflow_provider_genai_batch.hooks.task_instance import iteration_of
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.models.jobs.identity import Identity, digest
from airflow_provider_genai_batch.wire.catalog.limits import limits_of
from airflow_provider_genai_batch.wire.catalog.model_names import read_model
from airflow_provider_genai_batch.wire.catalog.publishers import task_of
from airflow_provider_genai_batch.wire.prompts.backend_fields import SERVICE_NAMES

if TYPE_CHECKING:
    from airflow.providers.common.ai.batch.output_schema import OutputSpec


class _GenAIBatchAdapter(BatchAdapter):
    """The part that both services share.

    Args:
        api_key: not used, because the whole connection is read: see `places`.
        base_url: not used, for the same reason.
        client: used instead of the clients of all connections.
    """

    allows_per_request_model: ClassVar[bool] = False
    backend: ClassVar[Backend]

    def __init__(
        self,
        *,
        api_key: str | None = None,  # noqa: ARG002
        base_url: str | None = None,  # noqa: ARG002
        client: GenAIBatchClient | None = None,
    ) -> None:
        super().__init__(client=client)
        self._open, self._clients = ExitStack(), dict[str, GenAIBatchClient]()
        self._cancelling = Lock()

    def close(self) -> None:
        """Close the clients that were opened here, once no cancellation is running any more.

        While a trigger's `on_kill` cancels, in a thread, the triggerer cancels it again each second. common.ai then
        closes the adapter at once.
        """
        with self._cancelling:
            self._clients.clear()
            self._open.close()

    # ------------------------------------------------------------ submitting

    def validate_requests(
        self,
        requests: list[BatchRequest],
        *,
        model: str,
        output_spec: OutputSpec,
        idempotency_key: str,
        **kwargs: Any,
    ) -> None:
        """Check every request by writing its line, without keeping the lines.

        Raises:
            LLMBatchInputError: a request cannot be sent, or the connection is one of the other service.
            LLMBatchLimitExceededError: there are too many requests for one job, or they are too large.
        """
        self.check_custom_id_length(idempotency_key, len(requests))
        if len(requests) > self.max_requests:
            msg = (
                f"{self._service} takes {self.max_requests} requests in one job; got {len(requests)}. {SPLIT}"
            )
            raise LLMBatchLimitExceededError(msg)
        _, client = self._of_task()
        model, wording = self._model(requests, model), self._wording(output_spec, **kwargs)
        with as_input_error():
            check_lines(wording, requests, idempotency_key, model=model, most=self.max_payload_bytes)
        if self.backend is Backend.VERTEX and not client.config.staging_uri:
            msg = (
                'Vertex AI reads requests from Cloud Storage and writes rows there: set "staging_uri" '
                "(gs://bucket/prefix/) in the connection's extra."
            )
            raise LLMBatchInputError(msg)

    def submit(
        self,
        requests: list[BatchRequest],
        *,
        model: str,
        idempotency_key: str,
        input_fingerprint: str,
        output_spec: OutputSpec,
        **kwargs: Any,
    ) -> SubmitResult:
        """Upload the requests and find or create their job, with this package's own flow."""
        context, client = self._of_task()
        wording = self._wording(output_spec, **kwargs)
        with as_input_error():
            job = submit(
                client,
                context,
                _identity(context, idempotency_key, input_fingerprint),
                model=self._model(requests, model),
                requests=wording.requests(requests, idempotency_key),
                defaults=wording.defaults(),
            )
        _, conn_id = running_task()
        reference = job.source.file_name or ",".join(job.source.gcs_uri) if job.source else None
        return SubmitResult(Place(job.name, conn_id).batch_id, reference or None)

    def find_orphaned_batch(
        self, idempotency_key: str, input_fingerprint: str, not_before: str
    ) -> str | None:
        """Look for the job by the identity in its display name, more than once if lists may lag."""
        context, client = self._of_task()
        job = find_orphan(
            client,
            context,
            _identity(context, idempotency_key, input_fingerprint),
            datetime.fromisoformat(not_before).timestamp() if not_before else None,
        )
        _, conn_id = running_task()
        return None if job is None else Place(job.name, conn_id).batch_id

    # ------------------------------------------------------------ waiting

    def get_batch(self, batch_id: str) -> BatchState:
        """Look at a job.

        Raises:
            JobGone: it does not exist, or no longer exists.
            JobPaused: it is paused. common.ai has no such state, and each of its states would act on the job.
        """
        place = Place.of(batch_id)
        return state_of(self._client_of(place.conn_id), place.job, self.max_requests)

    def cancel_batch(self, batch_id: str) -> None:
        """Request the cancellation of a job; a job that has ended or is gone is not an error."""
        place = Place.of(batch_id)
        with self._cancelling:
            cancel_jobs(self._client_of(place.conn_id), [place.job])

    # ------------------------------------------------------------ reading

    def iter_results(self, batch_id: str) -> Iterator[RawResultItem]:
        """Read all rows of an ended job, and return an iterator over them."""
        place = Place.of(batch_id)
        return landed(self._client_of(place.conn_id), place.job)

    def build_output_directive(self, spec: OutputSpec) -> dict[str, Any]:
        """Return the fields that request typed answers, in the schema dialect that is safe on batch endpoints."""
        with as_input_error():
            return answer_fields(answer_type(spec), self.backend)

    def extract_output(self, raw: RawResultItem, spec: OutputSpec) -> ExtractedOutput:
        """Return the text of an answer; it is absent if there is none, or if the service cut it off as unsafe."""
        return output_of(raw.raw, answer_type(spec))

    # ------------------------------------------------------------ the connection and the task

    @property
    def _service(self) -> str:
        return SERVICE_NAMES[self.backend]

    def _client_of(self, conn_id: str) -> GenAIBatchClient:
        if self._client is not None:
            return self._client  # type: ignore[no-any-return]  # common.ai's own attribute
        if conn_id not in self._clients:
            self._clients[conn_id] = self._open.enter_context(GenAIBatchHook(conn_id).get_conn())
        return self._clients[conn_id]

    def _of_task(self) -> tuple[Any, GenAIBatchClient]:
        context, conn_id = running_task()
        client = self._client_of(conn_id)
        if client.config.backend is not self.backend:
            msg = (
                f"model_id begins with {self.name}:, which is {self._service}, and connection {conn_id!r} means "
                f"{SERVICE_NAMES[client.config.backend]}. Nothing was sent."
            )
            raise LLMBatchInputError(msg)
        return context, client

    def _model(self, requests: list[BatchRequest], model: str) -> str:
        """Return the one model of all requests.

        Raises:
            LLMBatchModelMismatchError: the requests name several.
            LLMBatchInputError: the model does not return text.
        """
        models = {
            self.resolve_request_model(request.get("model"), default_bare_model=model, request_index=index)
            for index, request in enumerate(requests)
        }
        if len(models) > 1:
            msg = f"A job of {self._service} has one model; the requests name {', '.join(sorted(models))}."
            raise LLMBatchModelMismatchError(msg)
        (one,) = models
        with as_input_error():
            one = read_model(one, self.backend)
        if task_of(one) is not Task.GENERATE:
            msg = f"{one} is an embedding model: use GenAIBatchOperator for embeddings."
            raise LLMBatchInputError(msg)
        return one

    def _wording(
        self,
        spec: OutputSpec,
        *,
        system_prompt: str = "",
        max_tokens: int = 1024,
        request_params: dict[str, Any] | None = None,
        **_: Any,
    ) -> Wording:
        return Wording(self.backend, answer_type(spec), system_prompt, max_tokens, request_params)


class GeminiBatchAdapter(_GenAIBatchAdapter):
    """``google:…``: the Gemini Developer API."""

    name = "google"
    conn_types = frozenset({"genai_batch"})
    backend = Backend.GEMINI
    max_requests = limits_of(backend, Task.GENERATE, "").max_requests or sys.maxsize
    max_payload_bytes = limits_of(backend, Task.GENERATE, "").max_bytes or sys.maxsize


class VertexBatchAdapter(_GenAIBatchAdapter):
    """``google-cloud:…``: Vertex AI."""

    name = "google-cloud"
    conn_types = frozenset({"genai_batch", "google_cloud_platform"})
    backend = Backend.VERTEX
    max_requests = limits_of(backend, Task.GENERATE, "").max_requests or sys.maxsize
    max_payload_bytes = limits_of(backend, Task.GENERATE, "").max_bytes or sys.maxsize


def _identity(context: Any, idempotency_key: str, input_fingerprint: str) -> Identity:
    """Return the identity of the job.

    common.ai's key is the same in all iterations of a Task Loop (Airflow 3.4), so the iteration is added to it.
    """
    iteration = iteration_of(context)
    key = idempotency_key if iteration is None else digest([idempotency_key, iteration])
    return Identity(key, input_fingerprint)
