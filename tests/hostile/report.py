"""The part of the page on crashes that tells of the random histories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tests.hostile.runs import BROKEN_ONCE

TITLE = "## Random histories on a hostile service"
ROWS = {
    "Attempts": ("attempt begins",),
    "Deaths of the task's process": ("dies at",),
    "Deaths of the triggerer": ("the triggerer dies",),
    "Kills, clears and marks by a user": ("killed at",),
    "Deferrals": ("is deferred",),
    "Calls that were refused, broken off, lost or answered with nonsense": (
        "refused:",
        "reset:",
        "lost:",
        "spoilt:",
    ),
    "Create calls that made two jobs": ("one POST makes two jobs",),
    "Jumps of a worker's clock": ("the worker's clock jumps",),
    "Inputs that changed, connections that moved": ("the input changes", "the connection moves"),
    "Ended jobs that somebody deleted": ("somebody deletes",),
    "Jobs created": ("creates",),
    "Cancellations": ("cancel of",),
}


def section(numbers: range, seen: Counter[str], broken: Sequence[int], *, stopped: bool = False) -> str:
    """Write it.

    Args:
        numbers: of the histories that ran.
        seen: what happened in them.
        broken: the numbers of those in which a promise was broken.
        stopped: whether more were to run, and somebody stopped it.
    """
    which = f", from number {numbers.start:,} on" if numbers.start else ""
    counts = {
        title: sum(count for what, count in seen.items() if what.startswith(beginnings))
        for title, beginnings in ROWS.items()
    }
    rows = "".join(f"| {title} | {count:,} |\n" for title, count in counts.items())
    return f"""\
{TITLE}

The same operator runs in one process, on a clock that the test moves. The services in memory mislead it wherever
Google's documents allow that: lists in any order, with late, stale and deleted entries, with entries of others, or with
the filter ignored; jobs that cannot be read by their names for 20 seconds; output that comes late and shard by shard,
with a failed and a good line for one request; a `Date` that is ten minutes off; create calls whose answer is lost or
unreadable, or that create two jobs. Attempts die or are killed at any step, on workers whose clocks differ by up to ten
minutes and jump by days. The number of a history determines all its events: `python -m tests.hostile 42` shows those of
history 42. `make crash` runs 5,000 and writes this part; `make test` runs 300.

| | |
|---|---|
| Histories | {len(numbers):,}{which}{"; stopped by hand" if stopped else ""} |
{rows}| Histories with a broken promise | {len(broken)}{f" ({', '.join(map(str, broken[:20]))})" if broken else ""} |

Earlier, {len(BROKEN_ONCE)} of the first 3,010 broke a promise: because of jobs that only a list shows, and because a
job's age was measured by two clocks. Both are fixed, except for rounds that follow a job that somebody deleted. Every
`make test` runs these histories again, and they must break no promise.

Each history must keep these promises: no job is created while another job of the same requests is running; no request
is submitted again if its good row can be read; every row that was answered and paid for lands when the task succeeds;
no job or file of others is cancelled or deleted; no wanted job is cancelled before its time; every error says what was
billed and what the next attempt does; once all troubles are over, the task succeeds, and none of its jobs keeps running
unless a warning has named it. [Where it ends](../explanation/never-pay-twice.md#where-it-ends) says what is not
promised.
"""


def beside(page: str, part: str) -> str:
    """Put the part at the end of a page, in the place of what was there."""
    return f"{page.partition(TITLE)[0].rstrip()}\n\n{part}"


def part_of(page: str) -> str:
    """Return the part as a page has it; nothing where it has none."""
    _, title, rest = page.partition(TITLE)
    return title + rest
