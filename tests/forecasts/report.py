"""What many draws say, as a table and as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.forecasts.draws import MODEL, Drawn

_HEAD = (
    "| Workload | Pilot | Off by a tenth at most | Half are off by | Nine of ten by | Range holds the bill |"
    " Width of the range |\n|---|---|---|---|---|---|---|\n"
)
_PAGE = """# Forecasts

How good the forecast of a [pilot](../how-to/try-before-you-pay.md#a-pilot) is. `python -m tests.forecasts --draws
{draws} --page docs/reference/forecasts.md` writes this page: {draws} draws of each workload, of {rows} rows each,
at the prices of {model}, with the sample and the arithmetic of a task. Each draw has other rows and another pilot.
Tokens are drawn from distributions, since a service cannot be asked so often for nothing;
`tests/forecasts/workloads.py` has them.

{table}
"Off" is what was expected beside the bill, and the range is from `least` to `most` of the plan, which `max_cost` is
held against. It is 2.3 standard errors to each side, and wider above where a few rows are much dearer than the others.

* The forecast is off by less the larger the pilot is, with the root of its rows: a pilot of four times the rows halves
  the error.
* Where rows are alike, or an input is sorted by what makes them differ, 200 rows tell the bill to a few percent.
* Where one of twenty rows costs fifty times as much as the others, 200 rows have ten of these, which is not enough
  to tell the bill to a tenth. The range says so: look at its width before the forecast.
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
