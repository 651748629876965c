"""Spells what a large job that did not go well left behind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.benchmarks.page import table

HEADING = "A large job with failed rows"
LARGE = "Ten million rows in one task"
_OURS = "genai_batch."
"""The package's own spans, not Airflow's."""


def section(said: Mapping[str, Any], machine: str) -> str:
    """Write the section."""
    counted, cost, (first, second) = said["counted"], said["cost"], said["jobs"]
    text = _TEXT.format(
        first=first,
        second=second,
        again=counted["again"],
        us=cost["us_per_row"],
        seconds=cost["seconds"],
        growth=cost["growth_mb"],
        machine=machine,
    )
    return text + _counts(said)


def large(said: Mapping[str, Any], machine: str) -> str:
    """Write the section on many jobs."""
    cost, counted, disk = said["cost"], said["counted"], said["disk"]
    *first, second = said["jobs"]
    rows = sum(first)
    phases = {name: sums for name, sums in said["phases"].items() if name == "all" or name.startswith(_OURS)}
    text = _LARGE.format(
        rows=rows,
        number=len(first),
        second=second,
        again=counted["again"],
        us=cost["us_per_row"],
        seconds=cost["seconds"],
        growth=cost["growth_mb"],
        spooled=disk["spooled_mb"],
        files=disk["files"],
        machine=machine,
    )
    others = [
        phases["all"][n] - sum(sums[n] for name, sums in phases.items() if name != "all") for n in (0, 1)
    ]
    parts = [("reading and checking the input, and all else", others), *phases.items()]
    lines = [(name, f"{wall:.0f}", f"{cpu:.0f}", f"{cpu / rows * 1e6:.1f}") for name, (wall, cpu) in parts]
    phase = table(("Phase", "Seconds", "CPU seconds", "CPU time a row, µs"), lines)
    return f"{text}{phase}\n{_counts(said)}"


def _counts(said: Mapping[str, Any]) -> str:
    """Hold what the manifest says against what is in the file."""
    manifest, counted = said["manifest"], said["counted"]
    counts = manifest["counts"]
    pairs = [
        ("rows", counts["total"], counted["total"]),
        ("`ok`", counts["ok"], counted["ok"]),
        ("`error`", counts["error"], counted.get("error", 0)),
        ("`missing`", counts["missing"], counted.get("missing", 0)),
        ("tokens", manifest["usage"]["total"], counted["tokens"]),
    ]
    figures = [(name, f"{told:,}", f"{there:,}") for name, told, there in pairs]
    return table(("", "Manifest", "Counted in the file"), figures)


_TEXT = """\
`python -m tests.benchmarks.proof` lets the operator submit {first:,} requests to the emulator. One row in a hundred
fails, three keys have two rows, five have none, and the rows are shuffled. With `retry_failed_rows=1` a second job
submits those {second:,} again, and one in ten of them fails for good. Then a program that only reads JSON counts the
file: each key is there once, {again:,} rows are from the second round, and the manifest agrees with the file.

The task's process, from reading the input to the manifest, needed {us:.1f} µs of CPU time a row and {seconds:.0f} s by
the clock, and grew by {growth:.0f} MB ({machine}).

"""
_LARGE = """\
`python -m tests.benchmarks.proof --rows 10000000 --jobs 50` makes this section, here of {rows:,} rows in {number} jobs.
One row in a hundred fails, three keys have two rows, five have none, and the rows of each job are shuffled. A second
round submits those {second:,} again, and one in ten of them fails for good. Each key is in the file once, and
{again:,} rows are from the second round.

The task's process needed {us:.1f} µs of CPU time a row and {seconds:.0f} s by the clock, and grew by {growth:.0f} MB.
It had at most {spooled:,.0f} MB in temporary files and {files} files open at once. The emulator is another process: the
seconds include its work, the CPU time does not ({machine}). The phases are the package's own [spans](traces.md);
`all` is the whole task:

"""
