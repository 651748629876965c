"""Measures and spells what it costs to land the rows of an ended job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.benchmarks.data import KINDS, LENGTH
from tests.benchmarks.environment import PEER, VERSION
from tests.benchmarks.meter import machine
from tests.benchmarks.page import table
from tests.benchmarks.runs import Figures, cheapest, run_ours, run_peer

HEADING = "Landing rows"
MILLION = 1_000_000
_COLUMNS = ("Rows", "CPU time a row, µs", "Memory grew by, MB")
_WAYS: dict[str, dict[str, Any]] = {
    "`.jsonl`": {},
    "`.jsonl`, in order": {"ordered": True},
    "`.jsonl`, the user's own keys": {"own_keys": True},
    "`.jsonl.gz`": {"form": "jsonl.gz"},
    "`.parquet`": {"form": "parquet"},
}


def section(python: Path, address: str, folder: Path, *, rows: int, repeat: int, full: bool) -> str:
    """Write the section; arguments as in `tests.benchmarks.asking`, and `full` lands a million rows, too."""
    beside = []
    for kind in KINDS:
        ours, peer = cheapest(
            [
                (lambda kind=kind: run_ours(address, folder, kind, rows)),
                (lambda kind=kind: run_peer(python, address, folder, kind, rows)),
            ],
            repeat,
        )
        times = peer["us_per_row"] / ours["us_per_row"]
        beside += [
            (f"{kind}, this package", *_figures(ours), f"**{times:.1f}**"),
            (f"{kind}, {PEER}", *_figures(peer), ""),
        ]
    ways = [
        (name, *_figures(run_ours(address, folder, "plain", number, **settings)))
        for number in ((rows, MILLION) if full else (rows,))
        for name, settings in _WAYS.items()
    ]
    head = _HEAD.format(machine=machine(), peer=PEER, version=VERSION, length=LENGTH)
    return "\n".join(
        (
            head,
            table(("Answers, landed by", *_COLUMNS, "Times cheaper"), beside),
            _OTHERS,
            table(("Plain answers as", *_COLUMNS), ways),
        )
    )


def _figures(one: Figures) -> tuple[str, str, str]:
    return f"{one['rows']:,.0f}", f"{one['us_per_row']:.1f}", f"{max(0.0, one['growth_mb']):.1f}"


_HEAD = """\
Download, read, join, count, write. `make bench` measures it; `make bench FULL=1` lands a million rows, too.

Both sides read the same answers of about {length} characters and write a local file. The peer is
{peer} {version}: its `@task.llm_batch` lands results of OpenAI's batches, whose
lines are longer than Gemini's. Structured answers are validated as the same Pydantic model on both sides.

Measured on {machine}. CPU time is the process's own, user and system; the cheapest of
several runs is shown. Memory is how much the process grew after it had landed its first thousand rows.
"""
_OTHERS = "The same answers, landed by this package in other ways:\n"
