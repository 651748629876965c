"""The table of nights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from tests.nights.runs import Outcome

PAGE = """# Nights with a deadline

This page shows how [`ready_by`](../how-to/be-ready-by-a-time.md) performs over many simulated nights. `python -m
tests.nights` runs them and writes this page; `make test` runs some of them. **The nights are drawn from assumptions**,
because nobody publishes how long jobs wait, or how often a tier is full. `tests/nights/draws.py` has the distributions,
and the reports of 2025 and 2026 from which they were inferred. On nearly a third of the nights the model's jobs never
leave the queue, far more often than anybody has seen; flex is bad on a fifth; a worker dies on more than a quarter. The
rows must be ready after six hours.

The task's own code runs, with the [emulator](emulator.md) in the same process, on a virtual clock. Airflow is left out:
a deferral is a function call. Each of 24 rows stands for a thousand; the number of simultaneous calls and of lines that
wait to be written are scaled accordingly.

{table}

*In time*: all rows landed before the deadline. *Has the capacity*: the standard tier answers as fast as the task
expected when it cancelled the job, and serves at least nine calls in ten. *Price*: the price of all answers, used or
not, relative to a batch job for the same rows, with flex at batch price and standard at twice that. *Paid twice*: the
number of rows, of 24 per night, that were paid twice. Calls in progress when a worker dies, calls that take too long
after the switch from flex, and answers that were not yet written may be sent again; *at risk* counts these.
"""


def page(outcomes: Sequence[Outcome]) -> str:
    """Write it."""
    return PAGE.format(table=table(outcomes))


def table(outcomes: Sequence[Outcome]) -> str:
    """Write the table."""
    able = [one for one in outcomes if one.draw.has_capacity and not one.draw.stuck_cancel]
    groups = {
        "all": outcomes,
        "standard has the capacity, and cancellations end": able,
        "the batch job ends in time": [one for one in outcomes if one.draw.good],
        "the model is stuck": [one for one in outcomes if one.draw.kind == "stuck"],
        "the model is stuck, standard has the capacity": [one for one in able if one.draw.kind == "stuck"],
        "stuck, has the capacity, and flex is good": [
            one for one in able if one.draw.kind == "stuck" and one.draw.flex >= 0.9
        ],
        "a worker dies": [one for one in outcomes if one.deaths],
        "a cancellation does not end": [
            one for one in outcomes if one.draw.stuck_cancel and not one.draw.good
        ],
    }
    head = (
        "| Nights in which … | Nights | In time | Whole in the end | Price, median | Price, highest | Paid twice |"
        " At risk |\n"
        "|---|---|---|---|---|---|---|---|\n"
    )
    return head + "\n".join(_line(name, group) for name, group in groups.items() if group)


def broken(outcomes: Iterable[Outcome]) -> list[str]:
    """Tell of nights in which a promise was broken."""
    said = []
    for one in outcomes:
        seed = f"night {one.draw.number}"
        if one.draw.has_capacity and not one.draw.stuck_cancel and not one.in_time:
            said.append(
                f"{seed}: late by {-one.minutes:.0f} minutes though there was the capacity: {one.error}"
            )
        if one.draw.has_capacity and not one.draw.stuck_cancel and not one.whole:
            said.append(f"{seed}: not whole: {one.error}")
        if one.paid_twice > one.in_flight and not one.draw.stuck_cancel:
            said.append(f"{seed}: {one.paid_twice} rows paid twice, {one.in_flight} were at risk")
        if one.draw.good and one.price > 1.02:
            said.append(f"{seed}: a good night at {one.price:.2f} of the price")
    return said


def _line(name: str, group: Sequence[Outcome]) -> str:
    number = len(group)
    prices = [one.price for one in group if one.whole] or [0.0]
    cells = (
        name,
        f"{number:,}",
        _share(sum(one.in_time for one in group), number),
        _share(sum(one.whole for one in group), number),
        f"{median(prices):.2f}",
        f"{max(prices):.2f}",
        f"{sum(one.paid_twice for one in group):,}",
        f"{sum(one.in_flight for one in group):,}",
    )
    return f"| {' | '.join(cells)} |"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %"
