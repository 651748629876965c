"""Log lines about the progress of a job while a task waits for it."""

from __future__ import annotations

import logging
import math
from datetime import datetime, timezone

from msgspec import Struct

from airflow_provider_genai_batch.clock import in_words
from airflow_provider_genai_batch.models.jobs.job_status import JobStatus

log = logging.getLogger(__name__)

STEP = 0.05
"""Share of a job's requests after which its progress is logged again."""
LONGEST_SILENCE = 600.0
"""Seconds after which any progress is logged again."""
HEARTBEAT = 1800.0
"""Seconds after which an unchanged job is logged again, so that the log is not silent during a long wait."""

_LAST = 253402300800.0
"""The end of the year 9999, after which there are no dates."""


class Progress(Struct, gc=False):
    """Logs the states and counts of one job in the task's log, and an unchanged job every half hour.

    Like `JobStatus` it is not tracked by the garbage collector, because there is one for each job in progress.

    Attributes:
        deadline: until when the task waits for the job, in seconds since the epoch.
        pending_deadline: the same while the job is queued.
        usual: how long jobs of its model take, in words; empty if unknown.
    """

    deadline: float = math.inf
    pending_deadline: float = math.inf
    usual: str = ""
    _state: str | None = None
    _reported: int = 0
    _reported_at: float = 0.0
    _changed_at: float = 0.0
    _began: tuple[float, int] | None = None
    _moved: tuple[float, int] | None = None
    _ends: float | None = None

    @property
    def ends(self) -> float | None:
        """When the job will end at its current rate (seconds since the epoch); None while unknown."""
        return self._ends

    def tell(self, job: JobStatus, now: float) -> None:
        """Log changes since the last look; log an unknown state once, as a warning.

        Args:
            job: the job's current status.
            now: seconds since the epoch.
        """
        finished = job.finished
        if self._began is None or not finished or finished < self._began[1]:
            self._began = (now, finished)  # the rate counts running time only, not time in the queue
        self._foresee(job, finished, now)
        changed = self._state != job.raw_state
        more, silence = finished - self._reported, now - self._reported_at
        progressed = more > 0 and (more >= STEP * (job.total or 0) or silence > LONGEST_SILENCE)
        if not (changed or progressed):
            if silence >= HEARTBEAT:
                log.info(
                    "Job %s is still %s%s%s.",
                    job.name,
                    job.state.value,
                    self._how_far(job, finished, now),
                    self._until(job, now),
                )
                self._reported_at = now
            return
        if changed and not _known(job):
            log.warning(
                "Job %s is in state %s, which this version does not know; still waiting.",
                job.name,
                job.raw_state,
            )
        else:
            log.info("Job %s is %s%s.", job.name, job.state.value, self._how_far(job, finished, now))
        self._state, self._reported, self._reported_at, self._changed_at = job.raw_state, finished, now, now

    def _foresee(self, job: JobStatus, finished: int, now: float) -> None:
        """Estimate the end from the rate at which the counters moved until their last change."""
        if self._moved is None or finished != self._moved[1]:
            self._moved = (now, finished)
            began, before = self._began or (now, finished)
            rate = (finished - before) / (now - began) if now > began else 0.0
            self._ends = now + ((job.total or 0) - finished) / rate if rate > 0 else None

    def _how_far(self, job: JobStatus, finished: int, now: float) -> str:
        said = ""
        if finished and not job.total and not job.done:
            said = f": {finished} requests done"  # Vertex AI does not report the number of rows in a table
        if job.total and (finished or not job.done):
            said = f": {finished} of {job.total} requests done ({100 * finished // job.total} %)"
            began, before = self._began or (now, finished)
            if self._ends is not None and self._ends > now and not job.done:
                rate = (finished - before) / (now - began)
                said += f", {60 * rate:.0f} a minute, about {in_words(self._ends - now)} to go"
        if job.create_time:
            said += f"; {in_words(max(0.0, now - job.create_time.timestamp()))} since its creation"
        return said

    def _until(self, job: JobStatus, now: float) -> str:
        """Return text about how long nothing changed, the time of the last look, and the deadline."""
        said = (
            f"; nothing new for {in_words(now - self._changed_at)}, last look at {_moment(now):%H:%M:%S} UTC"
        )
        if self.usual:
            said += f"; jobs of its model: {self.usual}"
        limit = min(self.deadline, self.pending_deadline) if job.state.queued else self.deadline
        if limit < _LAST:
            said += f"; it is waited for until {_moment(limit):%Y-%m-%d %H:%M} UTC"
        return said


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)


def _known(job: JobStatus) -> bool:
    return job.raw_state.rpartition("_STATE_")[2] in (job.state.value, "") or job.raw_state.isdigit()
