"""The part of the page on crashes that tells of the two nights."""

from __future__ import annotations

from textwrap import fill

from tests.reuse_nights.nights import Nights, broken

TITLE = "## Two nights with few changes"


def section(nights: Nights) -> str:
    """Write it."""
    steps = fill("Its processes died at " + ", ".join(f"`{step}`" for step in nights.deaths) + ".", 120)
    return f"""\
{TITLE}

With [`reuse`](../how-to/pay-only-for-what-changed.md), the second night submits only the requests that changed, in
small jobs. Some of their rows fail and are submitted again. SIGKILL ends its process at the first step of each name,
and the next process begins from the start, until a process has died at every step. Then a third task, without `reuse`,
submits all requests of the second night, and both tables are compared; the model gives equal answers to equal requests.
`python -m tests.reuse_nights {nights.rows} --page docs/reference/crash-matrix.md`
runs both nights and writes this part; `make test` runs them with hundreds of rows.

| | |
|---|---|
| Rows of the table | {nights.rows:,} |
| Rows that changed | {nights.changed:,} |
| Answers paid by the first night | {nights.paid[0]:,} |
| Answers paid by the second night | {nights.paid[1]:,} |
| Requests in its jobs, including the {nights.failed} that failed at the service and were submitted again | \
{nights.asked:,} |
| Answers paid by the task without `reuse` | {nights.paid[2]:,} |
| Requests that the two nights paid twice | {nights.twice} |
| Rows that differ from those of the task without `reuse` | {len(nights.differ)} |
| Deaths of the second night's processes | {len(nights.deaths)} |
| Seconds of the first night, of the second with all its deaths, and of the task without `reuse` | \
{", ".join(f"{seconds:.0f}" for seconds in nights.seconds)} |
| Promises broken | {"; ".join(broken(nights)) or "none"} |

{steps}
"""
