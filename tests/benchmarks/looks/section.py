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
What deferred tasks cost the triggerer while their jobs run. `make bench` measures it, after the rows. Each package's
triggers run in a process of its own, all on one event loop, started fifty at a time as a triggerer does, and look
every {interval} seconds at jobs of the same service on the loopback: this package's and the Google provider's at the
Gemini API's batches, the other two at OpenAI's. A look brings the state of one job up to date. Nothing ends in the time
of these figures, and each trigger has looked before it begins; what it costs to start and to end follows below. Memory
is by how much the process grew after a first trigger had run to its end. The longest stall is the longest time for
which the event loop was busy with one thing after another and could not attend to a timer. Looks that were made are
compared with those that the interval asks for; more than that are not counted as looks.

Measured on {machine}; `make bench` takes twenty minutes for it, and wants the machine for itself: a busy neighbour
makes every figure worse, the small ones most. In brackets: how many times this package's figure.
"""

_GROWING = """\
This package alone, from few jobs to many. The service answers a page of its list with a hundred jobs at most. The jobs
of others, newer and older, are in the same list and nobody watches them.
"""

_ENDS = """\
From the start of the first trigger until every job was looked at once; and when all jobs end, each at a random moment
of one interval, from the first end until the last trigger has fired.
"""
