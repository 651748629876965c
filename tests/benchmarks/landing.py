"""Measures and spells what it costs to land the rows of an ended job."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from tests.benchmarks.data import KINDS, LENGTH
from tests.benchmarks.environment import PEER, VERSION
from tests.benchmarks.meter import machine
from tests.benchmarks.page import table
from tests.benchmarks.runs import Figures, in_pairs, run_decoding, run_ours, run_peer

HEADING = "Landing rows"
MILLION = 1_000_000
_COLUMNS = ("Rows", "CPU time a row, µs", "Memory grew by, MB")
_WAYS: dict[str, dict[str, Any]] = {
    "`.jsonl`, in order": {"ordered": True},
    "`.jsonl`, the user's own keys": {"own_keys": True},
    "`.jsonl.gz`": {"form": "jsonl.gz"},
    "`.parquet`": {"form": "parquet"},
}


def section(python: Path, address: str, folder: Path, *, rows: int, passes: int, full: bool) -> str:
    """Write the section; arguments as in `tests.benchmarks.asking`, and `full` lands a million rows, too."""
    beside = []
    for kind in KINDS:
        pairs = in_pairs(
            lambda kind=kind: run_peer(python, address, folder, kind, rows),
            lambda kind=kind: run_ours(address, folder, kind, rows),
            passes,
        )
        beside += [
            (f"{kind}, this package", *_figures(pairs.other), str(pairs)),
            (f"{kind}, {PEER}", *_figures(pairs.one), ""),
        ]
    plain = partial(run_ours, address, folder, "plain", rows)
    decoded = in_pairs(plain, lambda: run_decoding(address, folder, "plain", rows), passes)
    ways = [(_DECODED, *_figures(decoded.other), ""), ("`.jsonl`", *_figures(decoded.one), str(decoded))]
    beside_plain = []
    for name, settings in _WAYS.items():
        pairs = in_pairs(partial(plain, **settings), plain, passes)
        beside_plain.append((name, *_figures(pairs.one), str(pairs)))
    million = [
        (name, *_figures(run_ours(address, folder, "plain", MILLION, **settings)), "")
        for name, settings in {"`.jsonl`": {}, **_WAYS}.items()
        if full
    ]
    head = _HEAD.format(machine=machine(), peer=PEER, version=VERSION, length=LENGTH)
    return "\n".join(
        (
            head,
            table(("Answers, landed by", *_COLUMNS, "Times cheaper"), beside),
            _OTHERS,
            table(("Plain answers", *_COLUMNS, "Times the decoding"), ways),
            _PLAIN,
            table(("Plain answers as", *_COLUMNS, "Times `.jsonl`"), beside_plain + million),
            _PARTS,
        )
    )


def _figures(one: Figures) -> tuple[str, str, str]:
    return f"{one['rows']:,.0f}", f"{one['us_per_row']:.1f}", f"{max(0.0, one['growth_mb']):.1f}"


_HEAD = """\
Download, read, join, count, write. `make bench` measures it; `make bench FULL=1` lands a million rows, too.

Both sides read the same answers of about {length} characters and write a local file. The peer is
{peer} {version}: its `@task.llm_batch` lands results of OpenAI's batches, whose
lines are longer than Gemini's. Structured answers are validated as the same Pydantic model on both sides.

Measured on {machine}. CPU time is the process's own, user and system. The two sides
run in pairs, one right after the other, and every second time the other way round: shown are the median of their
ratios, in brackets the least and the most, and each side's median run. Memory is how much the process grew after it had
landed its first thousand rows.
"""
_OTHERS = """\
For comparison, the least that landing can cost: download the same bytes, decode them with msgspec into typed objects,
and do nothing with them.
"""
_PLAIN = "The same answers, landed by this package in other ways; `.jsonl.gz` with the extra `gzip`:\n"
_DECODED = "downloaded and decoded"
_PARTS = """\
The CPU time of a plain row in this package, by parts, in µs, on an Intel Xeon of 2.8 GHz (the quickest of many turns
over one block of lines in memory): 1.1 to download it, 1.1 to decode it, 0.5 to make its typed row and to count what
the row leaves out, 0.35 to find its request by its key, 0.3 to write it as JSON, 0.15 for the checksum in the
manifest, and 0.05 to count lines. That is 3.6, and a whole landing takes almost twice as much there, 7 µs a row: it
reads and writes every byte once, so nothing is in the processor's caches as it is in such turns; a profile shows no
page faults, hardly a run of the garbage collector, and a seventh in the kernel. So the targets are missed, ten times
cheaper than the peer and 1.3 times the download and the decoding: even the quickest turns come to 1.6 times, as long
as rows are counted, written as JSON and have a checksum. A structured answer adds about 1.2 if its type is plain, and
3 if Pydantic has to make an instance of it. A row in Parquet has no JSON, but zstd takes about 2 for its text. ISA-L
takes 1.5 to compress a row, zlib-ng 2 to 4, and zlib 9 at the level used without the extra.
"""
