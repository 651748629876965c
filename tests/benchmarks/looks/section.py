"""Spells what waiting costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.benchmarks.looks.run import INTERVAL, Figures
from tests.benchmarks.meter import machine
from tests.benchmarks.page import table

HEADING = "Waiting for jobs"
NAMES = {
    "ours": "this package",
    "google": "apache-airflow-providers-google 22.8.0",
    "openai": "apache-airflow-providers-openai 2.2.0",
    "common-ai": "apache-airflow-providers-common-ai 1.0.0",
}
Runs = Mapping[tuple[str, int], Figures]


def section(runs: Runs, among: Figures) -> str:
    """Write the section.

    Args:
        runs: By whose triggers and how many.
        among: Of a thousand jobs among as many of others.
    """
    numbers = sorted({number for who, number in runs if who != "ours"})
    ours = [figures for (who, _), figures in sorted(runs.items()) if who == "ours"]
    parts = [_HEAD.format(interval=INTERVAL, machine=machine())]
    parts += [_beside(runs, number) for number in numbers]
    parts += [_GROWING, _growing(ours, among), _ENDS, _ends(runs, numbers, ours)]
    return "\n".join(parts)


def _beside(runs: Runs, jobs: int) -> str:
    best = runs["ours", jobs]
    columns = (
        f"{jobs:,} jobs, waited for by",
        "CPU time of a look, ms",
        "Memory of a job, KiB",
        "Longest stall, ms",
        "HTTP requests of a look",
        "Connections",
        "Looks that were made",
    )
    rows = []
    for who, name in NAMES.items():
        if (who, jobs) in runs:
            one, ours = runs[who, jobs], who == "ours"
            rows.append(
                (
                    name,
                    _beside_ours(one.cpu, best.cpu, 3, ours=ours),
                    _beside_ours(one.memory, best.memory, 1, ours=ours),
                    _beside_ours(one.stall, best.stall, 0, ours=ours),
                    _beside_ours(one.requests, best.requests, 3, ours=ours),
                    f"{one.connections:,}",
                    f"{one.asked:.0%}",
                )
            )
    return table(columns, rows)


def _beside_ours(value: float, best: float, digits: int, *, ours: bool) -> str:
    told = f"{value:,.{digits}f}"
    return told if ours or not best else f"{told} (**{value / best:,.0f}** times)"


def _growing(ours: Sequence[Figures], among: Figures) -> str:
    columns = (
        "Jobs",
        "CPU time of a look, ms",
        "CPU time of one look at each, ms",
        "Memory of a job, KiB",
        "Longest stall, ms",
        "HTTP requests of a look",
        "Connections",
        "Looks that were made",
    )
    rows = [(f"{one.jobs:,}", *_grown(one)) for one in ours]
    rows.append((f"{among.jobs:,} among as many others", *_grown(among)))
    rows.append(("target up to 8 jobs", "1.2", "", "", "", "", "", ""))
    rows.append(("target with 10,000 jobs", "0.03", "300", "8", "20", "0.02", "10", "100%"))
    return table(columns, rows)


def _grown(one: Figures) -> tuple[str, ...]:
    return (
        f"{one.cpu:.3f}",
        f"{one.cpu * one.jobs:,.1f}",
        f"{one.memory:.1f}" if one.jobs >= 100 else "",
        f"{one.stall:,.0f}",
        f"{one.requests:.3f}",
        f"{one.connections}",
        f"{one.asked:.0%}",
    )


def _ends(runs: Runs, numbers: Sequence[int], ours: Sequence[Figures]) -> str:
    columns = (
        "Jobs, waited for by",
        "CPU time of a start, ms",
        "Longest stall meanwhile, ms",
        "CPU time of an end, ms",
        "Longest stall meanwhile, ms",
        "HTTP requests of an end",
        "All have fired after, s",
    )
    shown = [(who, runs[who, number]) for number in numbers for who in NAMES if (who, number) in runs]
    shown += [("ours", one) for one in ours if one.jobs > max(numbers, default=0)]
    rows = [
        (
            f"{one.jobs:,}, {NAMES[who]}",
            f"{one.start_cpu:.2f}",
            f"{one.start_stall:,.0f}",
            f"{one.end_cpu:.2f}",
            f"{one.end_stall:,.0f}",
            f"{one.end_requests:.2f}",
            f"{one.late / 1000 + INTERVAL:.1f}",
        )
        for who, one in shown
    ]
    return table(columns, rows)


_HEAD = """\
What deferred tasks cost the triggerer while their jobs run. `make bench` measures it, after the rows. The triggers of
each package run in a process of their own, all on one event loop, started fifty at a time as a triggerer does. Every
{interval} seconds they look at jobs of a service on the loopback: this package's and the Google provider's triggers at
batches of the Gemini API, the other two at OpenAI's. A look updates the state of one job. No job ends while these
figures are measured, and every trigger has looked once before; what a start and an end cost follows below. *Memory* is
how much the process grew after a first trigger had run to its end. *Longest stall* is the longest time for which the
event loop was busy and could not serve a timer. *Looks that were made* compares them with what the interval asks for;
additional looks do not count for the other figures.

Measured on {machine}. `make bench` takes twenty minutes for it and needs the machine to itself: other load
makes every figure worse, the small ones most. In brackets: multiples of this package's figure.
"""

_GROWING = """\
This package alone, from few jobs to many. The service lists at most a hundred jobs a page. The list
also contains newer and older jobs of others, which no trigger watches.
"""

_ENDS = """\
Start: from the start of the first trigger until every job has been looked at once. End: each job ends at a random time
within one interval; from the first end until the last trigger has fired.
"""
