"""Rows, tokens and cost of an attempt's jobs, as far as they are settled."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_genai_batch.exceptions import JobError
from airflow_provider_genai_batch.models import BatchJob, Cost, Manifest, Plan, RowCounts, Versions
from airflow_provider_genai_batch.models.jobs.job import Verdict
from airflow_provider_genai_batch.models.jobs.job_totals import JobTotals
from airflow_provider_genai_batch.models.manifest.manifest import AnsweredBy, Saved
from airflow_provider_genai_batch.models.manifest.queue import QueueTimes
from airflow_provider_genai_batch.models.manifest.spent_today import SpentToday
from airflow_provider_genai_batch.models.manifest.table_jobs import TableJobs
from airflow_provider_genai_batch.printable import printable
from airflow_provider_genai_batch.results.counting.row_counter import RowCounter
from airflow_provider_genai_batch.task.cost.prices import cost_of, is_installed, price_of
from airflow_provider_genai_batch.task.landing.job_times import JobTimes

log = logging.getLogger(__name__)


@dataclass
class UsageLedger:
    """Rows, tokens and cost of the settled jobs.

    Attributes:
        jobs: the settled jobs, by name.
        shares: rows and tokens of each of them, without rows that stay in BigQuery.
        counts: final rows by status.
        cost: cost of all jobs that were settled together last; None if unknown.
        plan: the attempt's plan; None if unknown.
    """

    jobs: dict[str, BatchJob] = field(default_factory=dict)
    shares: dict[str, JobTotals] = field(default_factory=dict)
    counts: RowCounts | None = None
    cost: Cost | None = None
    plan: Plan | None = None
    saved: Saved | None = None
    """Tokens saved by existing answers; None: the task uses none."""
    versions: Versions | None = None
    """Versions of prompt, schema and defaults."""
    bigquery: TableJobs | None = None
    """The task's jobs in BigQuery."""
    times: JobTimes = field(default_factory=JobTimes)
    """How long jobs took, in this run and in those before it."""
    spent_today: SpentToday | None = None
    """What the day's jobs may cost; None: no limit of a day applies, or no job was created."""
    model: str | None = None
    """The task's model; None: the jobs have it."""
    conn_of: Callable[[str], str] | None = None
    """Returns the connection of a job; None: no fallback was used."""
    _fetched: dict[str, BatchJob] = field(default_factory=dict)

    @property
    def spent(self) -> float:
        """Their known cost, in USD."""
        return 0.0 if self.cost is None else self.cost.usd

    @property
    def at_hand(self) -> list[BatchJob]:
        """The jobs that were settled last, or failed to settle."""
        return [*self._fetched.values()]

    def begin(self) -> None:
        """Start a new settlement."""
        self._fetched, self.cost, self.saved = {}, None, None

    def add_job(self, job: BatchJob) -> BatchJob:
        """Add an ended job."""
        self._fetched[job.name] = job
        return job

    def add_rows(self, tally: RowCounter) -> RowCounter:
        """Add counted rows."""
        self.shares |= tally.shares
        try:
            self.cost = cost_of((self._fetched[name], share) for name, share in tally.shares.items())
        except Exception as error:  # noqa: BLE001 - a price list may raise anything; the rows are paid for
            self.cost = None
            log.warning("The cost is not known: %s: %s", type(error).__name__, printable(str(error)))
        if not tally.shares:
            self.cost = Cost(usd=0.0, models=(), source="no job was needed")
        self.saved = self._saved(tally)
        cost = self.cost or f"not known ({self._why_unknown(tally)})"
        log.info("Tokens: %s. Cost: %s.", tally.usage or "not given", cost)
        return tally

    def _saved(self, tally: RowCounter) -> Saved | None:
        if tally.saved is None:
            return None
        price = price_of(self.model) if tally.saved.total else None
        usd = (
            0.0 if not tally.saved.total else None if price is None else float(price.short.cost(tally.saved))
        )
        log.info(
            "Used again: %d rows of earlier results, %d of equal requests. Saved: %s, %s.",
            tally.reused,
            tally.same,
            tally.saved,
            "at a cost that is not known" if usd is None else f"about {usd:.6f} USD",
        )
        return Saved(usage=tally.saved, usd=usd)

    def _why_unknown(self, tally: RowCounter) -> str:
        if not tally.usage:
            return "no row has token counts; see Google's bill"
        if not is_installed():
            return 'install the extra "prices" where tasks run'
        models = {job.model for job in self._fetched.values() if job.model}
        named = ", ".join(sorted(models)) or "the model"
        return f"the price list has no price for {named}; a newer genai-prices may have it; see Google's bill"

    def close(self, manifest: Manifest) -> Manifest:
        """Add the outcome, and return its manifest with the cost."""
        self.jobs |= self._fetched
        self.counts = manifest.counts
        self._compare()
        paid = {"cost": self.cost, "saved": self.saved, "answered_by": self._answered_by()}
        return manifest.model_copy(update={**paid, "queue": self._queue(), **self.known})

    @property
    def known(self) -> dict[str, Any]:
        """Fields of a manifest that are known before anything is submitted."""
        known = {"plan": self.plan, "versions": self.versions, "bigquery": self.bigquery}
        return {**known, "spent_today": self.spent_today}

    @property
    def before(self) -> dict[str, Any]:
        """Fields of the manifest of a task that submits nothing."""
        return {**self.known, "queue": self._queue()}

    def _queue(self) -> tuple[QueueTimes, ...]:
        return self.times.queues(self.jobs.values(), self.conn_of)

    def _answered_by(self) -> tuple[AnsweredBy, ...]:
        if self.conn_of is None:
            return ()
        each = []
        for name, job in self._fetched.items():
            share = self.shares.get(name)
            ok = 0 if share is None else share.rows["ok"]
            each.append(AnsweredBy(model=job.model, conn_id=self.conn_of(name), ok=ok))
        found = AnsweredBy.add_up(each)
        log.info(
            "Answered by: %s.", ", ".join(f"{one.model} at {one.conn_id} {one.ok} rows" for one in found)
        )
        return found

    def _compare(self) -> None:
        """Log the cost beside the plan."""
        planned = None if self.plan is None else self.plan.own_cost
        if planned is not None and self.cost is not None:
            log.info("Cost %.6f USD; the plan said %s.", self.cost.usd, planned)

    def close_failed(self, failure: JobError) -> None:
        """Add a failure, and write the cost into its manifest. Without a manifest nothing is settled."""
        if failure.manifest is None:
            return
        counts: Mapping[str, Any] | None = failure.manifest["counts"]
        self.counts = None if counts is None else RowCounts.model_validate(counts)
        # If one of several jobs FAILED, no rows were read; the next attempt reattaches to the others.
        self.jobs |= {
            name: job
            for name, job in self._fetched.items()
            if counts is not None or job.verdict is Verdict.FAILED
        }
        kept = {"cost": self.cost, "saved": self.saved, **self.known}
        self._compare()
        said = {name: None if one is None else one.model_dump(mode="json") for name, one in kept.items()}
        lists = {"answered_by": self._answered_by(), "queue": self._queue()}
        written = {name: [one.model_dump(mode="json") for one in found] for name, found in lists.items()}
        failure.manifest = {**failure.manifest, **said, **written}
