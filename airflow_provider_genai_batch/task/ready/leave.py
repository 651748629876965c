"""Cancels batch jobs that would be late, and waits for their end before any calls are sent instead."""

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
"""Seconds for which a late attempt waits for the end of a cancelled job."""


@dataclass(frozen=True)
class Left:
    """The state of jobs that were cancelled because they would be late.

    Attributes:
        jobs: all jobs whose rows can be read, including those of earlier rounds.
        stuck: jobs that have not ended although they were cancelled; empty: all have ended.
        empty: jobs that ended without a row. A retry ignores them, so they are ignored here, too; otherwise the retry
            would not find the calls that replaced them.
    """

    jobs: list[str]
    stuck: list[str]
    empty: list[str]


@dataclass
class Leaving:
    """Cancels the late jobs of one round.

    Args:
        shared: objects shared by the attempt.
    """

    _shared: Shared

    def leave(self, ending: Ending, checkpoint: Checkpoint, identity: Identity) -> Left:
        """Cancel running jobs and wait for their end, in place or by a deferral.

        Each job is read by name before it is cancelled: a job that has ended keeps its rows and is not cancelled.

        Args:
            ending: the reason.
            checkpoint: the jobs; its state is updated.
            identity: identity of the whole input.
        """
        state, now = checkpoint.state, self._shared.client.service_time()
        names = [name for name in checkpoint.jobs if name not in state.done]
        assert state.ready is not None  # noqa: S101 - else nobody leaves
        log.warning(
            "Switching to immediate calls at %s, because the rows must be ready by %s: %s. Answers so far are kept, "
            "and only the rest is sent. Cancelling %s.",
            *(moment(now), moment(state.ready.at), ending.detail, ", ".join(names)),
        )
        try:
            cancel_jobs(self._shared.client, names, self._shared.task.appear_until)
        except CallError as error:
            log.warning("Not every job could be cancelled (%s). The task waits for their end anyway.", error)
        state.left_until = stuck_at(self._shared.settings.ready_by, state.ready, now)
        jobs = [job for job in map(self._read, names) if job is not None]
        if all(job.done for job in jobs):
            return self.left(checkpoint)
        waiting = Waiting(self._shared)
        waiting.wait_for([job for job in jobs if not job.done], jobs, state, checkpoint.facts, identity)
        return self.left(checkpoint)

    def left(self, checkpoint: Checkpoint) -> Left:
        """Return the state of the jobs after the wait for their end; ignore those that no longer count."""
        names = [name for name in checkpoint.jobs if name not in checkpoint.state.done]
        jobs = {name: self._read(name) for name in names}
        self._shared.settler.ledger.times.note_left(job for job in jobs.values() if job is not None)
        stuck = [name for name, job in jobs.items() if job is not None and not job.done]
        empty = [name for name, job in jobs.items() if job is None or _is_empty(job)]
        checkpoint.state.pass_over(empty)
        if stuck and self._pays_twice:
            log.warning(
                "%s did not end although its cancellation was requested. Its requests are sent as immediate calls "
                'anyway (if_stuck="pay_twice"): what it still answers is billed, too, and is not used.',
                ", ".join(stuck),
            )
            checkpoint.state.pass_over(stuck)
        kept = [name for name in checkpoint.jobs if name not in (*stuck, *empty)]
        return Left(kept, stuck, empty)

    def _read(self, name: str) -> BatchJob | None:
        """Read a job by name; None: somebody has deleted it."""
        try:
            return self._shared.client.get(name)
        except NotFound:
            log.warning(
                "Job %s no longer exists. Its answers are paid for, and its requests are sent again.", name
            )
            return None

    @property
    def _pays_twice(self) -> bool:
        ready_by = ReadyBy.of(self._shared.settings.ready_by)
        return ready_by is not None and ready_by.if_stuck != "wait"

    def gives_up(self, left: Left) -> bool:
        """Whether nothing more is sent because jobs do not end."""
        return bool(left.stuck) and not self._pays_twice


def _is_empty(job: BatchJob) -> bool:
    """Whether a job ended without a row. A FAILED job does not count, because it says something about its requests."""
    return job.state.final and job.verdict is not Verdict.FAILED and not answered(job)


def stuck_at(value: object, deadline: Deadline, now: float) -> float:
    """Return until when to wait for the end of cancelled jobs, in seconds since the epoch.

    Args:
        value: the value of ``ready_by``.
        deadline: the task's deadline.
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
        at: the deadline, in seconds since the epoch.
        why: the reason.
        failure: the error about the existing rows, the jobs, and the next attempt.
    """
    msg = f"The rows should have been ready by {moment(at)}, and were not ({why}). {failure}"
    return DeadlineMissed(msg, job_names=failure.job_names, manifest=failure.manifest)


def never_ended(at: float, stuck: list[str]) -> DeadlineMissed:
    """Return the failure of a task whose jobs have not ended, so that their answers cannot be read."""
    msg = (
        f"The rows should have been ready by {moment(at)}. {', '.join(stuck)} was cancelled in time and has not ended, "
        "so its answers cannot be read. Its requests were not sent again, because they might be paid for twice; its "
        "answers are billed. The next attempt waits for its end, uses its rows and sends the rest as immediate calls. "
        'With if_stuck="pay_twice" the rest does not wait for such a job.'
    )
    return DeadlineMissed(msg, job_names=stuck)
