"""Compares the building of input and the landing of rows with a peer's, and writes their sections of the page."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from tests.benchmarks import asking, landing
from tests.benchmarks.environment import peer_python
from tests.benchmarks.page import put
from tests.benchmarks.server import serving


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="rows of each run (default: %(default)s)")
    parser.add_argument("--full", action="store_true", help="land a million rows and read a gigabyte, too")
    parser.add_argument(
        "--passes", type=int, default=5, help="pairs of runs of each comparison (default: %(default)s)"
    )
    asked = parser.parse_args()
    python = peer_python()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as made:
        folder = Path(made)
        with serving(folder) as address:
            for part in (landing, asking):
                text = part.section(
                    python, address, folder, rows=asked.rows, passes=asked.passes, full=asked.full
                )
                put(part.HEADING, text)
                print(text)  # noqa: T201 - for who waits for it


if __name__ == "__main__":
    main()
