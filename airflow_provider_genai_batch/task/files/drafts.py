"""Files of this machine that are being written: under names of their own, until they are whole.

Whoever writes one holds a lock on it. The lock ends with the process, however it dies, so a draft that nobody has
locked is nobody's.
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
"""Seconds without a byte after which a draft that nobody has locked is removed.

Some network file systems keep locks to a machine, so a lock that is free says little of a draft that is young.
"""
_LONGEST = 255
"""Bytes of a file's name, where the file system does not tell."""


def draft_of(path: Path) -> tuple[Path, BinaryIO]:
    """Open a new file beside `path`, readable and writable, with the rights that the umask leaves.

    Its name does not grow with that of `path`, which may be as long as there can be.
    """
    part = path.with_name(f"{_prefix(path)}{uuid4().hex}.part")
    number = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    with suppress(OSError):  # a file system without locks: then nobody takes the draft for abandoned
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return part, os.fdopen(number, "w+b")


def remove_abandoned(path: Path, draft: Path) -> None:
    """Take away drafts of `path` whose writers have died.

    Args:
        path: what they were to become.
        draft: one that was just begun. Its time tells that of the file system, which may be another machine's.
    """
    now = draft.stat().st_mtime
    for part in path.parent.glob(f"{_prefix(path)}{'[0-9a-f]' * 32}.part"):
        try:
            if now - part.stat().st_mtime < ABANDONED_AFTER:
                continue
            with part.open("rb") as stream:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)  # BlockingIOError: somebody writes it
                part.unlink()
        except OSError as error:
            log.debug("%s was left alone: %s", part, error)
        else:
            log.info("Removed %s, left by a process that died while it wrote rows.", part)


def check_folder(path: Path) -> None:
    """Find out whether a file can be put at `path`, whose folders need not be there yet. It leaves nothing there.

    Raises:
        OSError: it cannot; the message says why.
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
