"""Kill a task at its steps, in each way of asking: python -m tests.deaths [--most N] [--way TEXT] [--page PAGE] ..."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.deaths.lives import Life
    from tests.deaths.ways import Way

_BY_CHANCE = 10
_SEED = 20261129


def main() -> int:
    """Return 0 if no promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.deaths", description=__doc__)
    parser.add_argument(
        "--every", action="store_true", help="at each step, not at the first and last of a name"
    )
    parser.add_argument(
        "--most", type=int, help="of these at most so many in each way, by chance; by default all"
    )
    parser.add_argument("--way", default="", help="only the ways whose names have this text")
    parser.add_argument(
        "--chance", type=int, default=_BY_CHANCE, help="lives of each way with deaths by chance"
    )
    parser.add_argument("--at-once", type=int, default=2, help="ways that are looked at side by side")
    parser.add_argument("--page", type=Path, help="the page to write the result into")
    asked = parser.parse_args()
    from tests.deaths.report import TITLE, section
    from tests.deaths.ways import WAYS
    from tests.docs.sections import put
    from tests.docs.sections import section as part_of

    lives: list[Life] = []
    lock = threading.Lock()

    def ran(one: Life) -> None:
        with lock:
            lives.append(one)
            for what in one.broken:
                sys.stdout.write(f"{one.way.name} {one.plan} {[*map(str, one.deaths)]}: {what}\n")
            if asked.page is not None:  # what has run by now counts if somebody stops this
                page = asked.page.read_text()
                asked.page.write_text(put(page, section(lives, asked.most, part_of(page, TITLE))))
            sys.stdout.flush()

    def look_at(way: Way) -> None:
        from tests.deaths.lives import Running, service
        from tests.deaths.plans import by_chance, plans

        with tempfile.TemporaryDirectory() as folder, service(Path(folder)) as running:
            undisturbed = Running(running, way).run()
            ran(undisturbed)
            single = [*plans(undisturbed.steps, every=asked.every)]
            if asked.most is not None and asked.most < len(single):
                single = random.Random(_SEED).sample(single, asked.most)
            chosen = [plan for other, plan in by_chance(_SEED, asked.chance) if other is way]
            for plan in (*single, *chosen):
                ran(Running(running, way, plan).run())

    with ThreadPoolExecutor(asked.at_once) as pool:
        for _ in pool.map(look_at, [way for name, way in WAYS.items() if asked.way in name]):
            pass
    sys.stdout.write(section(lives, asked.most))
    return 1 if any(one.broken for one in lives) else 0


if __name__ == "__main__":
    sys.exit(main())
