"""Records of a task instance in Airflow's task state store (3.3 and later): a shortcut on which nothing depends."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_genai_batch.flows.record import Record
from airflow_provider_genai_batch.hooks.state_store.state_store import NotCurrentError, StateStore

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

log = logging.getLogger(__name__)

JOB_KEY = "genai_batch_job"
"""The key of the record of a task's first job, and the beginning of the keys of its others."""
_COUNTS_KEY = "genai_batch_jobs"
"""The key of the number of jobs in each round, by the round's number. It is absent if the only round has one job."""
_REPORTED_KEY = "genai_batch_reported"
_MOST_JOBS = 10_000
"""The most records of a round that are read, whatever number is kept."""
_MOST_REPORTED = 1000
"""The most names that are kept, because the store is not meant for large values."""


class JobRecords:
    """The records of a task instance's jobs. They outlive attempts, but users may clear them.

    Args:
        context: Airflow's context.
        round_: the round of the jobs. The object is the record of the round's first job; `at` returns the others.
    """

    def __init__(self, context: Context, round_: int = 0) -> None:
        self._round, self._key = round_, _key((round_, 0))
        ti: Any = context.get("ti")
        self._attempt = int(getattr(ti, "try_number", None) or 0)
        self._store = StateStore.of(context)

    def at(self, number: int) -> JobRecords:
        """Return the record of a job by its number in the round."""
        one = copy(self)
        one._key = _key((self._round, number))  # noqa: SLF001 - its own
        return one

    def read(self) -> Record | None:
        """Return what was written; None if Airflow has no store."""
        if self._store is None:
            return None
        record = Record.from_dict(self._store.get(self._key, "what an earlier attempt recorded"))
        if self._attempt and record.attempt not in (self._attempt, self._attempt - 1):
            return replace(record, outdated=True)
        return record

    def read_all(self) -> list[Record]:
        """Return the records of all jobs of the task instance, as far as Airflow returns them."""
        if self._store is None:
            return []
        counts = {0: 1} | self._counts(self._store)
        places = [(round_, number) for round_, count in counts.items() for number in range(count)]
        what = "what an earlier attempt recorded"
        return [Record.from_dict(self._store.get(_key(place), what)) for place in places]

    def expect(self, jobs: int) -> None:
        """Record how many jobs the round has, before any of them is recorded.

        Raises:
            Exception: Airflow's own: another attempt has replaced this one.
        """
        round_ = self._round
        if self._store is None or (not round_ and jobs <= 1):
            return
        counts = self._counts(self._store)
        if counts.get(round_, 0) < jobs:
            kept = {str(number): count for number, count in (counts | {round_: jobs}).items()}
            try:
                self._store.set(_COUNTS_KEY, kept, "how many jobs the task has")
            except NotCurrentError as error:
                raise error.cause from None

    @staticmethod
    def _counts(store: StateStore) -> dict[int, int]:
        kept = store.get(_COUNTS_KEY, "how many jobs the task has")
        if not isinstance(kept, dict):
            return {}
        counts = ((str(number), count) for number, count in kept.items() if isinstance(count, int))
        return {int(number): min(count, _MOST_JOBS) for number, count in counts if number.isdecimal()}

    def write(self, record: Record) -> bool:
        """Write the record in place of an earlier one.

        Before a create call this is the last chance to notice that another attempt has replaced this one, so it raises
        the error by which Airflow says so. After the call, the service knows the job by its name, and a failure is only
        a warning.

        Returns:
            False if a store exists and did not accept the record.
        """
        if self._store is None:
            return True
        what = f"job {record.job}" if record.job else "that a job is about to be created"
        try:
            return self._store.set(self._key, replace(record, attempt=self._attempt).as_dict(), what)
        except NotCurrentError as error:
            if not record.job:
                log.error(  # noqa: TRY400 - it is raised as well
                    "Airflow has replaced this attempt by another one. It creates nothing, and nothing is "
                    "billed for it; the attempt that replaced it looks for existing jobs."
                )
                raise error.cause from None
            log.warning("Job %s could not be recorded in Airflow: %s", record.job, error)
            return False


def _key(place: tuple[int, int]) -> str:
    return JOB_KEY if place == (0, 0) else f"{JOB_KEY}_{place[0]}_{place[1]}"


class ReportedJobs:
    """The names of a task instance's jobs that were reported to Airflow's metrics."""

    def __init__(self, context: Context) -> None:
        self._store = StateStore.of(context)

    def read(self) -> set[str]:
        """Return the names; none if Airflow has no store or does not answer."""
        if self._store is None:
            return set()
        names = self._store.get(_REPORTED_KEY, "which jobs were reported to its metrics")
        return {name for name in names if isinstance(name, str)} if isinstance(names, list) else set()

    def add(self, names: Iterable[str]) -> bool:
        """Record names; False if Airflow refuses, as it does once another attempt has replaced this one."""
        if self._store is None:
            return True
        new = [*names]
        earlier = sorted(self.read().difference(new))
        what = f"that {', '.join(new)} is reported to its metrics, so it is not reported"
        try:
            return self._store.set(_REPORTED_KEY, [*earlier, *new][-_MOST_REPORTED:], what)
        except NotCurrentError as error:
            log.warning("%s is not reported to Airflow's metrics: %s", ", ".join(new), error)
            return False
