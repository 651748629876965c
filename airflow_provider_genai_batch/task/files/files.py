"""Files wherever Airflow can reach them: local paths, ``gs://`` by the connection, and object storage."""

from __future__ import annotations

import logging
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.client.storage.uploads import try_object
from airflow_provider_genai_batch.exceptions import CallError, ConfigurationError, InputError
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.task.files.drafts import (
    ABANDONED_AFTER,
    check_folder,
    draft_of,
    remove_abandoned,
)

log = logging.getLogger(__name__)

_CHUNK = 256 * 1024
_PART = re.compile(r"[0-9a-f]{32}\.part")
"""What ends the name of a part of an object."""
_TURNS = 3
"""Tries to publish where another writer comes between."""
_STILL, _AT_MOST = 0.5, 60.0
"""Seconds without a change after which nobody writes an object any more, and for which somebody may."""


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
    """Find out, before anything is paid, whether a provider serves an address.

    Raises:
        ConfigurationError: none serves its scheme.
    """
    if local_path(uri) is None and not _by_connection(uri, client):
        _object(uri)


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
        if path is not None:
            check_folder(path)
        elif _by_connection(uri, client):
            client.run(try_object(client.calls, uri))
        else:
            _try_object(uri)
    except (OSError, CallError) as error:
        msg = (
            f"{what} cannot be written to {given or f'results_uri {uri}'}: {error}. Nothing was submitted for them and "
            "nothing is billed. Give the task an address that it may write to."
        )
        raise ConfigurationError(msg) from error


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
    if _by_connection(uri, client):
        try:
            client.upload(stream, uri, mime_type=mime_type, reuse=True)
        except CallError as error:
            raise OSError(str(error)) from error
        return True  # the service publishes whole objects by itself
    if _size(_object(uri)) == size:
        return False
    _put(uri, stream, part_of=part_of, tidy=tidy)
    return tidy


def _unreadable(uri: str, error: OSError) -> InputError:
    return InputError(
        f"{uri} cannot be read: {error.strerror or error}. Give a file that exists where the task runs."
    )


def _by_connection(uri: str, client: GenAIBatchClient) -> bool:
    """Whether the connection's own credentials are for Cloud Storage."""
    return uri.startswith("gs://") and client.config.backend is Backend.VERTEX


def _put(uri: str, stream: BinaryIO, *, part_of: str | None = None, tidy: bool = True) -> None:
    """Write object storage under a name of one's own, then move: a broken writer may still publish what it has.

    Whoever loses a race against another writer of the same rows has published them, too. Where a store moves by
    writing in place, another writer may have come between; then the move is made again.

    Raises:
        OSError: it cannot be written, or others keep writing there.
    """
    target = _object(uri)
    part_of = part_of or uri
    size = stream.seek(0, os.SEEK_END)
    trouble: Exception | None = None
    for _ in range(_TURNS):
        part = _object(f"{part_of}.{uuid4().hex}.part")
        try:
            stream.seek(0)
            with part.open("wb") as out:
                shutil.copyfileobj(stream, out, _CHUNK)
            part.replace(target)
        except Exception as error:  # noqa: BLE001 - every provider's file system has errors of its own
            _remove(part)
            trouble = error
        else:
            trouble = None
            if tidy:
                _remove_abandoned(target, _object(part_of))
            if _comes_to(target, size):
                return
        if _holds(target, stream, size):
            return
    if trouble is not None:
        raise OSError(str(trouble)) from trouble
    msg = "another writer keeps writing other rows there"
    raise OSError(msg)


def _remove_abandoned(target: Any, part_of: Any) -> None:
    """Take away parts whose writers died a day ago or earlier.

    Args:
        target: an object that was published just now: its time tells that of the store's own clock.
        part_of: what the parts are called.
    """
    fs, folder, prefix = target.fs, target.parent.path, f"{part_of.name}."
    try:
        # Stores of objects list by prefix, so that what else is in the folder costs nothing.
        by_prefix = "prefix" in signature(getattr(fs, "_find", fs.find)).parameters
        names = fs.find(folder, prefix=prefix) if by_prefix else fs.ls(folder, detail=False)
        now = fs.modified(target.path)
        for name in names:
            own, _, rest = name.rpartition("/")[2].partition(prefix)
            ours = not own and _PART.fullmatch(rest)
            if ours and (now - fs.modified(name)).total_seconds() >= ABANDONED_AFTER:
                fs.rm_file(name)
                log.info("Removed %s, which a process left that died while it wrote rows.", name)
    except Exception as error:  # noqa: BLE001 - every provider's file system has errors of its own; the rows are there
        log.debug("Whether parts of %s were left behind cannot be told: %s", target, error)


def _comes_to(path: Any, size: int) -> bool:
    """Whether an object has a size, or comes to it while another writer still writes it."""
    seen, begun = _size(path), clock.monotonic()
    changed = begun
    while seen not in (None, size):
        now = clock.monotonic()
        if now - changed > _STILL or now - begun > _AT_MOST:
            return False
        clock.sleep(_STILL / 10)
        before, seen = seen, _size(path)
        changed = changed if seen == before else clock.monotonic()
    return True


def _size(path: Any) -> int | None:
    """Return an object's size; None where it cannot be told."""
    try:
        path.fs.invalidate_cache()
        size: Any = path.stat().st_size
    except Exception:  # noqa: BLE001 - likewise; then nothing is known that speaks against it
        return None
    return size if isinstance(size, int) else None


def _holds(path: Any, stream: BinaryIO, size: int) -> bool:
    """Whether an object has the bytes of a stream: another writer was first, with the same rows."""
    if not _comes_to(path, size):
        return False
    stream.seek(0)
    try:
        with path.open("rb") as there:
            while chunk := there.read(_CHUNK):
                if chunk != stream.read(len(chunk)):
                    return False
    except Exception:  # noqa: BLE001 - likewise
        return False
    return not stream.read(1)


def _try_object(uri: str) -> None:
    """Write an object beside an address and take it away, which is what publishing takes, too.

    Raises:
        OSError: that cannot be done.
    """
    part = _object(f"{uri}.{uuid4().hex}.part")
    try:
        is_folder = _object(uri).is_dir()
        with part.open("wb") as out:
            out.write(b"\n")
        part.unlink()
    except Exception as error:  # every provider's file system has errors of its own
        _remove(part)
        raise OSError(str(error) or type(error).__name__) from error
    if is_folder:
        msg = "it is a folder"
        raise IsADirectoryError(msg)


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
