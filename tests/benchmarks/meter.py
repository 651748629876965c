"""What a piece of work costs the process that does it. Imports nothing but the standard library."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_STATUS = Path("/proc/self/status")


def measured(work: Callable[[], Any], rows: int) -> dict[str, float]:
    """Do it and return CPU time in µs a row, seconds by the clock, and by how much resident memory grew, in MB."""
    before = _resident()
    _forget_peak()
    begun, cpu = time.perf_counter(), time.process_time()
    work()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - begun
    return {
        "rows": rows,
        "us_per_row": cpu / rows * 1e6,
        "seconds": wall,
        "growth_mb": (_peak() - before) / 1e6,
    }


def machine() -> str:
    """Name the machine."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        "unknown CPU",
    )
    return f"{os.cpu_count()} cores of {model}, Python {sys.version.split()[0]}"


def _resident() -> int:
    return _figure("VmRSS")


def _peak() -> int:
    return _figure("VmHWM")


def _figure(name: str) -> int:
    """Return a number of bytes that Linux tells of this process."""
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


def _forget_peak() -> None:
    """Let the peak of memory begin anew."""
    Path("/proc/self/clear_refs").write_text("5")
