"""Gives processes a share of a core, by a control group of Linux: so workers are as slow as small machines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

_ROOT = Path("/sys/fs/cgroup")
_PERIOD = 100_000
"""Of the scheduler's accounts, in microseconds."""

Enter = Callable[[Iterable[int]], None]
"""Takes the ids of processes; what they start later is in the group, too."""


def allowed() -> bool:
    """Whether this user may make control groups for CPU time on this machine."""
    try:
        with share(1.0):
            return True
    except OSError:
        return False


@contextmanager
def share(cores: float) -> Iterator[Enter]:
    """Make a group whose processes together get as much CPU time as `cores` cores have; give what puts them there.

    Raises:
        OSError: the machine has no control groups, or does not let this user make one.
    """
    old = (_ROOT / "cpu").is_dir()
    group = _ROOT / ("cpu" if old else "") / f"genai-batch-{uuid4().hex[:12]}"
    if not old:
        (_ROOT / "cgroup.subtree_control").write_text("+cpu")
    group.mkdir()
    quota = str(round(cores * _PERIOD))
    try:
        if old:
            (group / "cpu.cfs_period_us").write_text(str(_PERIOD))
            (group / "cpu.cfs_quota_us").write_text(quota)
        else:
            (group / "cpu.max").write_text(f"{quota} {_PERIOD}")

        def enter(pids: Iterable[int]) -> None:
            for pid in pids:
                (group / "cgroup.procs").write_text(str(pid))

        yield enter
    finally:
        # It cannot be removed before its processes are elsewhere.
        for pid in (group / "cgroup.procs").read_text().split():
            (group.parent / "cgroup.procs").write_text(pid)
        group.rmdir()
