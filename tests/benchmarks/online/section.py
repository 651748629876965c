"""Spells what rows cost that are asked by calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.benchmarks.meter import machine
from tests.benchmarks.online.run import CALLS, SIDES, Figures
from tests.benchmarks.page import table

HEADING = "Immediate calls"
WINDOW_SHARE = 0.6
"""Of all input tokens, what the service takes in a minute by the clock."""


def section(
    free: Mapping[str, Figures],
    limited: Mapping[str, Figures],
    sizes: Sequence[tuple[str, Figures]],
    second: int,
) -> str:
    """Write the section.

    Args:
        free: by side, without a limit.
        limited: by side, with one.
        sizes: by side, from few rows to many.
        second: of a minute in which the runs with a limit began.
    """
    ours = free["ours"]
    rows = int(ours["rows"])
    costs = [(SIDES[who], *_cost(one, None if who == "ours" else ours)) for who, one in free.items()]
    refusals = [
        (
            SIDES[who],
            f"{one['rows'] - one['failed']:,.0f}",
            f"{one['failed']:,.0f}",
            f"{one['calls'] - one['warm_up']:,.0f}",
            f"{one['refused']:,.0f}",
            f"{one['seconds']:.0f}",
        )
        for who, one in limited.items()
    ]
    growing = [
        (
            SIDES[who],
            f"{one['rows']:,.0f}",
            f"{one['growth_mb']:.1f}",
            f"{one['turn_ms']:.0f}",
            f"{one['stall_ms']:.0f}",
            f"{one['us_per_row'] / 1000:.2f}",
        )
        for who, one in sizes
    ]
    return "\n".join(
        (
            _HEAD.format(rows=rows, calls=CALLS, machine=machine()),
            table(_COSTS, costs),
            _LIMITED.format(rows=int(limited["ours"]["rows"]), share=WINDOW_SHARE, second=second),
            table(_REFUSALS, refusals),
            _GROWING,
            table(_SIZES, growing),
        )
    )


def _cost(one: Figures, ours: Figures | None) -> tuple[str, ...]:
    def spelled(value: float, mine: float, text: str) -> str:
        return text if ours is None else f"{text} (**{value / mine:.1f}** times)"

    mine = ours or one
    return (
        spelled(one["us_per_row"], mine["us_per_row"], f"{one['us_per_row'] / 1000:.2f}"),
        f"{1e6 / one['us_per_row']:,.0f}",
        f"{one['rows'] / one['seconds']:,.0f}",
        spelled(one["turn_ms"], mine["turn_ms"], f"{one['turn_ms']:.0f}"),
        f"{one['stall_ms']:.0f}",
        f"{one['growth_mb']:.1f}",
    )


_COSTS = (
    "Asked by",
    "CPU time a row, ms",
    "Rows a second of CPU time",
    "Rows a second by the clock",
    "Longest turn of the event loop, ms of CPU time",
    "The same by the clock, ms",
    "Memory grew by, MB",
)
_REFUSALS = ("Asked by", "Answered", "Failed", "Calls", "Refused calls", "Seconds")
_HEAD = """\
`python -m tests.benchmarks.online` sends {rows:,} rows to an emulator in another process, with at most {calls} calls at
a time; prompts and answers have about 450 characters. The peer is Google's SDK as its users call it: `client.aio`, a
semaphore around each call, and the SDK's own retries. Each runs in a process of its own, in turns; the cheapest of
several runs is shown. In brackets: multiples of this package's figure. Times by the clock also depend on the emulator,
which is written in Python too, and on other load; CPU time is the process's own. Most of this package's CPU time is
spent in httpx and httpcore. Measured on {machine}, with other load.
"""
_LIMITED = """\
The same with a service that accepts at most {share:.0%} of the input tokens of all {rows:,} rows in one minute, and
refuses more with 429 and `RetryInfo`. The runs begin at second {second} of a minute, so each has to wait half a
minute, once.
"""
_GROWING = """\
This package streams requests, so neither its memory nor its longest turn grows with their number. Google's SDK has no
call for many requests, so its users make a task of each:
"""
_SIZES = (
    "Asked by",
    "Rows",
    "Memory grew by, MB",
    "Longest turn of the event loop, ms of CPU time",
    "The same by the clock, ms",
    "CPU time a row, ms",
)
