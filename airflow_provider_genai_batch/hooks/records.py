"""What a task instance wrote down, in Airflow's task state store (3.3 and later): a shortcut, never needed."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from airflow_provider_genai_batch.flows.record import Record

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

log = logging.getLogger(__name__)

_KEY = "genai_batch_job"
_TOLD_KEY = "genai_batch_told"


class Records:
    """The record of one task instance; it outlives attempts, but may be cleared."""

    def __init__(self, context: Context, place: tuple[int, int] = (0, 0)) -> None:
        """Take the record of the job at a place: its round, and its number there."""
        self._store: Any = context.get("task_state_store")
        self._key = _KEY if place == (0, 0) else f"{_KEY}_{place[0]}_{place[1]}"

    def read(self) -> Record | None:
        """Return what was written; None where Airflow keeps nothing or does not say."""
        if self._store is None:
            return None
        from airflow.sdk.exceptions import AirflowRuntimeError

        try:
            return Record.from_dict(self._store.get(self._key))
        except AirflowRuntimeError as error:
            log.warning("Airflow does not tell what an earlier attempt wrote down: %s", error)
            return None

    def write(self, record: Record) -> None:
        """Write, replacing what was there.

        Before a create this is the last chance to notice that the attempt is not Airflow's any more, so it fails
        with whatever Airflow raises. After it, the job is known to the service by its name, and a failure is no more
        than a warning.
        """
        if self._store is None:
            return
        from airflow.sdk.exceptions import AirflowRuntimeError

        try:
            self._store.set(self._key, record.as_dict())
        except (AirflowRuntimeError, OSError, EOFError) as error:
            if not record.job:
                raise
            log.warning("Job %s could not be written down in Airflow: %s", record.job, error)


class Told:
    """Names of the jobs of one task instance that Airflow's metrics were told of."""

    def __init__(self, context: Context) -> None:
        self._store: Any = context.get("task_state_store")

    def read(self) -> set[str]:
        """Return the names; none where Airflow keeps nothing or does not say."""
        if self._store is None:
            return set()
        from airflow.sdk.exceptions import AirflowRuntimeError

        try:
            names = self._store.get(_TOLD_KEY)
        except AirflowRuntimeError as error:
            log.warning("Airflow does not tell which jobs its metrics were told of: %s", error)
            return set()
        return {name for name in names if isinstance(name, str)} if isinstance(names, list) else set()

    def add(self, names: Iterable[str]) -> bool:
        """Write names down; False where Airflow refuses, as it does once the attempt is not the task's any more."""
        if self._store is None:
            return True
        from airflow.sdk.exceptions import AirflowRuntimeError

        try:
            self._store.set(_TOLD_KEY, sorted({*self.read(), *names}))
        except (AirflowRuntimeError, OSError, EOFError) as error:
            log.warning("Airflow's metrics are told nothing of %s: %s", ", ".join(names), error)
            return False
        return True
