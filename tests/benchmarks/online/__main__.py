"""Measures rows that are asked by calls, beside Google's SDK, and writes them to the page of figures."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.data import answers
from tests.benchmarks.online.run import GROWING, SIDES, Figures, Service, run, serving
from tests.benchmarks.online.section import HEADING, WINDOW_SHARE, section
from tests.benchmarks.page import put
from tests.benchmarks.runs import cheapest

_SECOND = 30
_BYTES_A_TOKEN = 4
"""As the emulator counts them."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.online", description=__doc__)
    parser.add_argument("--rows", type=int, default=2000, help="rows of each run (default: %(default)s)")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each side (default: %(default)s)")
    parser.add_argument(
        "--sizes",
        type=int,
        nargs="*",
        default=[1000, 10_000, 100_000],
        help="rows of the runs that show memory and turns (default: %(default)s)",
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as made, serving() as service:
        folder = Path(made)

        def work(who: str) -> Callable[[], Figures]:
            return lambda: _told(who, run(service, folder, who, asked.rows))

        free = dict(zip(SIDES, cheapest([work(who) for who in SIDES], asked.repeat), strict=True))
        limited = {who: _limited(service, folder, who, asked.rows) for who in SIDES}
        sizes = [
            (who, _told(who, run(service, folder, who, rows))) for rows in asked.sizes for who in GROWING
        ]
    text = section(free, limited, sizes, _SECOND)
    put(HEADING, text)
    sys.stdout.write(text + "\n")


def _limited(service: Service, folder: Path, who: str, rows: int) -> Figures:
    """Run against a minute of tokens."""
    tokens = sum(len(text) // _BYTES_A_TOKEN for text in answers("plain", rows))
    service.limit(int(tokens * WINDOW_SHARE))
    time.sleep((_SECOND - time.time()) % 60)  # the window is of a real minute
    try:
        return _told(who, run(service, folder, who, rows))
    finally:
        service.limit(None)


def _told(who: str, figures: Figures) -> Figures:
    sys.stderr.write(f"{who}: {figures}\n")  # it takes a quarter of an hour
    return figures


if __name__ == "__main__":
    main()
