"""Files wherever Airflow can reach them: local paths, ``gs://`` by the connection, and object storage."""

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
from airflow_provider_genai_batch.task.files.streamed import StreamedObject
from airflow_provider_genai_batch.wire.tables.sql import TableName, is_table, read_table

log = logging.getLogger(__name__)

_CHUNK = 256 * 1024
_JSON_LINES = "application/jsonl"


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
    """Stream the lines that are kept in a table, see `task.inputs.queries.table_snapshot`."""
    sql = f"SELECT lines FROM {table} WHERE number >= 0 ORDER BY number"  # noqa: S608 - names are checked
    queries = client.queries
    for (lines,) in queries.stream(sql, queries.location_of(table.place), {}):
        yield lines.encode()


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
    """Find out, before anything is paid, whether a provider serves an address.

    Raises:
        ConfigurationError: none serves its scheme.
    """
    if local_path(uri) is None and not by_connection(uri, client) and not is_table(uri):
        object_at(uri)


def check_writable(uri: str, client: GenAIBatchClient, *, what: str = "Rows", given: str = "") -> None:
    """Find out, before anything is paid, whether a file can be written to an address. It leaves nothing there.

    Args:
        uri: the file's.
        client: of the task's connection.
        what: is to be written, for the message.
        given: the parameter that says where, with its value.

    Raises:
        ConfigurationError: it cannot; the message says why.
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
    """Write a file whose name nobody else has, whole or not at all; it has come to the disk, or the store, after this.

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
    """A file that is yet to be published."""

    stream: BinaryIO | None
    good: bool = True
    """False: it is to be thrown away."""


@contextmanager
def published(uri: str, client: GenAIBatchClient, *, streamed: bool = False) -> Iterator[Draft]:
    """Give a file to write; it appears at `uri` whole when the block ends well, and not at all otherwise.

    Args:
        uri: where it is to be.
        client: of the task's connection.
        streamed: it is only written, from its start to its end, so that Airflow's object storage needs no copy of it
            on the worker's disk.

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
    connected = by_connection(uri, client)
    if streamed and not connected:
        with _streamed(uri) as draft:
            yield draft
        return
    with spool() as spooled:
        draft = Draft(spooled)
        yield draft
        if not draft.good:
            return
        log.info("%s is uploaded from a temporary file of %d bytes.", uri, spooled.seek(0, os.SEEK_END))
        spooled.seek(0)
        if not connected:
            put_object(uri, spooled)
            return
        try:
            client.upload(spooled, uri)
        except CallError as error:
            # Not the job's trouble: whoever reads rows must not take it for that.
            raise OSError(str(error)) from error


@contextmanager
def _streamed(uri: str) -> Iterator[Draft]:
    stream = StreamedObject(uri)
    try:
        draft = Draft(cast("BinaryIO", stream))
        yield draft
        if draft.good:
            stream.publish()
    finally:
        stream.discard()


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
    """Write an object whose name stands for its content, whole or not at all. One that is there whole is left.

    Args:
        uri: in object storage.
        client: of the task's connection.
        stream: seekable.
        size: bytes of it.
        mime_type: of the object, where the store keeps one.
        part_of: what it is called until it is whole, in the same folder, before what tells writers apart.
        tidy: take away what writers of such parts left in the folder that died.

    Returns:
        Whether it looked for such parts.

    Raises:
        OSError: it cannot be written there.
    """
    if by_connection(uri, client):
        try:
            client.upload(stream, uri, mime_type=mime_type, reuse=True)
        except CallError as error:
            raise OSError(str(error)) from error
        return True  # the service publishes whole objects by itself
    if size_of(object_at(uri)) == size:
        return False
    put_object(uri, stream, part_of=part_of, tidy=tidy)
    return tidy


def matching_files(pattern: str, client: GenAIBatchClient) -> list[str]:
    """Return the files that match a pattern with ``*`` in it, of this machine or in object storage, by their names.

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
    """Return the files in object storage that match a pattern with ``*`` in it, in the order of their names.

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
    """Delete a file that this package wrote; one that is not there is no trouble.

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
    """Whether the connection's own credentials are for Cloud Storage."""
    return uri.startswith("gs://") and client.config.backend is Backend.VERTEX
