"""Run random histories, or tell one: python -m tests.hostile [NUMBER] [--histories N] [--first N] [--page PAGE]."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from collections import Counter
from pathlib import Path

from tests.hostile.runs import outcome


def main() -> int:
    """Return 0 if no promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("number", nargs="?", type=int, help="tell this history")
    parser.add_argument("--histories", type=int, default=5000, help="how many to run")
    parser.add_argument("--first", type=int, default=0, help="the number of the first one")
    parser.add_argument("--page", type=Path, help="the page to write the result into")
    asked = parser.parse_args()
    if asked.number is not None:
        return _tell(asked.number)
    from tests.hostile.report import beside, section

    seen: Counter[str] = Counter()
    broken: list[int] = []
    numbers, ran, stopped = range(asked.first, asked.first + asked.histories), 0, False
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        try:
            for number, what, how in pool.imap(outcome, numbers, chunksize=20):
                seen += what
                ran += 1
                if how:
                    broken.append(number)
                    sys.stdout.write(f"{how.partition(chr(10))[0]}\n")
                    sys.stdout.flush()
        except KeyboardInterrupt:  # what has run by then is told
            stopped = True
    if asked.page is not None:
        part = section(numbers[:ran], seen, broken, stopped=stopped)
        asked.page.write_text(beside(asked.page.read_text(), part))
    sys.stdout.write(f"{ran} histories, {len(broken)} with a broken promise\n")
    return 1 if broken else 0


def _tell(number: int) -> int:
    from tests.hostile.history import history
    from tests.hostile.world import BrokenPromise

    with history(number) as one:
        try:
            one.run()
        except BrokenPromise as broken:
            sys.stdout.write(f"{broken}\n")
            return 1
        sys.stdout.write("\n".join([*one.world.diary, ""]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
