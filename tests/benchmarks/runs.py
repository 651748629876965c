"""Runs one side of the comparison in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from tests.benchmarks.server import prepare

_ROOT = Path(__file__).resolve().parents[2]
Figures = dict[str, float]
Work = Callable[[], Figures]


class Pairs(NamedTuple):
    """Two pieces of work, done in pairs.

    Attributes:
        one: the median run of the first.
        other: the median run of the second.
        times: what the first costs in CPU time, as a multiple of the second: of each pair, from the least to the most.
    """

    one: Figures
    other: Figures
    times: list[float]

    def __str__(self) -> str:
        """Return the median of the pairs, with their spread."""
        return f"**{median(self.times):.1f}** ({self.times[0]:.1f} to {self.times[-1]:.1f})"


def in_pairs(one: Work, other: Work, passes: int) -> Pairs:
    """Do one right after the other, as often as there are passes, and every second time the other way round.

    What else the machine does, and how warm it is, changes from minute to minute, and so does what a row costs: two
    runs that stand side by side have most of it in common.
    """
    runs = []
    for number in range(passes):
        if number % 2:
            second = other()
            runs.append((one(), second))
        else:
            runs.append((one(), other()))
    times = sorted(first["us_per_row"] / second["us_per_row"] for first, second in runs)
    ones, others = zip(*runs, strict=True)
    return Pairs(_median(ones), _median(others), times)


def cheapest(works: list[Work], repeat: int) -> list[Figures]:
    """Do more than two in turn, so that all have the same neighbours, and keep the cheapest run of each."""
    runs = [[work() for work in works] for _ in range(repeat)]
    return [min(of_one, key=lambda figures: figures["us_per_row"]) for of_one in zip(*runs, strict=True)]


def _median(runs: Sequence[Figures]) -> Figures:
    return sorted(runs, key=lambda figures: figures["us_per_row"])[len(runs) // 2]


def run_ours(
    address: str, folder: Path, kind: str, rows: int, form: str = "jsonl", **settings: Any
) -> Figures:
    """Land with this package."""
    _prepare(folder, kind, rows, peer=False)
    target = folder / f"ours.{form}"
    command = [sys.executable, "-m", "tests.benchmarks.ours"]
    return _run([*command, address, kind, str(rows), str(target), json.dumps(settings)], folder)


def run_decoding(address: str, folder: Path, kind: str, rows: int) -> Figures:
    """Download and decode the same answers, and do nothing with them."""
    _prepare(folder, kind, rows, peer=False)
    return _run([sys.executable, "-m", "tests.benchmarks.decoding", address, kind, str(rows)], folder)


def run_peer(python: Path, address: str, folder: Path, kind: str, rows: int) -> Figures:
    """Land with the peer, in its own environment."""
    _prepare(folder, kind, rows, peer=True)
    script = Path(__file__).with_name("peer.py")
    return _run([str(python), str(script), address, kind, str(rows), str(folder / "peer.jsonl")], folder)


def run_ours_asking(address: str, folder: Path, form: str, rows: int) -> Figures:
    """Take an input in and upload it with this package: a file of a form, ``defaults`` or ``generator``."""
    return _run(
        [sys.executable, "-m", "tests.benchmarks.ours_asking", address, form, str(rows), str(folder)], folder
    )


def run_peer_asking(python: Path, address: str, folder: Path, rows: int) -> Figures:
    """Upload a list with the peer, in its own environment."""
    script = Path(__file__).with_name("peer_asking.py")
    return _run([str(python), str(script), address, str(rows)], folder)


def _prepare(folder: Path, kind: str, rows: int, *, peer: bool) -> None:
    for number in (1000, rows):
        prepare(folder, kind, number, peer=peer)


def _run(command: list[str], folder: Path) -> Figures:
    environment = {**os.environ, "AIRFLOW_HOME": str(folder / "airflow"), "NO_PROXY": "127.0.0.1"}
    done = subprocess.run(command, cwd=_ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        msg = f"{command} failed ({done.returncode}): {done.stderr}"
        raise RuntimeError(msg)
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures
