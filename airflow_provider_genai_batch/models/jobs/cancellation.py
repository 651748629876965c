"""The result of a cancellation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from airflow_provider_genai_batch.models.jobs.job import BatchJob


class CancelOutcome(str, Enum):
    """How a request to cancel a job ended."""

    ASKED = "asked"
    """The service accepted the cancellation; it cancels later, as far as it can."""
    CANCELLING = "cancelling"
    """A cancellation had been requested before."""
    ENDED = "ended"
    """The job had already ended."""
    GONE = "gone"
    """The job does not exist (any more)."""
    SPARED = "spared"
    """The job may not be cancelled, so no cancellation was requested."""


@dataclass(frozen=True)
class Cancellation:
    """The result of a request to cancel a job, and the job as it was last read."""

    outcome: CancelOutcome
    job: BatchJob | None = None
    """Read by name right before the cancellation, or after the service refused it; None: it does not exist."""

    @property
    def asked(self) -> bool:
        """Whether the service has accepted a cancellation of the job, now or before."""
        return self.outcome in (CancelOutcome.ASKED, CancelOutcome.CANCELLING)

    @property
    def words(self) -> str:
        """Text about the job and the money, to follow the job's name."""
        state = "" if self.job is None else self.job.state.value
        return {
            CancelOutcome.ASKED: "was asked to be cancelled",
            CancelOutcome.CANCELLING: "is being cancelled already; there is nothing to cancel",
            CancelOutcome.ENDED: (
                f"has ended ({state}) and cannot be cancelled any more: there is nothing to cancel, and it bills "
                "nothing more"
            ),
            CancelOutcome.GONE: "does not exist (any more)",
            CancelOutcome.SPARED: f"({state}) is not a job of this task instance and was left alone",
        }[self.outcome]
