"""The source of an upload, and its target."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from airflow_provider_genai_batch.client.calls import Calls
from airflow_provider_genai_batch.client.storage.uploads import upload_file, upload_object
from airflow_provider_genai_batch.exceptions import ConfigurationError, InputError
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.services.files import JSONL


@contextmanager
def upload_source(file: str | Path | BinaryIO) -> Iterator[tuple[BinaryIO, int, str | None]]:
    """Open a file to upload, and yield its stream, its size in bytes and its base name.

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
    """Upload to the given ``gs://`` object, the staging place, or the Files API, and return the address.

    With `reuse`, an existing object of the same name and size is used instead; use it if the name identifies the
    content. The Files API reuses a file by its ``name`` only.

    Raises:
        ConfigurationError: Vertex AI has no staging place.
        InputError: `reuse` in the Files API without a ``name``.
    """
    if uri is None and calls.config.backend is Backend.GEMINI:
        if reuse and not settings.get("name"):
            msg = "To reuse a file of the Files API, give its name (files/…)."
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
