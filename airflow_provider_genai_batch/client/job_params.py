"""Reads and checks the parameters of a job, for the operator, the clients and the adapters."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.client.config import ClientConfig
from airflow_provider_genai_batch.exceptions import InputError, UnsupportedError
from airflow_provider_genai_batch.models import BatchDestination, BatchSource
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.requests.defaults import check_defaults
from airflow_provider_genai_batch.requests.inline import check_inline_media
from airflow_provider_genai_batch.requests.write import inline_entries
from airflow_provider_genai_batch.wire.catalog.matrix import check_places
from airflow_provider_genai_batch.wire.catalog.model_names import read_model
from airflow_provider_genai_batch.wire.catalog.publishers import task_of
from airflow_provider_genai_batch.wire.parameters.destinations import (
    check_backend,
    default_destination,
    read_settings,
)
from airflow_provider_genai_batch.wire.parameters.labels import check_labels
from airflow_provider_genai_batch.wire.parameters.sources import read_rows, read_source
from airflow_provider_genai_batch.wire.services.create import JobSpec

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class JobParams:
    """The parameters of a job whose input has not been read yet."""

    backend: Backend
    model: str
    task: Task
    source: BatchSource
    destination: BatchDestination | None
    """Where Vertex AI writes; None: beside the input, if rows can be written there."""
    request_defaults: Any = field(default=None, repr=False)
    display_name: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    webhook: Mapping[str, Any] | None = field(default=None, repr=False)
    priority: int | None = None

    def place_beside(self, source: BatchSource | None, suffix: str) -> BatchDestination:
        """Return where Vertex AI writes if no destination was given.

        Args:
            source: the input that it reads.
            suffix: makes the name of a table unique.

        Raises:
            InputError: rows cannot be written beside this input.
        """
        beside = None if source is None else default_destination(source, suffix)
        if beside is None:
            msg = (
                "Vertex AI writes rows to your own storage: give dest as gs://bucket/prefix/ or "
                "bq://project.dataset.table."
            )
            raise InputError(msg)
        return beside


def read_job_params(  # noqa: PLR0913 - one for each parameter, by name
    connection: ClientConfig,
    *,
    model: str,
    src: Any,
    are_rows: bool = False,
    dest: Any = None,
    config: Any = None,
    request_defaults: Any = None,
    display_name: str | None = None,
    labels: Mapping[str, str] | None = None,
    webhook: Any = None,
    priority: int | None = None,
) -> JobParams:
    """Read the parameters of a job, and check them against its service.

    The log says which facts about such a job Google does not document.

    Args:
        connection: the settings of the connection.
        model: see `GenAIBatchOperator`, also for all parameters below.
        src: the input.
        are_rows: whether the input is rows of a table, from which a template makes requests.
        dest: where Vertex AI writes.
        config: the same values as for the SDK's ``batches.create(config=)``.
        request_defaults: fields of every request.
        display_name: the job's display name.
        labels: the job's labels.
        webhook: a webhook, on the Gemini API.
        priority: a priority, on the Gemini API.

    Raises:
        InputError: a parameter is not valid, or the service does not support it.
        ConfigurationError: a parameter is given twice, by itself and in `config`, or the model is of the other service.
    """
    backend = connection.backend
    model = read_model(model, backend)
    task = task_of(model)
    if labels is not None:
        check_labels(labels)
    source = read_rows(src) if are_rows else read_source(src)
    name, destination, hook = read_settings(config, dest=dest, display_name=display_name, webhook=webhook)
    asks_table = are_rows and bool(
        source.bigquery_uri
    )  # if the service does not read BigQuery, these rows pass through the worker
    if not asks_table or backend is Backend.VERTEX:
        check_backend(source, destination, backend, webhook=hook)
    if backend is Backend.VERTEX:
        for note in check_places(model, source, destination, connection.location):
            log.info("%s", note)
        if priority is not None:
            log.info("Vertex AI has no priority for batch jobs; priority=%s is not sent.", priority)
    if request_defaults is not None:
        check_defaults(request_defaults, backend, model)
    return JobParams(
        backend=backend,
        model=model,
        task=task,
        source=source,
        destination=destination,
        request_defaults=request_defaults,
        display_name=name,
        labels=labels or {},
        webhook=hook,
        priority=priority,
    )


def job_spec(connection: ClientConfig, model: str, src: Any, **settings: Any) -> JobSpec:
    """Return the specification of a job whose input is inline, or where the service can read it.

    Args:
        connection: the settings of the connection.
        model: the job's model.
        src: the job's input.
        **settings: see `read_job_params`.

    Raises:
        InputError: the service does not support this, or the input is not uploaded yet.
        ConfigurationError: a setting is given twice, by itself and in `config`, or the model is of the other service.
    """
    params = read_job_params(connection, model=model, src=src, **settings)
    source, vertex = params.source, params.backend is Backend.VERTEX
    if source.path or (vertex and source.requests):
        msg = (
            "create() needs input that is in place: upload() it first, or use the operator, which uploads it."
        )
        raise UnsupportedError(msg)
    entries = None
    if source.requests is not None:
        entries = inline_entries(source.requests, params.task, params.model, params.request_defaults).entries
        check_inline_media(entries, params.model)
    name, destination = params.display_name, params.destination
    if vertex:
        moment = f"{clock.now():%Y%m%d%H%M%S%f}"
        name = name or f"genai_batch_{moment}"
        destination = destination or params.place_beside(source, moment)
    return JobSpec(
        backend=params.backend,
        model=params.model,
        task=params.task,
        display_name=name,
        source=None if entries is not None else source,
        entries=entries or (),
        destination=destination,
        labels=params.labels,
        webhook=params.webhook,
        priority=params.priority,
    )
