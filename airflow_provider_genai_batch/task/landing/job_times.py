"""How long the jobs of a task took, in this run and earlier ones: each manifest passes the times on to the next run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from airflow_provider_genai_batch.flows.queue import Usual, job_time, short, summed_up, tells
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.jobs.journal import is_journaled
from airflow_provider_genai_batch.models.manifest.queue import JobTime, QueueTimes
from airflow_provider_genai_batch.printable import printable

log = logging.getLogger(__name__)

_KEPT, _MOST_QUEUES = 20, 5
"""Most jobs kept per queue, and most queues, because a manifest must stay small."""
_Queue = tuple[str, str]
"""A model, without its path, and a connection."""


@dataclass
class JobTimes:
    """The times of a task's jobs.

    Args:
        conn_id: the task's connection.
        earlier_manifest: returns the manifest of the task's latest earlier run that has one. It is called once, and its
            errors are logged only.

    Attributes:
        left: jobs that were cancelled because they would have been late, by name.
    """

    conn_id: str = ""
    earlier_manifest: Callable[[], Mapping[str, Any] | None] = lambda: None
    left: dict[str, BatchJob] = field(default_factory=dict)
    _earlier: dict[_Queue, list[JobTime]] | None = None

    @property
    def earlier(self) -> dict[_Queue, list[JobTime]]:
        """Times of jobs of earlier runs."""
        if self._earlier is None:
            self._earlier = self._read()
        return self._earlier

    def _read(self) -> dict[_Queue, list[JobTime]]:
        try:
            manifest = self.earlier_manifest() or {}
            found = [QueueTimes.model_validate(one) for one in manifest.get("queue") or ()]
        except ValidationError as error:  # another version of this package has written it
            log.info("It is not known how long earlier jobs took: %s", printable(str(error)))
            return {}
        except Exception as error:  # noqa: BLE001 - of Airflow, or of a backend of its XComs
            log.info(
                "It is not known how long earlier jobs took: %s: %s",
                type(error).__name__,
                printable(str(error)),
            )
            return {}
        return {(one.model, one.conn_id): [*one.recent] for one in found}

    def recent(self, model: str, conn_id: str) -> Sequence[JobTime]:
        """Return the times of jobs of a model in earlier runs."""
        return self.earlier.get((short(model), conn_id), ())

    def usual(self, model: str, conn_id: str) -> Usual | None:
        """Return how long jobs of a model took in earlier runs; None: there were none."""
        times = self.recent(model, conn_id)
        if not times:
            return None
        found = summed_up(model, conn_id, times)
        return Usual(found.p50, found.p90, found.jobs, found.queued_p50, "jobs of this task")

    def note_left(self, jobs: Iterable[BatchJob]) -> None:
        """Record jobs that were cancelled because they would have been late, but not those that answered all."""
        self.left |= {job.name: job for job in jobs if not (tells(job) and _answered_all(job))}

    def queues(
        self, jobs: Iterable[BatchJob], conn_of: Callable[[str], str] | None = None
    ) -> tuple[QueueTimes, ...]:
        """Collect times for a manifest, from earlier runs and from ended jobs.

        Args:
            jobs: jobs of this run.
            conn_of: returns the connection of a job; None: all jobs use the task's own.
        """
        kept = {queue: [*times] for queue, times in self.earlier.items()}
        ended = {job.name: job for job in jobs if tells(job)} | self.left
        for name, job in ended.items():
            time = None if is_journaled(name) else job_time(job, left=name in self.left)
            if time is not None:
                queue = short(job.model), self.conn_id if conn_of is None else conn_of(name)
                kept[queue] = [*kept.pop(queue, []), time]  # the newest queue comes last
        found = [*kept.items()][-_MOST_QUEUES:]
        return tuple(summed_up(*queue, _newest(times)) for queue, times in found)


def _answered_all(job: BatchJob) -> bool:
    """Whether a job may have answered all requests: a job that is being cancelled can still succeed."""
    counts = job.counts
    return counts.total is None or counts.succeeded is None or counts.succeeded >= counts.total


def _newest(times: Sequence[JobTime]) -> list[JobTime]:
    return sorted(times, key=lambda time: time.created)[-_KEPT:]
