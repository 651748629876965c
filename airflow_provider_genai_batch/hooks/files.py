"""Files wherever Airflow can reach them: local paths, ``gs://`` by the connection, and object storage."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryFile
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.exceptions import CallError, ConfigurationError, InputError
from airflow_provider_genai_batch.models.base import Backend

log = logging.getLogger(__name__)

_CHUNK = 256 * 1024


def local_path(uri: str) -> Path | None:
    """Return the path of a local file; None for object storage."""
    parts = urlsplit(uri)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    return None if "://" in uri else Path(uri).expanduser()


def read_chunks(uri: str, client: GenAIBatchClient) -> Iterator[bytes]:
    """Stream a file's bytes.

    Raises:
        InputError: it cannot be read; the message says why.
    """
    if _by_connection(uri, client):
        yield from client.download(uri)
        return
    path = local_path(uri)
    try:
        with path.open("rb") if path is not None else _object(uri).open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                yield chunk
    except OSError as error:
        raise _unreadable(uri, error) from error


@contextmanager
def seekable(uri: str, client: GenAIBatchClient) -> Iterator[BinaryIO]:
    """Open a file to read here and there; what is not on this machine is copied to the worker's disk first.

    Raises:
        InputError: it cannot be read; the message says why.
    """
    path = local_path(uri)
    if path is None:
        with spool() as stream:
            stream.writelines(read_chunks(uri, client))
            stream.seek(0)
            yield stream
        return
    try:
        stream = path.open("rb")
    except OSError as error:
        raise _unreadable(uri, error) from error
    with stream:
        yield stream


@contextmanager
def spool() -> Iterator[BinaryIO]:
    """Give a temporary file: what does not fit memory goes to the worker's disk."""
    stream = TemporaryFile(prefix="genai-batch-")  # noqa: SIM115 - its closing may fail
    try:
        yield stream
    finally:
        with suppress(OSError):  # what did not fit any more is thrown away like the rest
            stream.close()


def check_place(uri: str, client: GenAIBatchClient) -> None:
    """Find out, before anything is paid, whether rows can be written to an address of its kind.

    Raises:
        ConfigurationError: no provider serves its scheme.
    """
    if local_path(uri) is None and not _by_connection(uri, client):
        _object(uri)


@dataclass
class Draft:
    """A file that is yet to be published."""

    stream: BinaryIO | None
    good: bool = True
    """False: it is to be thrown away."""


@contextmanager
def published(uri: str, client: GenAIBatchClient) -> Iterator[Draft]:
    """Give a file to write; it appears at `uri` whole when the block ends well, and not at all otherwise.

    Raises:
        OSError: it cannot be written there.
    """
    path = local_path(uri)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as stream:
            part = Path(stream.name)
            try:
                draft = Draft(stream)  # type: ignore[arg-type]  # a wrapper of a binary file
                yield draft
                stream.close()
                if draft.good:
                    part.chmod(0o644)
                    part.replace(path)
            finally:
                part.unlink(missing_ok=True)
        return
    with spool() as spooled:
        draft = Draft(spooled)
        yield draft
        if not draft.good:
            return
        spooled.seek(0)
        if _by_connection(uri, client):
            try:
                client.upload(spooled, uri)
            except CallError as error:
                # Not the job's trouble: whoever reads rows must not take it for that.
                raise OSError(str(error)) from error
        else:
            _put(uri, spooled)


def _unreadable(uri: str, error: OSError) -> InputError:
    return InputError(
        f"{uri} cannot be read: {error.strerror or error}. Give a file that exists where the task runs."
    )


def _by_connection(uri: str, client: GenAIBatchClient) -> bool:
    """Whether the connection's own credentials are for Cloud Storage."""
    return uri.startswith("gs://") and client.config.backend is Backend.VERTEX


def _put(uri: str, stream: BinaryIO) -> None:
    """Write object storage under a name aside, then move: a broken writer may still publish what it has."""
    target = _object(uri)
    part = _object(f"{uri}.part")
    try:
        with part.open("wb") as out:
            shutil.copyfileobj(stream, out, _CHUNK)
        part.replace(target)
    except Exception as error:  # every provider's file system has errors of its own
        _remove(part)
        raise OSError(str(error)) from error


def _remove(part: Any) -> None:
    """Take away what a broken writer has published, as far as it can be."""
    try:
        part.unlink(missing_ok=True)
    except Exception as error:  # noqa: BLE001 - likewise; what went wrong before is what is told
        log.warning("%s may have been left behind: %s", part, error)


def _object(uri: str):  # type: ignore[no-untyped-def]  # noqa: ANN202 - a class of Airflow, imported late
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    try:
        path = ObjectStoragePath(uri)
        path.fs  # noqa: B018 - finds out whether a provider serves the scheme
    except (ImportError, ValueError) as error:
        msg = f"{uri} cannot be reached: {error}. Install the provider that serves its scheme."
        raise ConfigurationError(msg) from error
    return path
