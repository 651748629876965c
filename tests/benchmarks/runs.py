"""Runs one side of the comparison in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks.server import prepare

_ROOT = Path(__file__).resolve().parents[2]
Figures = dict[str, float]


def cheapest(works: list[Callable[[], Figures]], repeat: int) -> list[Figures]:
    """Do them in turn, so that all have the same neighbours, and keep the cheapest run of each."""
    runs = [[work() for work in works] for _ in range(repeat)]
    return [min(of_one, key=lambda figures: figures["us_per_row"]) for of_one in zip(*runs, strict=True)]


def run_ours(
    address: str, folder: Path, kind: str, rows: int, form: str = "jsonl", **settings: Any
) -> Figures:
    """Land with this package."""
    _prepare(folder, kind, rows, peer=False)
    target = folder / f"ours.{form}"
    command = [sys.executable, "-m", "tests.benchmarks.ours"]
    return _run([*command, address, kind, str(rows), str(target), json.dumps(settings)], folder)


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
