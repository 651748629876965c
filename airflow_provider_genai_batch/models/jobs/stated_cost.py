"""What a job may cost, as its display name states it: so a list of jobs says what a day may cost."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from airflow_provider_genai_batch.models.jobs.identity import ask_of, digest

_STATED = re.compile(r" ~([0-9]{1,12}(?:\.[0-9]{1,6})?)usd-([0-9a-f]{8})(?: ~[0-9]{1,15}t)? [^ ]+\Z")
_MICRO = 1_000_000


@dataclass(frozen=True)
class StatedCost:
    """The most that a job may cost, and the DAG that it belongs to."""

    usd: float
    dag: str
    """See `short_dag`."""

    def __str__(self) -> str:
        """Return it as a word of a display name. It is rounded up, to millionths of a USD."""
        micro = math.ceil(round(self.usd * _MICRO, 3))
        amount = f"{micro // _MICRO}.{micro % _MICRO:06d}".rstrip("0").rstrip(".")
        return f"~{amount}usd-{self.dag}"


def stated_cost(display_name: str | None) -> StatedCost | None:
    """Return the cost in a job's display name; None if it has none, or if this package did not create the job."""
    found = _STATED.search(display_name or "")
    if found is None or ask_of(display_name) is None:
        return None
    return StatedCost(float(found[1]), found[2])


def short_dag(dag_id: str) -> str:
    """Return eight hex digits that stand for a DAG."""
    return digest(dag_id)[:8]
