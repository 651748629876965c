"""Leaving batch jobs that would be late: they are cancelled, and their end is waited for before others are asked."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_genai_batch.client.cancel import cancel_jobs
from airflow_provider_genai_batch.exceptions import CallError, DeadlineMissed, JobError, NotFound
from airflow_provider_genai_batch.flows.submission.own_jobs import answered
from airflow_provider_genai_batch.flows.watch import Ending
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.jobs.job import Verdict
from airflow_provider_genai_batch.models.settings.ready_by import ReadyBy
from airflow_provider_genai_batch.task.ready.past import moment
from airflow_provider_genai_batch.task.waiting import Waiting

if TYPE_CHECKING:
    from airflow_provider_genai_batch.flows.deadline import Deadline
    from airflow_provider_genai_batch.models.jobs.identity import Identity
    from airflow_provider_genai_batch.task.shared import Shared
    from airflow_provider_genai_batch.task.state import Checkpoint

log = logging.getLogger(__name__)

STUCK_SECONDS = 600.0
"""For which a late attempt waits for the end of a job that was cancelled."""


@dataclass(frozen=True)
class Left:
    """What became of jobs that were left.

    Attributes:
        jobs: all jobs whose rows can be read, those of earlier rounds with them.
        stuck: jobs that have not ended although they were cancelled; empty: all have.
        empty: jobs that ended without a row. A retry passes them over, so they are passed over here, too: else it would
            not find what is asked in their place.
    """

    jobs: list[str]
    stuck: list[str]
    empty: list[str]


@dataclass
class Leaving:
    """Leaves the jobs of one round.

    Args:
        shared: of the attempt.
    """

    _shared: Shared

    def leave(self, ending: Ending, checkpoint: Checkpoint, identity: Identity) -> Left:
        """Cancel what goes on and wait for its end, or leave by a deferral.

        Each job is read by its name before it is cancelled: one that has ended keeps its rows and is not cancelled.

        Args:
            ending: tells why.
            checkpoint: tells of the jobs; its state is brought up to date.
            identity: of the whole input.
        """
        state, now = checkpoint.state, self._shared.client.service_time()
        names = [name for name in checkpoint.jobs if name not in state.done]
        assert state.ready is not None  # noqa: S101 - else nobody leaves
        log.warning(
            "Leaving the batch at %s, for the rows are to be ready by %s: %s. What has an answer is kept, and only the "
            "rest is asked at once. Cancelling %s.",
            *(moment(now), moment(state.ready.at), ending.detail, ", ".join(names)),
        )
        try:
            cancel_jobs(self._shared.client, names, self._shared.task.appear_until)
        except CallError as error:
            log.warning("Not every job could be cancelled (%s). Its end is waited for all the same.", error)
        state.left_until = stuck_at(self._shared.settings.ready_by, state.ready, now)
        jobs = [job for job in map(self._read, names) if job is not None]
        if all(job.done for job in jobs):
            return self.left(checkpoint)
        waiting = Waiting(self._shared)
        waiting.wait_for([job for job in jobs if not job.done], jobs, state, checkpoint.facts, identity)
        return self.left(checkpoint)

    def left(self, checkpoint: Checkpoint) -> Left:
        """Tell what became of jobs when the waiting for their end is over; those that count no more are passed over."""
        names = [name for name in checkpoint.jobs if name not in checkpoint.state.done]
        jobs = {name: self._read(name) for name in names}
        self._shared.settler.ledger.times.note_left(job for job in jobs.values() if job is not None)
        stuck = [name for name, job in jobs.items() if job is not None and not job.done]
        empty = [name for name, job in jobs.items() if job is None or _is_empty(job)]
        checkpoint.state.pass_over(empty)
        if stuck and self._pays_twice:
            log.warning(
                "%s did not end although the cancellation was asked for. Its requests are asked at once all the same "
                '(if_stuck="pay_twice"): what it still answers is billed too, and is not used.',
                ", ".join(stuck),
            )
            checkpoint.state.pass_over(stuck)
        kept = [name for name in checkpoint.jobs if name not in (*stuck, *empty)]
        return Left(kept, stuck, empty)

    def _read(self, name: str) -> BatchJob | None:
        """Read a job by its name; None: somebody has deleted it."""
        try:
            return self._shared.client.get(name)
        except NotFound:
            log.warning("Job %s does not exist any more. What it answered is paid, and is asked again.", name)
            return None

    @property
    def _pays_twice(self) -> bool:
        ready_by = ReadyBy.of(self._shared.settings.ready_by)
        return ready_by is not None and ready_by.if_stuck != "wait"

    def gives_up(self, left: Left) -> bool:
        """Whether nothing more is asked because of jobs that do not end."""
        return bool(left.stuck) and not self._pays_twice


def _is_empty(job: BatchJob) -> bool:
    """Whether a job ended without a row; one that FAILED says something about its requests."""
    return job.state.final and job.verdict is not Verdict.FAILED and not answered(job)


def stuck_at(value: object, deadline: Deadline, now: float) -> float:
    """Return until when the end of cancelled jobs is waited for, in seconds since the epoch.

    Args:
        value: of ``ready_by``.
        deadline: of the task.
        now: seconds since the epoch by the service's clock.
    """
    ready_by = ReadyBy.of(value)
    if deadline.late or ready_by is None:
        return now + STUCK_SECONDS
    if ready_by.if_stuck == "wait":
        return deadline.at
    return max(now + deadline.cancel, deadline.latest(deadline.requests))


def missed(at: float, why: str, failure: JobError) -> DeadlineMissed:
    """Return the failure of a task whose rows were not ready in time.

    Args:
        at: the moment, in seconds since the epoch.
        why: what kept them.
        failure: tells of the rows that there are, the jobs, and what the next attempt does.
    """
    msg = f"The rows were to be ready by {moment(at)}, and were not ({why}). {failure}"
    return DeadlineMissed(msg, job_names=failure.job_names, manifest=failure.manifest)


def never_ended(at: float, stuck: list[str]) -> DeadlineMissed:
    """Return the failure of a task whose jobs have not ended, so that nobody can read what they answered."""
    msg = (
        f"The rows were to be ready by {moment(at)}. {', '.join(stuck)} was cancelled in time and has not ended, so "
        "nobody can read what it answered. Its requests were not asked again, for they might be paid twice; it is "
        "billed for what it answered. The next attempt waits for its end, takes its rows and asks for the rest at "
        'once. With if_stuck="pay_twice" the rest does not wait for such a job.'
    )
    return DeadlineMissed(msg, job_names=stuck)
