"""The progress of a job that is waited for, for the log: what changed, and how far it is."""

from __future__ import annotations

import logging

from msgspec import Struct

from airflow_provider_genai_batch.models.job_status import JobStatus

log = logging.getLogger(__name__)

STEP = 0.05
"""Share of a job's requests after which its progress is logged again."""
LONGEST_SILENCE = 600.0
"""Seconds after which any progress is logged again."""


class Progress(Struct, gc=False):
    """Tells of one job's states and counts in the task's log, and nothing at a look that found nothing new.

    Like `JobStatus` it is nothing to the garbage collector, for there is one for each job that is waited for.
    """

    _state: str | None = None
    _reported: int = 0
    _reported_at: float = 0.0
    _began: tuple[float, int] | None = None
    _moved: tuple[float, int] | None = None
    _ends: float | None = None

    @property
    def ends(self) -> float | None:
        """When the job ends if it goes on as it does (seconds since the epoch); None while that is not known."""
        return self._ends

    def tell(self, job: JobStatus, now: float) -> None:
        """Log what is new since the last time; a state nobody has heard of once, as a warning.

        Args:
            job: as it was just seen.
            now: seconds since the epoch.
        """
        finished = job.finished
        if self._began is None or not finished or finished < self._began[1]:
            self._began = (now, finished)  # the rate is that of running, not of queueing
        self._foresee(job, finished, now)
        changed = self._state != job.raw_state
        more = finished - self._reported
        if not changed and not (
            more > 0 and (more >= STEP * (job.total or 0) or now - self._reported_at > LONGEST_SILENCE)
        ):
            return
        if changed and not _known(job):
            log.warning(
                "Job %s is in state %s, which is not known here; waiting on.", job.name, job.raw_state
            )
        else:
            log.info("Job %s is %s%s.", job.name, job.state.value, self._how_far(job, finished, now))
        self._state, self._reported, self._reported_at = job.raw_state, finished, now

    def _foresee(self, job: JobStatus, finished: int, now: float) -> None:
        """Tell from how fast the counters moved until they last did when they will be through."""
        if self._moved is None or finished != self._moved[1]:
            self._moved = (now, finished)
            began, before = self._began or (now, finished)
            rate = (finished - before) / (now - began) if now > began else 0.0
            self._ends = now + ((job.total or 0) - finished) / rate if rate > 0 else None

    def _how_far(self, job: JobStatus, finished: int, now: float) -> str:
        said = ""
        if job.total and (finished or not job.done):
            said = f": {finished} of {job.total} requests done ({100 * finished // job.total} %)"
            began, before = self._began or (now, finished)
            if self._ends is not None and not job.done:
                rate = (finished - before) / (now - began)
                said += f", {60 * rate:.0f} a minute, about {_span(max(0.0, self._ends - now))} to go"
        if job.create_time:
            said += f"; {_span(max(0.0, now - job.create_time.timestamp()))} since its creation"
        return said


def _known(job: JobStatus) -> bool:
    return job.raw_state.rpartition("_STATE_")[2] in (job.state.value, "") or job.raw_state.isdigit()


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
