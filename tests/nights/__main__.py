"""Run nights: python -m tests.nights [--nights N] [--first N] [--page PAGE]."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path


def main() -> int:
    """Return 0 if no promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.nights", description=__doc__)
    parser.add_argument("--nights", type=int, default=1000, help="how many")
    parser.add_argument("--first", type=int, default=1, help="the number of the first one")
    parser.add_argument("--page", type=Path, help="where to write the table; by default it is printed")
    asked = parser.parse_args()
    import tests.conftest  # noqa: F401 - sets Airflow up
    from tests.nights.report import broken, page, table
    from tests.nights.runs import Outcome, nights

    logging.disable(logging.CRITICAL)
    outcomes: list[Outcome] = []
    try:
        for one in nights(range(asked.first, asked.first + asked.nights)):
            outcomes.append(one)
            for said in broken([one]):
                sys.stdout.write(f"{said}\n")
                sys.stdout.flush()
    except KeyboardInterrupt:  # what has run by then counts
        pass
    if asked.page is not None:
        asked.page.write_text(page(outcomes))
    sys.stdout.write(f"{table(outcomes)}\n")
    return 1 if broken(outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
