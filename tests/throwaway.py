"""Folders that live as long as a process of the tests, and go even where that process was killed."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import tempfile
from pathlib import Path

_MEMORY = Path("/dev/shm")


def in_memory() -> Path:
    """Return where files are in memory: each run of a DAG waits until a dozen commits are on the disk."""
    roomy = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > 2 * 1024**3
    return _MEMORY if roomy else Path(tempfile.gettempdir())


def folder(name: str, parent: Path) -> Path:
    """Make a folder that goes when this process ends; those of processes that were killed go now.

    Args:
        name: Of this kind of folders; the process's id comes behind it.
        parent: Where it is made.
    """
    for other in parent.glob(f"{name}-*"):
        owner = re.fullmatch(rf"{re.escape(name)}-(\d+)-\w+", other.name)
        if owner and not _is_alive(int(owner[1])):
            shutil.rmtree(other, ignore_errors=True)  # another process may do the same now
    made = Path(tempfile.mkdtemp(prefix=f"{name}-{os.getpid()}-", dir=parent))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True
