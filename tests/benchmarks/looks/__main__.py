"""Measures what waiting for jobs costs, beside other packages' triggers, and writes it to the page of figures."""

from __future__ import annotations

import argparse
import sys

from tests.benchmarks.looks import end_to_start, importing, section
from tests.benchmarks.looks.run import Figures, Window, measure
from tests.benchmarks.looks.server import Service, serving
from tests.benchmarks.page import put
from tests.benchmarks.triggerer import section as many

_ALONE = (1, 8, 100, 500, 1000, 10_000)
_PEERS = ("common-ai", "openai", "google")
_BESIDE = (100, 500)
_FEW = 8
_TASKS = 2000
_TRIES = 3
"""Of a few jobs' looks the cheapest of so many runs counts: whoever else is on the machine weighs the most there."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.looks", description=__doc__)
    parser.add_argument(
        "--without-peers", action="store_true", help="measure this package alone, write nothing"
    )
    parser.add_argument("--airflow", action="store_true", help="measure with a real Airflow, too")
    asked = parser.parse_args()
    with serving() as service:
        runs = {("ours", jobs): _ours(service, jobs) for jobs in _ALONE}
        among = _measure(service, "ours", 1000, others=1)
        if asked.without_peers:
            _tell(section.section(runs, among))
            return
        for jobs in _BESIDE:
            runs |= {(who, jobs): _measure(service, who, jobs) for who in _PEERS}
    sections = [(section.HEADING, section.section(runs, among)), (importing.HEADING, importing.section())]
    if asked.airflow:
        sections.append((end_to_start.HEADING, end_to_start.section()))
        sections.append((many.HEADING, many.section(many.measure(_TASKS))))
    for heading, text in sections:
        put(heading, text)
        _tell(text)


def _ours(service: Service, jobs: int) -> Figures:
    tries = _TRIES if jobs <= _FEW else 1
    return min((_measure(service, "ours", jobs) for _ in range(tries)), key=lambda one: one.cpu)


def _measure(service: Service, who: str, jobs: int, others: int = 0) -> Figures:
    figures = measure(service, who, jobs, Window(), others=others)
    sys.stderr.write(f"{who}: {figures}\n")  # it takes a quarter of an hour
    return figures


def _tell(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
