"""What the jobs of a day may cost, as the service's list showed it before a task submitted its own."""

from __future__ import annotations

from airflow_provider_genai_batch.models.base import Line, Noun
from airflow_provider_genai_batch.printable import number_of

CONNECTION, DAG = "connection", "dag"


class SpentOfLimit(Noun):
    """One limit of a day, and how much of it is used."""

    of: Line
    """Whose jobs count: ``connection`` or ``dag``."""
    max_cost_per_day: float
    """The limit in USD."""
    usd: float
    """What the jobs of the day may cost, without those in `SpentToday.usd`."""
    jobs: int
    """The number of these jobs."""


class SpentToday(Noun):
    """What the jobs of a day (UTC) may cost."""

    date: Line
    """The day, such as ``2026-11-29``, by the service's clock."""
    usd: float
    """What the task's own jobs may cost that it was about to create."""
    limits: tuple[SpentOfLimit, ...]
    uncounted: int
    """Jobs of the day that state no cost, so that they are not counted."""

    def __str__(self) -> str:
        """Return it in one line."""
        used = "; ".join(
            f"{number_of(one.jobs, 'job')} of this {one.of} may cost {one.usd:.6f} of "
            f"max_cost_per_day={one.max_cost_per_day:g} USD"
            for one in self.limits
        )
        others = f", {number_of(self.uncounted, 'other job')} not counted" if self.uncounted else ""
        return f"{self.date} (UTC): {used}{others}; with this task's next jobs {self.usd:.6f} USD more"
