"""The record of a task instance's job, where Airflow keeps such notes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

from airflow_provider_genai_batch.models.stored import read_stored


@dataclass(frozen=True)
class Record:
    """A create call that is about to be sent, was refused, or the job that came of it. Without values: none of it.

    Times are seconds since the epoch by the service's clock, as far as the writer knew it.
    """

    tag: str = ""
    """`Identity.tag` of the job."""
    intent: float = 0.0
    """When the create call was about to be sent, or the job was created; 0: the service refused it."""
    job: str = ""
    """The job's name, once it is known."""
    attempt: int = 0
    """The number of the try that wrote this down; 0: an earlier version of this package, which did not say."""
    outdated: bool = False
    """Attempts after that one may have created a job without being able to write it down."""
    doubt: float = 0.0
    """When another create call of this task instance was about to be sent of which nobody knows what came; 0: none."""
    conn_id: str = ""
    """The connection through which the job was asked for; empty: nobody wrote that down."""
    place: str = ""
    """Where that connection pointed to, see `client.config.ClientConfig.place`; empty likewise."""

    @property
    def unclear(self) -> float:
        """When the last create call was about to be sent of which nobody knows what came; 0: all are known."""
        return max(self.doubt, 0.0 if self.job else self.intent)

    def as_dict(self) -> dict[str, Any]:
        """Return what Airflow can keep."""
        return {name: value for name, value in asdict(self).items() if name != "outdated"}

    @classmethod
    def from_dict(cls, kept: Any) -> Record:
        """Read what Airflow kept; what cannot be read says nothing."""
        if not isinstance(kept, Mapping) or not kept.keys() >= {"tag", "intent", "job"}:
            return cls()  # a default in place of one of these would say that the service refused
        record = read_stored(cls, kept, whole=True)
        try:
            sound = math.isfinite(record.intent) and math.isfinite(record.doubt)
        except OverflowError:  # a whole number of hundreds of digits
            sound = False
        return replace(record, outdated=False) if sound else cls()


class RecordKeeper(Protocol):
    """Keeps the records of one task instance: a shortcut to its jobs, never needed."""

    def read(self) -> Record | None:
        """Return what was written of this job; None: nothing can be kept here, or be had for now."""
        ...

    def read_all(self) -> list[Record]:
        """Return what was written of all jobs of the task instance."""
        ...

    def write(self, record: Record) -> bool:
        """Write down what is known of this job, in place of what was there; False: it could not be kept."""
        ...


class RoundRecords(Protocol):
    """Keeps the records of one round's jobs."""

    def expect(self, jobs: int, /) -> None:
        """Write down that the round has so many jobs, before any of them is written down."""
        ...

    def at(self, number: int, /) -> RecordKeeper:
        """Return the record of a job by its number in the round."""
        ...
