"""Files that Airflow can reach: local paths, ``gs://`` through the task's connection, and object storage."""

from __future__ import annotations

import glob
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, cast
from urllib.parse import unquote, urlsplit

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.client.storage.uploads import try_object
from airflow_provider_genai_batch.exceptions import CallError, ConfigurationError, InputError, NotFound
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.task.files.drafts import check_folder, draft_of, remove_abandoned
from airflow_provider_genai_batch.task.files.object_storage import (
    object_at,
    objects_like,
    put_object,
    read_object,
    remove_object,
    size_of,
    try_place,
)
from airflow_provider_genai_batch.task.files.objects import listed
from airflow_provider_genai_batch.task.files.streamed import (
    MovedObject,
    StreamedObject,
    UploadedObject,
)
from airflow_provider_genai_batch.wire.tables.sql import TableName, is_table, read_table

log = logging.getLogger(__name__)

_CHUNK = 256 * 1024
_JSON_LINES = "application/jsonl"


def local_path(uri: str) -> Path | None:
    """Return the path of a local file; None if the address is in object storage."""
    parts = urlsplit(uri)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    return None if "://" in uri else Path(uri).expanduser()


def read_chunks(uri: str, client: GenAIBatchClient) -> Iterator[bytes]:
    """Stream a file's bytes.

    Raises:
        InputError: it cannot be read; the message says why.
    """
    if is_table(uri):
        yield from _kept_lines(read_table(uri, "The snapshot"), client)
        return
    if by_connection(uri, client):
        yield from client.download(uri)
        return
    path = local_path(uri)
    try:
        if path is None:
            yield from read_object(uri)
            return
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                yield chunk
    except OSError as error:
        raise _unreadable(uri, error) from error


def _kept_lines(table: TableName, client: GenAIBatchClient) -> Iterator[bytes]:
    """Stream the lines that a snapshot table keeps; see `task.inputs.queries.table_snapshot`."""
    sql = f"SELECT lines FROM {table} WHERE number >= 0 ORDER BY number"  # noqa: S608 - names are checked
    queries = client.queries
    for (lines,) in queries.stream(sql, queries.location_of(table.place), {}):
        yield lines.encode()


@contextmanager
def seekable(uri: str, client: GenAIBatchClient) -> Iterator[BinaryIO]:
    """Open a file for reading at any position. A remote file is first copied to the worker's disk.

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
    """Yield a temporary file on the worker's disk, for data that does not fit into memory."""
    stream = TemporaryFile(prefix="genai-batch-")  # noqa: SIM115 - closing it may fail
    try:
        yield stream
    finally:
        with suppress(OSError):  # closing flushes, which fails on a full disk; the data is discarded anyway
            stream.close()


def check_place(uri: str, client: GenAIBatchClient) -> None:
    """Check, before anything is paid, that a provider serves an address.

    Raises:
        ConfigurationError: no provider serves its scheme.
    """
    if local_path(uri) is None and not by_connection(uri, client) and not is_table(uri):
        object_at(uri)


def check_writable(uri: str, client: GenAIBatchClient, *, what: str = "Rows", given: str = "") -> None:
    """Check, before anything is paid, that a file can be written to an address. Nothing is left there.

    Args:
        uri: the address of the file.
        client: the client of the task's connection.
        what: what will be written, for the message.
        given: the parameter that holds the address, with its value, for the message.

    Raises:
        ConfigurationError: it cannot be written; the message says why.
    """
    try:
        path = local_path(uri)
        if is_table(uri):
            client.queries.try_table(read_table(uri, "results_uri"))
        elif path is not None:
            check_folder(path)
        elif by_connection(uri, client):
            client.run(try_object(client.calls, uri))
        else:
            try_place(uri)
    except (OSError, CallError) as error:
        msg = (
            f"{what} cannot be written to {given or f'results_uri {uri}'}: {error}. Nothing was submitted for them and "
            "nothing is billed. Give the task an address that it may write to."
        )
        raise ConfigurationError(msg) from error


def put_once(uri: str, client: GenAIBatchClient, data: bytes) -> None:
    """Write a file with a unique name, whole or not at all. When this returns, it is on disk or in the store.

    Raises:
        OSError: it cannot be written there.
    """
    path = local_path(uri)
    if path is None:
        stream = BytesIO(data)
        publish_once(uri, client, stream, len(data), mime_type=_JSON_LINES, part_of=uri, tidy=False)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part, out = draft_of(path)
    try:
        with out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@dataclass
