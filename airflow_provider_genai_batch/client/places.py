"""From what users write to what is sent: a job's spec, and where an upload goes."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.client.calls import Calls
from airflow_provider_genai_batch.client.config import ClientConfig
from airflow_provider_genai_batch.client.uploads import upload_file, upload_object
from airflow_provider_genai_batch.exceptions import ConfigurationError, InputError, UnsupportedError
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.rows.defaults import check_defaults
from airflow_provider_genai_batch.rows.inline import check_inline_media
from airflow_provider_genai_batch.rows.requests import inline_entries
from airflow_provider_genai_batch.wire.create import JobSpec, task_of
from airflow_provider_genai_batch.wire.destinations import (
    check_backend,
    default_destination,
    read_settings,
)
from airflow_provider_genai_batch.wire.files import JSONL
from airflow_provider_genai_batch.wire.matrix import check_places
from airflow_provider_genai_batch.wire.model_names import read_model
from airflow_provider_genai_batch.wire.sources import read_source


def job_spec(  # noqa: PLR0913 - the settings of a create, all by name
    connection: ClientConfig,
    model: str,
    src: Any,
    *,
    dest: Any = None,
    config: Any = None,
    display_name: str | None = None,
    labels: Mapping[str, str] | None = None,
    webhook: Any = None,
    priority: int | None = None,
    request_defaults: Any = None,
) -> JobSpec:
    """Make the spec of a create whose input is in place, or inline.

    Raises:
        InputError: the backend cannot do this, or the input has yet to be uploaded.
        ConfigurationError: a setting is given twice, flat and in `config`, or the model is of the other service.
    """
    model = read_model(model, connection.backend)
    source = read_source(src)
    name, destination, hook = read_settings(config, dest=dest, display_name=display_name, webhook=webhook)
    check_backend(source, destination, connection.backend, webhook=hook)
    vertex = connection.backend is Backend.VERTEX
    if vertex:
        check_places(model, source, destination, connection.location)
    if source.path or (vertex and source.requests):
        msg = "create takes input that is in place: upload() it first, or use the operator, which does."
        raise UnsupportedError(msg)
    task = task_of(model)
    check_defaults(request_defaults, connection.backend, model)
    entries = None
    if source.requests is not None:
        entries = tuple(inline_entries(source.requests, task, model, request_defaults))
        check_inline_media(entries, model)
    now = clock.now()
    if vertex:
        name = name or f"genai_batch_{now:%Y%m%d%H%M%S%f}"
        destination = destination or default_destination(source, f"{now:%Y%m%d%H%M%S%f}")
        if destination is None:
            msg = "Vertex AI writes to a place of yours: give dest (gs://bucket/prefix/ or bq://project.dataset.table)."
            raise InputError(msg)
    return JobSpec(
        backend=connection.backend,
        model=model,
        task=task,
        display_name=name,
        source=None if entries is not None else source,
        entries=entries or (),
        destination=destination,
        labels=labels or {},
        webhook=hook,
        priority=priority,
    )


@contextmanager
def upload_source(file: str | Path | BinaryIO) -> Iterator[tuple[BinaryIO, int, str | None]]:
    """Open what is to be uploaded: stream, size in bytes, base name.

    Raises:
        InputError: no such file.
    """
    if not isinstance(file, (str, Path)):
        start = file.tell()
        size = file.seek(0, 2) - start
        file.seek(start)
        yield file, size, None
        return
    path = Path(file)
    try:
        stream = path.open("rb")
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}. Give the path of a file on the worker."
        raise InputError(msg) from error
    with stream:
        yield stream, path.stat().st_size, path.name


def upload_flow(
    calls: Calls,
    stream: BinaryIO,
    size: int,
    *,
    uri: str | None = None,
    file_name: str | None = None,
    mime_type: str = JSONL,
    reuse: bool = False,
    **settings: Any,
) -> Generator[Any, Any, str]:
    """Upload to the given ``gs://`` object, the staging place, or the Files API; returns the address.

    With `reuse` what is there under that name and has that size is taken as it is, for names that stand for their
    content. The Files API reuses by its ``name`` alone.

    Raises:
        ConfigurationError: Vertex has no place to stage.
        InputError: `reuse` in the Files API without a ``name``.
    """
    if uri is None and calls.config.backend is Backend.GEMINI:
        if reuse and not settings.get("name"):
            msg = "Nothing can be reused in the Files API without a name: give name (files/…)."
            raise InputError(msg)
        file = yield from upload_file(
            calls, stream, size, mime_type=mime_type, file_name=file_name, **settings
        )
        return str(file.name)
    if uri is None:
        if not calls.config.staging_uri:
            msg = 'Vertex AI reads from Cloud Storage: set "staging_uri" (gs://bucket/prefix/) in the connection.'
            raise ConfigurationError(msg)
        uri = f"{calls.config.staging_uri.rstrip('/')}/{file_name or 'requests.jsonl'}"
    return (yield from upload_object(calls, uri, stream, size, mime_type=mime_type, reuse=reuse))
