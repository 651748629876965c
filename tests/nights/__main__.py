"""Run nights: python -m tests.nights [--nights N] [--first N] [--page PAGE]."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from pathlib import Path

_CHUNK = 20


def main() -> int:
    """Return 0 if no promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.nights", description=__doc__)
    parser.add_argument("--nights", type=int, default=1000, help="how many")
    parser.add_argument("--first", type=int, default=1, help="the number of the first one")
    parser.add_argument("--page", type=Path, help="where to write the table; by default it is printed")
    asked = parser.parse_args()
    from tests.nights.report import broken, page, table
    from tests.nights.runs import Outcome, chunk

    numbers = range(asked.first, asked.first + asked.nights)
    chunks = [numbers[at : at + _CHUNK] for at in range(0, len(numbers), _CHUNK)]
    outcomes: list[Outcome] = []
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        for some in pool.imap(chunk, chunks):
            outcomes += some
            sys.stdout.write("".join(f"{said}\n" for said in broken(some)))
            sys.stdout.flush()
            if asked.page is not None:  # what has run by now counts if somebody stops this
                asked.page.write_text(page(outcomes))
    sys.stdout.write(f"{table(outcomes)}\n")
    return 1 if broken(outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
