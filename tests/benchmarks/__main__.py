"""Compares the landing of rows with a peer's, on the same answers over the loopback, and writes the page of figures."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.data import KINDS, LENGTH
from tests.benchmarks.environment import PEER, VERSION, peer_python
from tests.benchmarks.meter import machine
from tests.benchmarks.runs import run_ours, run_peer
from tests.benchmarks.server import serving

_PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "benchmarks.md"
_FULL = 1_000_000
Figures = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="rows of each run (default: %(default)s)")
    parser.add_argument("--full", action="store_true", help=f"land {_FULL:,} rows with this package, too")
    parser.add_argument(
        "--repeat", type=int, default=3, help="runs of which the cheapest counts (default: %(default)s)"
    )
    asked = parser.parse_args()
    python = peer_python()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as made:
        folder = Path(made)
        with serving(folder) as address:
            page = _page(asked, python, address, folder)
    _PAGE.write_text(page)
    print(page)  # noqa: T201 - for who waits for it


def _page(asked: argparse.Namespace, python: Path, address: str, folder: Path) -> str:
    rows, repeat = asked.rows, asked.repeat
    lines = [_HEAD.format(machine=machine(), peer=PEER, version=VERSION, length=LENGTH)]
    for kind in KINDS:
        pair = [
            (lambda kind=kind: run_ours(address, folder, kind, rows)),
            (lambda kind=kind: run_peer(python, address, folder, kind, rows)),
        ]
        ours, peer = _cheapest(pair, repeat)
        lines += [_line(kind, "this package", ours), _line(kind, PEER, peer)]
        times = peer["us_per_row"] / ours["us_per_row"]
        less = peer["growth_mb"] / max(ours["growth_mb"], 1.0)
        lines.append(f"| {kind} | ratio | | **{times:.1f}** | **{less:.0f}** |")
    lines.append(_OTHERS)
    for name, settings in _WAYS.items():
        (figures,) = _cheapest(
            [lambda settings=settings: run_ours(address, folder, "plain", rows, **settings)], 1
        )
        lines.append(_line("plain", name, figures))
    if asked.full:
        lines.append(_line("plain", "`.jsonl`", run_ours(address, folder, "plain", _FULL)))
        lines.append(
            _line("plain", "`.jsonl`, in order", run_ours(address, folder, "plain", _FULL, ordered=True))
        )
    return "\n".join(lines) + "\n"


_WAYS = {
    "`.jsonl`": {},
    "`.jsonl`, in order": {"ordered": True},
    "`.jsonl`, the user's own keys": {"own_keys": True},
    "`.jsonl.gz`": {"form": "jsonl.gz"},
    "`.parquet`": {"form": "parquet"},
}


def _cheapest(works: list[Callable[[], Figures]], repeat: int) -> list[Figures]:
    """Do them in turn, so that all have the same neighbours, and keep the cheapest run of each."""
    runs = [[work() for work in works] for _ in range(repeat)]
    return [min(of_one, key=lambda figures: figures["us_per_row"]) for of_one in zip(*runs, strict=True)]


def _line(kind: str, who: str, figures: Figures) -> str:
    return (
        f"| {kind} | {who} | {figures['rows']:,} | {figures['us_per_row']:.1f} | {figures['growth_mb']:.1f} |"
    )


_HEAD = """\
# Benchmarks

What it costs to land the rows of an ended job: download, read, join, count, write. `make bench` measures it and writes
this page; `make bench FULL=1` lands a million rows, too.

Both sides read equal answers of about {length} characters from a server on the loopback, each in a process of its own,
and write a local file. The peer is {peer} {version}: its `@task.llm_batch` lands results of
OpenAI's batches, whose lines say more than Gemini's. Structured answers are validated as the same Pydantic model on
both sides.

Measured on {machine}. CPU time is the process's own, user and system; of several runs the
cheapest is shown. Memory is by how much the process grew above what it held after it had landed a thousand rows; for
the ratio, less than 1 MB counts as 1 MB.

| Answers | Landed by | Rows | CPU time a row, µs | Memory grew by, MB |
|---|---|---:|---:|---:|"""

_OTHERS = """
The same answers, landed by this package in other ways:

| Answers | As | Rows | CPU time a row, µs | Memory grew by, MB |
|---|---|---:|---:|---:|"""

if __name__ == "__main__":
    main()