class Draft:
    """A file that is not published yet."""

    stream: BinaryIO | None
    good: bool = True
    """False if the file is discarded instead of published."""


@contextmanager
def published(uri: str, client: GenAIBatchClient) -> Iterator[Draft]:
    """Yield a file to write. It appears at `uri` whole if the block ends without an error, and otherwise not at all.

    The caller only writes, from start to end, so that an object in a bucket needs no copy on the worker's disk.

    Args:
        uri: the address to publish at.
        client: the client of the task's connection.

    Raises:
        OSError: it cannot be written there.
    """
    path = local_path(uri)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        part, stream = draft_of(path)
        try:
            with stream:
                remove_abandoned(path, part)
                draft = Draft(stream)
                yield draft
                stream.flush()
                if draft.good:
                    os.fsync(stream.fileno())
                    part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        return
    written = StreamedObject(UploadedObject(uri, client) if by_connection(uri, client) else MovedObject(uri))
    try:
        draft = Draft(cast("BinaryIO", written))
        yield draft
        if draft.good:
            written.publish()
    finally:
        written.discard()


def publish_once(
    uri: str,
    client: GenAIBatchClient,
    stream: BinaryIO,
    size: int,
    *,
    mime_type: str,
    part_of: str,
    tidy: bool,
) -> bool:
    """Write an object whose name identifies its content, whole or not at all. A whole one already there is kept.

    Args:
        uri: the address in object storage.
        client: the client of the task's connection.
        stream: the content, seekable.
        size: the size of the content in bytes.
        mime_type: the type of the object, for stores that keep one.
        part_of: the first part of its temporary name in the same folder; a suffix that is unique per writer follows.
        tidy: whether to remove temporary parts whose writers have died.

    Returns:
        Whether such parts were looked for.

    Raises:
        OSError: it cannot be written there.
    """
    if by_connection(uri, client):
        try:
            client.upload(stream, uri, mime_type=mime_type, reuse=True)
        except CallError as error:
            raise OSError(str(error)) from error
        return True  # Cloud Storage itself only publishes whole objects
    if size_of(object_at(uri)) == size:
        return False
    put_object(uri, stream, part_of=part_of, tidy=tidy)
    return tidy


def matching_files(pattern: str, client: GenAIBatchClient) -> list[str]:
    """Return the local files or objects that match a pattern with ``*``, sorted by name.

    Raises:
        OSError, CallError: they cannot be listed.
    """
    path = local_path(pattern)
    if path is None:
        return matching(pattern, client)
    folder = next(parent for parent in path.parents if "*" not in str(parent))
    like = glob.escape(str(path.relative_to(folder))).replace("[*]", "*")
    return sorted(str(found) for found in folder.glob(like) if found.is_file())


def matching(pattern: str, client: GenAIBatchClient) -> list[str]:
    """Return the objects that match a pattern with ``*``, sorted by name.

    Raises:
        InputError: they cannot be listed.
    """
    if by_connection(pattern, client):
        return sorted(listed(client, pattern))
    try:
        return sorted(objects_like(pattern))
    except OSError as error:
        raise _unreadable(pattern, error) from error


def remove(uri: str, client: GenAIBatchClient) -> None:
    """Delete a file that this package wrote. A file that does not exist is no error.

    Raises:
        OSError: it cannot be deleted.
    """
    path = local_path(uri)
    if path is not None:
        path.unlink(missing_ok=True)
    elif by_connection(uri, client):
        try:
            client.perform(client.calls.delete_object(uri))
        except NotFound:
            return
        except CallError as error:
            raise OSError(str(error)) from error
    else:
        remove_object(uri)


def _unreadable(uri: str, error: OSError) -> InputError:
    return InputError(
        f"{uri} cannot be read: {error.strerror or error}. Give a file that exists where the task runs."
    )


def by_connection(uri: str, client: GenAIBatchClient) -> bool:
    """Whether the task's own connection reads and writes this address: ``gs://`` on Vertex AI."""
    return uri.startswith("gs://") and client.config.backend is Backend.VERTEX
