"""The progress of a task's jobs, from what the task has left and from the job list of its connection's service."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from airflow_provider_genai_batch.flows.queue import short
from airflow_provider_genai_batch.flows.watch import BUDGET
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.jobs.identity import round_of, short_key, task_key
from airflow_provider_genai_batch.models.manifest.plan import Plan
from airflow_provider_genai_batch.pages.left import Left, Place
from airflow_provider_genai_batch.pages.records import TaskRecord
from airflow_provider_genai_batch.pages.service.lists import LISTS, JobList


@dataclass(frozen=True)
class Progress:
    """The progress of one task.

    Attributes:
        left: what the task has left.
        jobs: its jobs in the service's list, ordered by round and age.
        names: the names of all its jobs.
        listed: the service's list itself.
    """

    left: Left = field(default_factory=Left)
    jobs: Sequence[BatchJob] = ()
    names: Sequence[str] = ()
    listed: JobList = field(default_factory=JobList)

    @property
    def plan(self) -> Plan | None:
        """The plan of what the task was about to submit."""
        return self.left.plan

    @cached_property
    def live(self) -> list[BatchJob]:
        """The jobs that have not ended."""
        return [job for job in self.jobs if not job.state.final]

    @property
    def states(self) -> str:
        """How many jobs are in each state, as text."""
        counts = Counter(job.state.value for job in self.jobs)
        hidden = len([name for name in self.names if name not in self.listed.jobs])
        parts = [f"{count} {state}" if count > 1 else state for state, count in counts.most_common()]
        return ", ".join([*parts, *([f"{hidden} not in the list"] if hidden else [])])

    @property
    def total(self) -> int | None:
        """The number of requests; None: not known."""
        if self.plan is not None:
            return self.plan.requests
        totals = [job.counts.total for job in self.jobs if not round_of(job.display_name)]
        return None if not totals or None in totals else sum(total or 0 for total in totals)

    @cached_property
    def counts(self) -> dict[str, int] | None:
        """The numbers of rows that are done, failed and open; None: not known.

        A later round submits failed requests again, so only the failures of the last round count.
        """
        total = self.total
        if not total:
            return None
        last = max((round_of(job.display_name) for job in self.jobs), default=0)
        done = sum(job.counts.succeeded or 0 for job in self.jobs)
        failed = sum(job.counts.failed or 0 for job in self.jobs if round_of(job.display_name) == last)
        done, failed = min(done, total), min(failed, max(0, total - done))
        return {"ok": done, "failed": failed, "open": total - done - failed}

    @property
    def created(self) -> datetime | None:
        """When the oldest job that has not ended was created."""
        return min((job.create_time for job in self.live if job.create_time), default=None)

    @property
    def usual(self) -> str:
        """How long jobs of the model usually take, as text; empty: not known."""
        model = next((job.model for job in self.jobs), None) or self.left.model
        return self.left.usual or (self.listed.usual.get(short(model), "") if model else "")

    @cached_property
    def deadline(self) -> datetime | None:
        """When the rows must be ready, or the task gives its jobs up; without both, when the service does so."""
        ends = [
            job.create_time + timedelta(seconds=BUDGET[job.backend]) for job in self.live if job.create_time
        ]
        return self.left.ready_by or self.left.deadline or min(ends, default=None)


def progress_of(records: Iterable[TaskRecord], left: Mapping[Place, Left]) -> dict[Place, Progress]:
    """Return the progress of the tasks of which it is known what they left.

    This may wait for services, so no session of Airflow's database should be open meanwhile.
    """
    found = {record.place: record for record in records if record.place in left}
    lists = LISTS.of({one.conn_id for one in left.values() if one.conn_id})
    return {place: _progress(record, left[place], lists) for place, record in found.items()}


def key_of(place: Place) -> str:
    """Return the short key that the jobs of a task instance carry; in a Task Loop (Airflow 3.4) they carry others."""
    return short_key(task_key(*place))


def _progress(record: TaskRecord, left: Left, lists: Mapping[str, JobList]) -> Progress:
    jobs = lists.get(left.conn_id, JobList())
    named = (*left.names, *(record.manifest.job_names if record.manifest else ()))
    own = {job.name: job for job in jobs.by_key.get(key_of(record.place), ())}
    own |= {name: jobs.jobs[name] for name in named if name in jobs.jobs}
    in_order = sorted(
        own.values(),
        key=lambda job: (round_of(job.display_name), job.create_time.timestamp() if job.create_time else 0.0),
    )
    return Progress(left, in_order, tuple(dict.fromkeys([*named, *own])), jobs)
