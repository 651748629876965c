"""Measures and spells what it costs to build an input and upload it."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.data import LENGTH
from tests.benchmarks.environment import PEER, VERSION
from tests.benchmarks.meter import machine
from tests.benchmarks.page import table
from tests.benchmarks.runs import Figures, in_pairs, run_ours_asking, run_peer_asking

HEADING = "Building and uploading an input"
PEERS_MOST = 50_000
"""Requests that the peer takes in one job."""
GIGABYTE = 1_900_000
"""Rows of a JSONL file of 1 GB."""
_FORMS = {
    "generator": "a generator of requests",
    "jsonl": "a JSONL file",
    "own": "a JSONL file with keys of the user's own",
    "config": "a JSONL file with a config in each line",
    "keyless": "a JSONL file without keys",
    "defaults": "a JSONL file and `request_defaults`",
    "csv": "a CSV file and a template",
    "parquet": "a Parquet file and a template",
}


def section(python: Path, address: str, folder: Path, *, rows: int, passes: int, full: bool) -> str:
    """Write the section.

    Args:
        python: of the peer.
        address: of the server.
        folder: for the files.
        rows: of this package's own runs.
        passes: pairs of runs of each comparison.
        full: read a gigabyte, too.
    """
    pairs = {
        form: in_pairs(
            lambda: run_peer_asking(python, address, folder, PEERS_MOST),
            lambda form=form: run_ours_asking(address, folder, form, PEERS_MOST),
            passes,
        )
        for form in _FORMS
    }
    beside = [(f"{PEER}, from a list", *_size(pairs["jsonl"].one), "1")]
    beside += [
        (f"this package, from {_FORMS[form]}", *_size(pair.other), str(pair)) for form, pair in pairs.items()
    ]
    larger = [
        (name, *_figures(run_ours_asking(address, folder, form, rows))) for form, name in _FORMS.items()
    ]
    if full:
        larger.append(
            ("a JSONL file of 1 GB", *_figures(run_ours_asking(address, folder, "jsonl", GIGABYTE)))
        )
    rows_and_memory = ("Rows", "Memory grew by, MB")
    columns = ("Rows", "CPU time a row, µs", "Memory grew by, MB")
    head = _HEAD.format(length=LENGTH, peer=PEER, version=VERSION, most=PEERS_MOST, machine=machine())
    return "\n".join(
        (
            head,
            table(("By", *rows_and_memory, "Times cheaper, by CPU time"), beside),
            _LARGER,
            table(("From", *columns), larger),
        )
    )


def _figures(one: Figures) -> tuple[str, str, str]:
    return f"{one['rows']:,.0f}", f"{one['us_per_row']:.1f}", f"{max(0.0, one['growth_mb']):.0f}"


def _size(one: Figures) -> tuple[str, str]:
    return f"{one['rows']:,.0f}", f"{max(0.0, one['growth_mb']):.0f}"


_HEAD = """\
Read requests, check each, write a line of JSONL for it, and upload the lines: everything that comes before a job is
created. A request is a prompt of about {length} characters. The peer, {peer} {version}, takes a
list of at most {most:,}; the steps of its operator are measured. `make bench` measures it; `make bench FULL=1` reads a
gigabyte, too. Machine: {machine}. The two sides run in pairs, one right after the other: shown is
the median of their ratios, in brackets the least and the most.
"""
_LARGER = """\
Keys that this package adds, which are a row's position, take no memory. Other keys take 12 bytes each, to find
duplicates: at most half a million of them in memory, the rest on the worker's disk.

The CPU time of a JSONL row of 544 bytes by parts, in µs, each measured alone with other load: the typed read 0.7, the
SHA-256 0.5, the upload 0.5, the copy on the worker's disk 0.2; the digest of a key of the user's own 0.3. With `reuse`
or `dedupe`, the digest of a request adds 1.9 (the target was 1): a cryptographic hash of so many bytes, by which no
request can take another's answer, needs about half of that alone. To read the keys again, for the requests of a second
round, costs 0.8, and to cut an input for several jobs 1.4.
"""
