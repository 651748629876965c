"""Totals over time: the cost of tasks by day, DAG and model, failed rows, and how long jobs were queued."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta

from airflow_provider_genai_batch.flows.queue import percentile, short
from airflow_provider_genai_batch.models import Manifest
from airflow_provider_genai_batch.pages.records import ASKS, READS, TaskRecord

_NO_DAY = "unknown"
"""Stands for the day of a task that has not begun."""


@dataclass
class Sum:
    """The totals of some tasks.

    Attributes:
        tasks: the number of tasks that left a manifest.
        rows: the rows of these tasks.
        failed: the failed ones among these rows.
        tokens: the tokens of prompts and answers.
        usd: the cost, as far as it is known.
        saved: USD saved by reusing earlier answers and by submitting equal requests once.
    """

    tasks: int = 0
    rows: int = 0
    failed: int = 0
    tokens: int = 0
    usd: float = 0.0
    saved: float = 0.0

    def add(self, manifest: Manifest) -> None:
        """Add the manifest of a task."""
        self.tasks += 1
        if manifest.counts is not None:
            self.rows += manifest.counts.total
            self.failed += manifest.counts.failed
        self.tokens += manifest.usage.total if manifest.usage else 0
        self.usd += manifest.cost.usd if manifest.cost else 0.0
        self.saved += (manifest.saved.usd or 0.0) if manifest.saved else 0.0


@dataclass
class Sums:
    """Totals by day (UTC), DAG and model; causes of failed rows; seconds that jobs were queued, by model."""

    whole: Sum = field(default_factory=Sum)
    days: dict[str, Sum] = field(default_factory=lambda: defaultdict(Sum))
    dags: dict[str, Sum] = field(default_factory=lambda: defaultdict(Sum))
    models: dict[str, Sum] = field(default_factory=lambda: defaultdict(Sum))
    causes: Counter[str] = field(default_factory=Counter)
    queued: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, record: TaskRecord, manifest: Manifest) -> None:
        """Add the manifest of a task."""
        model = short(manifest.model) or "unknown"
        day = f"{record.begun:%Y-%m-%d}" if record.begun else _NO_DAY
        for one in (self.whole, self.days[day], self.dags[record.dag_id], self.models[model]):
            one.add(manifest)
        self.causes.update(manifest.causes)
        if record.queued is not None:
            self.queued[model].append(record.queued)

    def usd_by_day(self) -> dict[str, float]:
        """Return the cost of each day from the first to the last one, also of days without tasks."""
        named = [date.fromisoformat(day) for day in self.days if day != _NO_DAY]
        if not named:
            return {}
        all_days = (min(named) + timedelta(days=at) for at in range((max(named) - min(named)).days + 1))
        return {day: self.days[day].usd if day in self.days else 0.0 for day in map(str, all_days)}

    def queue_times(self) -> dict[str, tuple[float, float, int]]:
        """Return for each model the median and the 90th percentile of the seconds in the queue, and their number.

        Each task counts once, with the times in its manifest.
        """
        in_order = {model: sorted(times) for model, times in sorted(self.queued.items())}
        return {
            model: (percentile(times, 0.5), percentile(times, 0.9), len(times))
            for model, times in in_order.items()
        }


def sums_of(records: Iterable[TaskRecord]) -> Sums:
    """Sum up the tasks that submit jobs, and those that read jobs whose rows no other task has counted.

    The manifest of a task with ``wait=False`` has no rows and no cost: those are in the manifest of the task that reads
    its jobs. Tasks that read jobs once more do not count, because their cost was paid once.
    """
    sums = Sums()
    counted: set[str] = set()
    readers = []
    for record in records:
        if record.manifest is None:
            continue
        if record.operator in ASKS:
            sums.add(record, record.manifest)
            if record.counted:
                counted.update(record.manifest.job_names)
        elif record.operator == READS and record.counted:
            readers.append((record, record.manifest))
    for record, manifest in readers:
        if counted.isdisjoint(manifest.job_names):
            sums.add(record, manifest)
            counted.update(manifest.job_names)
    sums.days = dict(sorted(sums.days.items()))
    return sums
