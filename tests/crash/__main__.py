"""Run the whole matrix, and write its page: python -m tests.crash [PAGE].

Stopped by Ctrl-C it writes what it has, and which kinds of runs have not come to their end.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.crash.matrix import LANES, Matrix
from tests.crash.report import page
from tests.crash.world import open_world
from tests.deaths.report import TITLE as DEATHS
from tests.docs.sections import put, section
from tests.hostile.report import beside, part_of
from tests.reuse_nights.report import TITLE as NIGHTS


def main() -> int:
    """Return 0 if nothing was paid twice or lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("page", nargs="?", type=Path, help="the page to write")
    parser.add_argument("--part", action="store_true", help="run the part that the tests run")
    asked = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, open_world(Path(folder), LANES) as world:
        matrix = Matrix(world, verbose=True)
        try:
            if asked.part:
                matrix.run_a_part()
            else:
                matrix.run_all_of_it()
        finally:  # hours of results are not thrown away for one that did not come
            minutes = (time.monotonic() - began) / 60
            if asked.page is not None:
                before, text = asked.page.read_text(), page(matrix.outcomes, minutes, matrix.unfinished)
                histories = part_of(before)
                text = beside(text, histories) if histories else text
                for title in (DEATHS, NIGHTS):
                    part = section(before, title)
                    text = put(text, part) if part else text
                asked.page.write_text(text)
    sys.stdout.write(
        f"{matrix.injections} injections, {len(matrix.outcomes)} runs, {len(matrix.bad)} bad, {minutes:.1f} minutes\n"
    )
    return 1 if matrix.bad else 0


if __name__ == "__main__":
    sys.exit(main())
