"""Files that Airflow reaches through its object storage paths: reading, checking and publishing them."""

from __future__ import annotations

import logging
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from inspect import signature
from typing import Any, BinaryIO
from uuid import uuid4

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.exceptions import ConfigurationError
from airflow_provider_genai_batch.results.digest import digest_of
from airflow_provider_genai_batch.task.files.drafts import ABANDONED_AFTER

log = logging.getLogger(__name__)

_CHUNK = 256 * 1024
_PART = re.compile(r"[0-9a-f]{32}\.part")
"""The end of the name of a temporary part."""
TURNS = 3
"""How often to try to publish if another writer interferes."""
_STILL, _AT_MOST = 0.5, 60.0
"""Seconds without a change after which an object counts as no longer being written; longest wait for a writer."""


@contextmanager
def provider_errors() -> Iterator[None]:
    """Turn the errors of a provider's file system into `OSError`, because each provider has its own types.

    Raises:
        OSError: the block raised an error.
    """
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(str(error) or type(error).__name__) from error


def object_at(uri: str) -> Any:
    """Return the ``ObjectStoragePath`` of an object, which need not exist.

    Raises:
        ConfigurationError: no provider serves its scheme.
    """
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    try:
        path = ObjectStoragePath(uri)
        path.fs  # noqa: B018 - raises if no provider serves the scheme
    except (ImportError, ValueError) as error:
        msg = f"{uri} cannot be reached: {error}. Install the provider that serves its scheme."
        raise ConfigurationError(msg) from error
    return path


def read_object(uri: str) -> Iterator[bytes]:
    """Stream an object's bytes.

    Raises:
        OSError: it cannot be read.
        ConfigurationError: no provider serves its scheme.
    """
    path = object_at(uri)
    with provider_errors(), path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def size_of(path: Any) -> int | None:
    """Return an object's size in bytes; None if it is not known."""
    try:
        with provider_errors():
            path.fs.invalidate_cache()
            size: Any = path.stat().st_size
    except OSError:  # callers treat an unknown size as no objection
        return None
    return size if isinstance(size, int) else None


def names_below(folder: str) -> list[str]:
    """Return the names of the objects in a folder; none if there is no such folder.

    Raises:
        OSError: it cannot be listed.
    """
    path = object_at(folder)
    with provider_errors():
        path.fs.invalidate_cache()
        try:
            names = path.fs.ls(path.path, detail=False)
        except (FileNotFoundError, NotADirectoryError):  # in object stores an empty folder does not exist
            return []
    return [name.rstrip("/").rpartition("/")[2] for name in names]


def objects_like(pattern: str) -> list[str]:
    """Return the addresses of the objects that a pattern with ``*`` in it matches.

    Raises:
        OSError: they cannot be listed.
    """
    folder, _, first = pattern.partition("*")[0].rpartition("/")
    with provider_errors():
        return [str(path) for path in object_at(folder).glob(first + pattern[len(folder) + 1 + len(first) :])]


def remove_object(uri: str) -> None:
    """Delete an object if it exists.

    Raises:
        OSError: it cannot be deleted.
    """
    path = object_at(uri)
    with provider_errors():
        path.unlink(missing_ok=True)


def try_place(uri: str) -> None:
    """Write an object beside an address and delete it: publishing needs the same rights.

    Raises:
        OSError: one of the two failed, or there is a folder at the address.
    """
    part = object_at(f"{uri}.{uuid4().hex}.part")
    try:
        with provider_errors():
            is_folder = object_at(uri).is_dir()
            with part.open("wb") as out:
                out.write(b"\n")
            part.unlink()
    except OSError:
        remove_part(part)
        raise
    if is_folder:
        msg = "it is a folder"
        raise IsADirectoryError(msg)


def put_object(uri: str, stream: BinaryIO, *, part_of: str, tidy: bool) -> None:
    """Write an object under a unique temporary name, then move it.

    Direct writing is not safe, because some file systems publish what a writer has written when it breaks off. If
    another writer of the same rows is first, this counts as success. Some stores move by writing in place, so that
    another writer may interfere; then the object is written and moved again.

    Args:
        uri: the address of the object.
        stream: the content, seekable.
        part_of: the first part of the temporary name; a suffix that is unique per writer follows.
        tidy: whether to remove temporary parts whose writers have died.

    Raises:
        OSError: it cannot be written, or others keep writing there.
    """
    target = object_at(uri)
    size = stream.seek(0, os.SEEK_END)
    trouble: OSError | None = None
    for _ in range(TURNS):
        part = object_at(f"{part_of}.{uuid4().hex}.part")
        try:
            with provider_errors():
                stream.seek(0)
                with part.open("wb") as out:
                    shutil.copyfileobj(stream, out, _CHUNK)
                part.replace(target)
        except OSError as error:
            remove_part(part)
            trouble = error
        else:
            trouble = None
            if tidy:
                remove_abandoned_parts(target, object_at(part_of))
            if comes_to(target, size):
                return
        stream.seek(0)
        if holds(target, size, digest_of(stream)):
            return
    if trouble is not None:
        raise trouble
    msg = "another writer keeps writing other rows there"
    raise OSError(msg)


def remove_abandoned_parts(target: Any, part_of: Any) -> None:
    """Remove temporary parts whose writers died a day ago or earlier.

    Args:
        target: an object that was published just now. Its modification time is the current time of the store's clock.
        part_of: the first part of the temporary names.
    """
    fs, folder, prefix = target.fs, target.parent.path, f"{part_of.name}."
    try:
        with provider_errors():
            # Object stores list by prefix, so that other files in the folder cost nothing.
            by_prefix = "prefix" in signature(getattr(fs, "_find", fs.find)).parameters
            names = fs.find(folder, prefix=prefix) if by_prefix else fs.ls(folder, detail=False)
            now = fs.modified(target.path)
            for name in names:
                own, _, rest = name.rpartition("/")[2].partition(prefix)
                ours = not own and _PART.fullmatch(rest)
                if ours and (now - fs.modified(name)).total_seconds() >= ABANDONED_AFTER:
                    fs.rm_file(name)
                    log.info("Removed %s, left by a process that died while it wrote rows.", name)
    except OSError as error:  # the rows are there
        log.debug("Could not check whether parts of %s were left behind: %s", target, error)


def comes_to(path: Any, size: int) -> bool:
    """Whether an object has this size, or reaches it while another writer is still writing. An unknown size counts."""
    seen, begun = size_of(path), clock.monotonic()
    changed = begun
    while seen not in (None, size):
        now = clock.monotonic()
        if now - changed > _STILL or now - begun > _AT_MOST:
            return False
        clock.sleep(_STILL / 10)
        before, seen = seen, size_of(path)
        changed = changed if seen == before else clock.monotonic()
    return True


def holds(path: Any, size: int, digest: str) -> bool:
    """Whether an object has bytes of this size and digest, because another writer of the same rows was first."""
    if not comes_to(path, size):
        return False
    try:
        with provider_errors(), path.open("rb") as there:
            return digest_of(there) == digest
    except OSError:
        return False


def remove_part(part: Any) -> None:
    """Delete a temporary part if possible. A failure is only logged, so that it does not hide the first error."""
    try:
        with provider_errors():
            part.unlink(missing_ok=True)
    except OSError as error:
        log.warning("%s may have been left behind: %s", part, error)
