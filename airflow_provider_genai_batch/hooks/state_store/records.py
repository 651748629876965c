"""Records of a task instance in Airflow's task state store (3.3 and later): a shortcut, never needed."""

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

_KEY = "genai_batch_job"
_COUNTS_KEY = "genai_batch_jobs"
"""Below it: how many jobs each round has, by the round's number. With one job in the first round there is nothing."""
_REPORTED_KEY = "genai_batch_reported"
_MOST_JOBS = 10_000
"""Notes of a round that are read again, whatever number is kept."""
_MOST_REPORTED = 1000
"""Names that are kept; the store is no place for more."""


class JobRecords:
    """The records of a task instance's jobs; they outlive attempts, but may be cleared.

    Args:
        context: Airflow's.
        round_: the round whose jobs they are. Of these it is the first one's record, see `at`.
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
        """Return what was written; None where Airflow keeps nothing or does not say."""
        if self._store is None:
            return None
        record = Record.from_dict(self._store.get(self._key, "what an earlier attempt recorded"))
        if self._attempt and record.attempt not in (self._attempt, self._attempt - 1):
            return replace(record, outdated=True)
        return record

    def read_all(self) -> list[Record]:
        """Return what was written of all jobs of the task instance, as far as Airflow says."""
        if self._store is None:
            return []
        counts = {0: 1} | self._counts(self._store)
        places = [(round_, number) for round_, count in counts.items() for number in range(count)]
        what = "what an earlier attempt recorded"
        return [Record.from_dict(self._store.get(_key(place), what)) for place in places]

    def expect(self, jobs: int) -> None:
        """Write down that the round has so many jobs, before any of them is written down.

        Raises:
            Exception: Airflow's own: this attempt is not the task's any more.
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
        """Write, replacing what was there.

        Before a create this is the last chance to notice that the attempt is not Airflow's any more, so it fails
        with what Airflow raises to say so. After it, the job is known to the service by its name, and a failure is no
        more than a warning.

        Returns:
            False where a store exists and did not take the note.
        """
        if self._store is None:
            return True
        what = f"job {record.job}" if record.job else "that a job is about to be created"
        try:
            return self._store.set(self._key, replace(record, attempt=self._attempt).as_dict(), what)
        except NotCurrentError as error:
            if not record.job:
                log.error(  # noqa: TRY400 - it is raised, too
                    "Airflow has replaced this attempt by another one. It creates nothing, and nothing is "
                    "billed for it; the attempt that replaced it looks for existing jobs."
                )
                raise error.cause from None
            log.warning("Job %s could not be recorded in Airflow: %s", record.job, error)
            return False


def _key(place: tuple[int, int]) -> str:
    return _KEY if place == (0, 0) else f"{_KEY}_{place[0]}_{place[1]}"


class ReportedJobs:
    """Names of the jobs of one task instance that were reported to Airflow's metrics."""

    def __init__(self, context: Context) -> None:
        self._store = StateStore.of(context)

    def read(self) -> set[str]:
        """Return the names; none where Airflow keeps nothing or does not say."""
        if self._store is None:
            return set()
        names = self._store.get(_REPORTED_KEY, "which jobs were reported to its metrics")
        return {name for name in names if isinstance(name, str)} if isinstance(names, list) else set()

    def add(self, names: Iterable[str]) -> bool:
        """Write names down; False where Airflow refuses, as it does once the attempt is not the task's any more."""
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
