"""Messages of failures: what happened, what became of the job and the money, and what the next attempt does."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_genai_batch.flows.submission.own_jobs import usable
from airflow_provider_genai_batch.flows.watch import Ending
from airflow_provider_genai_batch.models import BatchJob, Manifest, RowCounts
from airflow_provider_genai_batch.wire.services.errors import hint_of

ASKS_THE_REST = (
    "The next attempt keeps its good rows, pays nothing for them, and submits the failed ones again if it can read the "
    "requests."
)
LOOKS_AGAIN = "This task submits no jobs: its next attempt reads the same jobs again."


LARGE_INLINE = (
    "The Gemini API has been seen to give this answer for good if a job holds large answers itself (pictures, sound, "
    "many long texts) and not in a file. If this job is one, its answers are paid for and may never be readable: "
    "send such requests as a file."
)


UNSENT = "No job was created, and nothing is billed. The next attempt tries again."
UNSEEN = (
    "This attempt created no job. A job of an earlier attempt was left alone, and is billed as it goes. The next "
    "attempt looks for it again before it submits anything."
)


def nothing_more(names: Sequence[str], *, again: bool) -> str:
    """Return text about the jobs and the money if no further job could be submitted.

    Args:
        names: jobs that the attempt found or created before.
        again: whether there were earlier attempts.
    """
    if not names:
        nothing = "Nothing was created for it, and nothing is billed. The next attempt tries again."
        return UNSEEN if again else nothing
    return (
        f"No further job was created. The answers of {', '.join(names)} are paid for; if it still runs, it is billed "
        "as it goes. The next attempt uses its rows and submits only the missing ones."
    )


def shown(counts: RowCounts) -> str:
    """Return how many rows failed, by status, as text."""
    kinds = {
        "invalid": counts.invalid,
        "error": counts.error,
        "cancelled": counts.cancelled,
        "missing": counts.missing,
    }
    return ", ".join(f"{number} {kind}" for kind, number in kinds.items() if number)


def at_the_service(manifest: Manifest) -> str:
    """Return where rows are that did not land, as text."""
    places = {*manifest.output} - {"inline"}
    return f"at {', '.join(sorted(places))}" if places else "in the job itself"


def next_attempt(jobs: Sequence[BatchJob], submits: bool) -> str:
    """Return what the next attempt does about ended jobs; `submits`: whether the task submits jobs itself."""
    if not submits:
        return LOOKS_AGAIN
    if not all(usable(job) for job in jobs):
        return "The next attempt submits a new job of all rows."
    return "The next attempt reattaches to the same job and pays nothing."


def anew(submits: bool) -> str:
    """Return what the next attempt does about a job without rows."""
    return "The next attempt submits a new job." if submits else LOOKS_AGAIN


def failed(job: BatchJob, submits: bool) -> str:
    """Return the message about a failed job."""
    then = anew(submits)
    if job.counts.succeeded:
        keeps = "The next attempt keeps those that it can read, and submits the others."
        then = (
            f"The service counts {job.counts.succeeded} answered requests, which are paid for. "
            f"{keeps if submits else LOOKS_AGAIN}"
        )
    return f"Job {job.name} failed: {reason(job)}. It has ended; nothing more is billed. {then}"


def reason(job: BatchJob) -> str:
    """Return the service's own reason for a job's end."""
    if job.problem is None:
        return "the service gave no reason"
    said = job.problem.message
    return f"code {job.problem.code}: {said.rstrip('.') or 'no message'}{hint_of(said)}"


def because(job: BatchJob) -> str:
    """Return the reason in parentheses, or an empty string."""
    return f" ({reason(job)})" if job.problem else ""


def lost(ending: Ending) -> str:
    """Return the message about a job that can no longer be read."""
    return (
        f"The state of a job can no longer be read: {ending.detail}. It was not cancelled and may still run and be "
        f"billed. The "
        "next attempt looks for it again; if the connection lost its permissions, restore them first."
    )


def timed_out(ending: Ending, names: Sequence[str]) -> str:
    """Return the message about jobs that did not end in time, and not about those that had ended before the wait."""
    late = [name for name in names if name in ending.states] or names
    states = ", ".join(f"{name} ({ending.states.get(name, 'never seen')})" for name in late)
    if ending.cancelled:
        became = (
            "Cancellation was requested: rows answered before it are billed and kept by the service, the rest are not. "
            "The next attempt waits for its end, uses its rows, and submits the missing ones."
        )
    elif ending.asked:
        became = (
            "Cancellation of the others was requested: rows answered before it are billed. Those that could not be "
            "cancelled are left running and are billed as they go. The next attempt reattaches to all of them."
        )
    else:
        became = "It was left running and is billed as it goes. The next attempt reattaches to it."
    unanswered = (
        f" The last status request got no answer: {ending.unanswered.rstrip('.')}."
        if ending.unanswered
        else ""
    )
    if unanswered and any(name.startswith("batches/") for name in names):
        unanswered += f" {LARGE_INLINE}"
    return f"The deadline passed ({ending.detail}) before {states} ended.{unanswered} {became}"
