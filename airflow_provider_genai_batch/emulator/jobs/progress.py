"""The current state of a job: a pure function of its record and the time."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_genai_batch.emulator.clock import NANOSECONDS
from airflow_provider_genai_batch.emulator.jobs.records import Job
from airflow_provider_genai_batch.emulator.jobs.states import ENDED, WAITING, WITH_ROWS
from airflow_provider_genai_batch.emulator.jsontypes import JsonObject

HOUR_NS = 3600 * NANOSECONDS
GEMINI_LIMIT_NS = 48 * HOUR_NS
VERTEX_QUEUE_NS = 72 * HOUR_NS
VERTEX_RUN_NS = 24 * HOUR_NS

_STEPS = ("PENDING", "RUNNING")
_HALF = 0.5


@dataclass(frozen=True)
class Ending:
    """How a job ends.

    Attributes:
        state: The state, without a prefix.
        at_ns: When it ends.
        served: The fraction of the rows that were answered.
        cancelled_rows: Whether the other rows come back as cancelled, as after a cancel on the Gemini API.
        error: The job's google.rpc.Status.
    """

    state: str
    at_ns: int
    served: float = 1.0
    cancelled_rows: bool = False
    error: JsonObject | None = None


def standing(job: Job, now_ns: int) -> str | Ending:
    """Return the job's current state, or how it has ended."""
    if job.forced is not None:
        return _scripted_end(job, now_ns, job.forced) if job.forced in ENDED else job.forced
    if job.cancelled_at_look is not None:
        patience = job.script.cancel_looks
        if patience is None:
            patience = 1 if job.backend == "vertex" else 0
        if job.looks - job.cancelled_at_look > patience:
            return _cancelled(job, now_ns)
        return "CANCELLING" if job.backend == "vertex" else job.state
    scripted = _scripted(job, now_ns)
    return _limit(job, now_ns, scripted) or scripted


def _scripted(job: Job, now_ns: int) -> str | Ending:
    steps = tuple(job.script.states) or _STEPS
    life = job.lifecycle
    if life.stuck_in is not None:
        return life.stuck_in
    if life.looks is not None:
        wanted = max(life.looks, len(job.script.states))
        if job.looks > wanted:
            return _scripted_end(job, now_ns, job.script.end)
        return steps[max(0, len(steps) - 1 - (wanted - job.looks))] if job.looks else steps[0]
    pending, running = _spans(job)
    # Jobs created at one moment get times a little apart, so the last ones may be ahead of the clock.
    age = max(0, now_ns - job.created_ns)
    if age >= pending + running:
        return _scripted_end(job, job.created_ns + pending + running, job.script.end)
    if age >= pending:
        return steps[-1]
    before = max(1, len(steps) - 1)
    return steps[min(before - 1, age * before // pending)]


def fraction_done(job: Job, now_ns: int) -> float:
    """Return the fraction of a running job's rows that are done, for its counters."""
    if job.state != "RUNNING" or job.forced is not None:
        return 0.0
    life = job.lifecycle
    if life.looks is not None:
        wanted = max(life.looks, len(job.script.states))
        return min(1.0, job.looks / (wanted + 1))
    pending, running = _spans(job)
    return min(1.0, max(0.0, (now_ns - job.created_ns - pending) / running)) if running else 0.0


def _spans(job: Job) -> tuple[int, int]:
    life = job.lifecycle
    return int((life.pending or 0) * NANOSECONDS), int((life.running or 0) * NANOSECONDS)


def _scripted_end(job: Job, at_ns: int, state: str) -> str | Ending:
    if state not in ENDED:
        return state
    served = job.script.served
    if served is None:
        served = 1.0 if state in WITH_ROWS else 0.0
    error = job.script.error or job.error
    if error is None and state == "FAILED":
        error = {"code": 13, "message": "An internal error has occurred. Please retry or report."}
    if error is None and state == "CANCELLED":
        error = _cancel_error(job)
    return Ending(state, at_ns, served, error=error)


def _cancelled(job: Job, now_ns: int) -> Ending:
    """Return how a cancelled job ends.

    Source: captures of the live Gemini service. A job that had not started ends CANCELLED with code 13 (the discovery
    document says 1); a running one ends SUCCEEDED, and its unanswered rows are errors with code 1.
    """
    started = job.started_ns is not None
    served = job.script.served if job.script.served is not None else _HALF
    if job.backend == "gemini" and started:
        return Ending("SUCCEEDED", now_ns, served, cancelled_rows=True)
    return Ending(
        "CANCELLED", now_ns, served if started else 0.0, error=job.script.error or _cancel_error(job)
    )


def _cancel_error(job: Job) -> JsonObject:
    if job.backend == "gemini":
        return {"code": 13, "message": "The batch was cancelled before it started."}
    return {"code": 1, "message": "CANCELED"}


def _limit(job: Job, now_ns: int, scripted: str | Ending) -> Ending | None:
    """Return the end that the service's own limits set, if the job would end later or not at all."""
    end_ns = scripted.at_ns if isinstance(scripted, Ending) else now_ns + 1
    served = job.script.served or 0.0
    if scripted == "PAUSED":
        return None
    if job.backend == "gemini":
        limit = job.created_ns + GEMINI_LIMIT_NS
        return Ending("EXPIRED", limit, served) if now_ns >= limit and end_ns > limit else None
    started = _started(job, scripted)
    queue_end = job.created_ns + VERTEX_QUEUE_NS
    if started is None or started >= queue_end:
        return Ending("EXPIRED", queue_end, served) if now_ns >= queue_end and end_ns > queue_end else None
    run_end = started + VERTEX_RUN_NS
    if now_ns < run_end or end_ns <= run_end:
        return None
    error = {"code": 4, "message": "The job did not finish within 24 hours of running."}
    return Ending("FAILED", run_end, served, error=error)


def _started(job: Job, scripted: str | Ending) -> int | None:
    if job.started_ns is not None:
        return job.started_ns
    life = job.lifecycle
    if life.pending is not None or life.running is not None:
        return job.created_ns + _spans(job)[0]
    waits = scripted in WAITING if isinstance(scripted, str) else True
    return None if waits else job.created_ns
