"""What importing costs a DAG processor, over what Airflow itself imports."""

from __future__ import annotations

from statistics import median

from tests.benchmarks.page import table
from tests.operators.import_cost import import_cost

HEADING = "Importing"
_MODULES = ("operators.genai_batch", "sensors.genai_batch", "triggers.genai_batch")
_RUNS = 7


def section() -> str:
    """Measure it and write the section."""
    rows = [(f"`{name}`", f"{_cost(name):.1f}") for name in _MODULES]
    return _TEXT.format(runs=_RUNS) + table(("Module", "CPU time, ms"), [*rows, ("target", "10")])


def _cost(module: str) -> float:
    return median(import_cost(module)[0] for _ in range(_RUNS)) * 1e3


_TEXT = """\
DAG files are parsed all day. This is what importing a module costs in addition to what Airflow itself imports for any
operator, sensor or trigger; the median of {runs} processes.

"""
