"""Spells what a large job that did not go well left behind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.benchmarks.page import table

HEADING = "A large job that does not go well"


def section(said: Mapping[str, Any], machine: str) -> str:
    """Write the section."""
    manifest, counted, cost = said["manifest"], said["counted"], said["cost"]
    counts, (first, second) = manifest["counts"], said["jobs"]
    pairs = [
        ("rows", counts["total"], counted["total"]),
        ("`ok`", counts["ok"], counted["ok"]),
        ("`error`", counts["error"], counted.get("error", 0)),
        ("`missing`", counts["missing"], counted.get("missing", 0)),
        ("tokens", manifest["usage"]["total"], counted["tokens"]),
    ]
    figures = [(name, f"{told:,}", f"{there:,}") for name, told, there in pairs]
    text = _TEXT.format(
        first=first,
        second=second,
        again=counted["again"],
        us=cost["us_per_row"],
        seconds=cost["seconds"],
        growth=cost["growth_mb"],
        machine=machine,
    )
    return text + table(("", "Manifest", "Counted in the file"), figures)


_TEXT = """\
`python -m tests.benchmarks.proof` has the operator ask {first:,} requests of the emulator. One row in a hundred fails,
three keys have two rows, five have none, and the rows are shuffled. With `retry_failed_rows=1` a second job asks those
{second:,} again, and one in ten of them fails for good. Then a program that only reads JSON counts the file:
each key is there once, {again:,} rows are from the second round, and the manifest agrees with the file.

The task's process, from reading the input to the manifest, needed {us:.1f} µs of CPU time a row and {seconds:.0f} s by
the clock, and grew by {growth:.0f} MB ({machine}).

"""
