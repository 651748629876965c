"""What a task instance writes down about its job, where Airflow keeps such notes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from airflow_provider_genai_batch.models.stored import read_stored


@dataclass(frozen=True)
class Record:
    """A create call that is about to be sent, was refused, or the job that came of it. Without values: none of it."""

    tag: str = ""
    """`Identity.tag` of the job."""
    intent: float = 0.0
    """When the create call was about to be sent, in seconds since the epoch; 0: the service refused it."""
    job: str = ""
    """The job's name, once it is known."""

    def as_dict(self) -> dict[str, Any]:
        """Return what Airflow can keep."""
        return asdict(self)

    @classmethod
    def from_dict(cls, kept: Any) -> Record:
        """Read what Airflow kept; what cannot be read says nothing."""
        if not isinstance(kept, Mapping) or not kept.keys() >= {"tag", "intent", "job"}:
            return cls()  # a default in place of one of these would say that the service refused
        return read_stored(cls, kept, whole=True)
