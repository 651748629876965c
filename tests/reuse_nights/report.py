"""The part of the page on crashes that tells of the two nights."""

from __future__ import annotations

from textwrap import fill

from tests.reuse_nights.nights import Nights, broken

TITLE = "## Two nights of which a little changes"


def section(nights: Nights) -> str:
    """Write it."""
    steps = fill("Its processes died at " + ", ".join(f"`{step}`" for step in nights.deaths) + ".", 120)
    return f"""\
{TITLE}

With [`reuse`](../how-to/pay-only-for-what-changed.md), a night asks the requests that changed, in jobs cut small,
of which some rows fail and are asked once more. Its process is killed by SIGKILL at the first step of each name
that it comes to, and the next one begins from the start, until there is no step left at which none has died. Then a
third task, without `reuse`, asks all of the second night's requests, and both tables are compared; the model
answers the same to the same. `python -m tests.reuse_nights {nights.rows} --page docs/reference/crash-matrix.md`
runs both and writes this; `make test` runs them over hundreds of rows.

| | |
|---|---|
| Rows of the table | {nights.rows:,} |
| Rows that changed | {nights.changed:,} |
| Answers paid by the first night | {nights.paid[0]:,} |
| Answers paid by the second night | {nights.paid[1]:,} |
| Requests of its jobs, with the {nights.failed} that the service failed and that were asked again | {nights.asked:,} |
| Answers paid by asking all anew | {nights.paid[2]:,} |
| Requests that the two nights paid twice | {nights.twice} |
| Rows that differ from those of asking all anew | {len(nights.differ)} |
| Deaths of the second night's processes | {len(nights.deaths)} |
| Seconds of the first night, of the second with all its deaths, and of asking all anew | \
{", ".join(f"{seconds:.0f}" for seconds in nights.seconds)} |
| Promises broken | {"; ".join(broken(nights)) or "none"} |

{steps}
"""
