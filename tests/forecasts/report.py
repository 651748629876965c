"""What many draws say, as a table and as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.forecasts.draws import MODEL, Drawn

_HEAD = (
    "| Workload | Pilot | Off by a tenth at most | Half are off by | Nine of ten by | Range holds the bill |"
    " Width of the range |\n|---|---|---|---|---|---|---|\n"
)
_PAGE = """# Forecasts

How accurate is the forecast of a [pilot](../how-to/try-before-you-pay.md#a-pilot)? `python -m tests.forecasts --draws
{draws} --page docs/reference/forecasts.md` writes this page: {draws} draws of each workload, of {rows} rows each,
at the prices of {model}, with the sampling and the arithmetic of a task. Each draw has other rows and another pilot.
Tokens are drawn from distributions, because asking a real service so often would cost money;
`tests/forecasts/workloads.py` has them.

{table}
"Off" is the difference between the forecast and the bill. The range goes from `least` to `most` of the plan, which is
compared with `max_cost`. It extends 2.3 standard errors to each side, and further upwards if a few rows cost much more
than the others.

* The error shrinks with the square root of the pilot's size: a pilot of four times the rows halves it.
* If rows are alike, or the input is sorted by what makes them differ, 200 rows forecast the bill to a few percent.
* If one row in twenty costs fifty times as much as the others, 200 rows contain ten of these, which is not enough to
  forecast the bill to a tenth. The range shows it: look at its width before you trust the forecast.
* A kind of row that is not in the sample is not in the forecast, or its range.
"""


def table(found: Mapping[tuple[str, int], Sequence[Drawn]]) -> str:
    """Return a table of draws by workload and size of the pilot."""
    return _HEAD + "".join(_row(kind, pilot, drawn) for (kind, pilot), drawn in found.items())


def page(found: Mapping[tuple[str, int], Sequence[Drawn]], draws: int, rows: int) -> str:
    """Return the whole page."""
    return _PAGE.format(draws=draws, rows=rows, model=MODEL, table=table(found))


def _row(kind: str, pilot: int, drawn: Sequence[Drawn]) -> str:
    off, of = sorted(abs(one.off) for one in drawn), len(drawn)
    near = sum(one <= 0.1 for one in off) / of
    held = sum(one.held for one in drawn) / of
    width = sum(one.width for one in drawn) / of
    half, most = off[of // 2], off[of * 9 // 10]
    return f"| {kind} | {pilot} | {near:.0%} | {half:.1%} | {most:.1%} | {held:.1%} | {width:.0%} |\n"
