"""The record of a task instance's job, kept in Airflow's task state store."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

from airflow_provider_genai_batch.models.stored import read_stored


@dataclass(frozen=True)
class Record:
    """A create call that is about to be sent or was refused, or the job it created. Empty: none of these.

    Times are seconds since the epoch by the service's clock, as far as the writer knew it.
    """

    tag: str = ""
    """`Identity.tag` of the job."""
    intent: float = 0.0
    """When the create call was about to be sent, or the job was created; 0: the service refused the call."""
    job: str = ""
    """The job's name, once it is known."""
    attempt: int = 0
    """The number of the try that wrote this record; 0: an earlier version of this package, which did not record it."""
    outdated: bool = False
    """Whether later attempts may have created a job without being able to record it."""
    doubt: float = 0.0
    """When another create call of this task instance, whose outcome is unknown, was about to be sent; 0: none."""
    conn_id: str = ""
    """The connection through which the job was submitted; empty: not recorded."""
    place: str = ""
    """The place that the connection pointed to, see `client.config.ClientConfig.place`; empty: not recorded."""

    @property
    def unclear(self) -> float:
        """When the last create call with an unknown outcome was about to be sent; 0: all outcomes are known."""
        return max(self.doubt, 0.0 if self.job else self.intent)

    def as_dict(self) -> dict[str, Any]:
        """Return the record as JSON values, for Airflow's store."""
        return {name: value for name, value in asdict(self).items() if name != "outdated"}

    @classmethod
    def from_dict(cls, kept: Any) -> Record:
        """Read a record from Airflow's store; return an empty one if it cannot be read."""
        if not isinstance(kept, Mapping) or not kept.keys() >= {"tag", "intent", "job"}:
            return cls()  # a default instead of one of these would mean that the service refused
        record = read_stored(cls, kept, whole=True)
        try:
            sound = math.isfinite(record.intent) and math.isfinite(record.doubt)
        except OverflowError:  # a whole number of hundreds of digits
            sound = False
        return replace(record, outdated=False) if sound else cls()


class RecordKeeper(Protocol):
    """Keeps the records of one task instance: a shortcut to its jobs, which can also be found without it."""

    def read(self) -> Record | None:
        """Return the record of this job; None: there is no store, or it cannot be read for now."""
        ...

    def read_all(self) -> list[Record]:
        """Return the records of all jobs of the task instance."""
        ...

    def write(self, record: Record) -> bool:
        """Replace the record of this job; return False if it could not be stored."""
        ...


class RoundRecords(Protocol):
    """Keeps the records of one round's jobs."""

    def expect(self, jobs: int, /) -> None:
        """Record how many jobs the round has, before recording any of them."""
        ...

    def at(self, number: int, /) -> RecordKeeper:
        """Return the record of a job by its number in the round."""
        ...
