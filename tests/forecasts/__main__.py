"""Draw forecasts: python -m tests.forecasts [--draws N] [--page PAGE]."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.forecasts.draws import draws
from tests.forecasts.report import page, table
from tests.forecasts.workloads import WORKLOADS

ROWS = 4000
PILOTS = (50, 200, 800)


def main() -> None:
    """Draw, and print or write what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.forecasts", description=__doc__)
    parser.add_argument("--draws", type=int, default=500, help="of each workload (default: %(default)s)")
    parser.add_argument("--page", type=Path, help="where to write the page; by default a table is printed")
    asked = parser.parse_args()
    seeds = range(asked.draws)
    found = {(kind, pilot): draws(kind, seeds, ROWS, pilot) for kind in WORKLOADS for pilot in PILOTS}
    if asked.page is not None:
        asked.page.write_text(page(found, asked.draws, ROWS))
    sys.stdout.write(table(found))


if __name__ == "__main__":
    main()
