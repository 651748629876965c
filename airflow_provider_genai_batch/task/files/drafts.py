"""Local files that are being written, under temporary names until they are whole.

The writer holds a lock on its draft. The lock ends with the process, however it dies, so a draft without a lock has
no writer any more.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

log = logging.getLogger(__name__)

ABANDONED_AFTER = 24 * 3600.0
"""Seconds without a write after which a draft without a lock is removed.

Some network file systems do not show a lock to other machines, so a young draft without a lock may still have a writer.
"""
_LONGEST = 255
"""Longest file name in bytes, used if the file system does not report its own limit."""


def draft_of(path: Path) -> tuple[Path, BinaryIO]:
    """Open a new file beside `path` for reading and writing, with the rights that the umask allows.

    The draft's name has a fixed length, because the name of `path` may already be as long as the file system allows.
    """
    part = path.with_name(f"{_prefix(path)}{uuid4().hex}.part")
    number = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    with suppress(OSError):  # if the file system has no locks, remove_abandoned leaves all drafts alone
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return part, os.fdopen(number, "w+b")


def remove_abandoned(path: Path, draft: Path) -> None:
    """Remove drafts of `path` whose writers have died.

    Args:
        path: the file that the drafts were written for.
        draft: a draft that was just created. Its modification time is the file system's current time, which may come
            from another machine's clock.
    """
    now = draft.stat().st_mtime
    for part in path.parent.glob(f"{_prefix(path)}{'[0-9a-f]' * 32}.part"):
        try:
            if now - part.stat().st_mtime < ABANDONED_AFTER:
                continue
            with part.open("rb") as stream:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)  # BlockingIOError: it has a writer
                part.unlink()
        except OSError as error:
            log.debug("%s was left alone: %s", part, error)
        else:
            log.info("Removed %s, left by a process that died while it wrote rows.", part)


def check_folder(path: Path) -> None:
    """Check that a file can be created at `path`, without leaving anything there. Its folders need not exist yet.

    Raises:
        OSError: it cannot be created; the message says why.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
    folder, new = path.parent, [path.name]
    while not folder.exists() and folder != folder.parent:
        new.append(folder.name)
        folder = folder.parent
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "it is a file, not a folder", str(folder))
    for name in new:
        if len(os.fsencode(name)) > _longest_name(folder):
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), name)
    part, stream = draft_of(folder / path.name)
    stream.close()
    part.unlink()


def _prefix(path: Path) -> str:
    return f".genai-batch-{blake2b(os.fsencode(path.name), digest_size=8).hexdigest()}-"


def _longest_name(folder: Path) -> int:
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (OSError, ValueError):
        return _LONGEST
