"""Lets Airflow's own triggerer carry tasks to their end, and writes what became of them to the page of figures."""

from __future__ import annotations

import argparse
import sys

from tests.benchmarks.page import put
from tests.benchmarks.triggerer.section import HEADING, measure, section


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.triggerer", description=__doc__)
    parser.add_argument(
        "--tasks", type=int, default=2000, help="(default: %(default)s; others write no page)"
    )
    asked = parser.parse_args()
    outcomes = measure(asked.tasks)
    text = section(outcomes)
    sys.stdout.write(text)
    if asked.tasks == parser.get_default("tasks"):
        put(HEADING, text)
    ours = next(iter(outcomes.values()))
    if ours.succeeded != asked.tasks or ours.blocked:
        sys.exit(f"{asked.tasks - ours.succeeded} tasks lost; the loop was blocked for {ours.blocked} s")


if __name__ == "__main__":
    main()
