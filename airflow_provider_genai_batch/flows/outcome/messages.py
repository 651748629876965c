"""Messages of failures: what happened, what became of the job and the money, and what the next attempt does."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_genai_batch.flows.submission.own_jobs import usable
from airflow_provider_genai_batch.flows.watch import Ending
from airflow_provider_genai_batch.models import BatchJob, Manifest, RowCounts
from airflow_provider_genai_batch.wire.services.errors import hint_of

ASKS_THE_REST = (
    "The next attempt takes its rows up, pays nothing for them, and asks again for the failed ones where it can read "
    "the requests."
)
LOOKS_AGAIN = "This task submits no job: its next attempt looks at the same ones again."


LARGE_INLINE = (
    "The Gemini API has been seen to answer this way for good if a job holds large answers itself (pictures, sound, "
    "many long texts) and not in a file. If this job is one, its answers are paid for and may never be readable: "
    "send such requests as a file."
)


UNSENT = "No job was created, and nothing is billed. The next attempt asks again."
UNSEEN = (
    "This attempt created no job. One of an earlier attempt is left as it is, and is billed as it goes. The next "
    "attempt looks for it again before it asks anything."
)


def nothing_more(names: Sequence[str], *, again: bool) -> str:
    """Tell what became of the jobs and the money where no further job could be asked for.

    Args:
        names: the jobs that the attempt came to before.
        again: there were attempts before this one.
    """
    if not names:
        nothing = "Nothing was created for it, and nothing is billed. The next attempt tries again."
        return UNSEEN if again else nothing
    return (
        f"No further job was created. What {', '.join(names)} answered is paid for; if it goes on, it is billed as it "
        "goes. The next attempt takes its rows and asks only for those that are missing."
    )


def shown(counts: RowCounts) -> str:
    """Tell how many rows failed, and how."""
    kinds = {
        "invalid": counts.invalid,
        "error": counts.error,
        "cancelled": counts.cancelled,
        "missing": counts.missing,
    }
    return ", ".join(f"{number} {kind}" for kind, number in kinds.items() if number)


def at_the_service(manifest: Manifest) -> str:
    """Tell where rows are that were not landed."""
    places = {*manifest.output} - {"inline"}
    return f"at {', '.join(sorted(places))}" if places else "in the job itself"


def next_attempt(jobs: Sequence[BatchJob], submits: bool) -> str:
    """Tell what the next attempt does about jobs that ended, of a task that submits or of one that does not."""
    if not submits:
        return LOOKS_AGAIN
    if not all(usable(job) for job in jobs):
        return "The next attempt submits a new job of all rows."
    return "The next attempt takes the same job up and pays nothing."


def anew(submits: bool) -> str:
    """Tell what the next attempt does about a job without rows."""
    return "The next attempt submits a new job." if submits else LOOKS_AGAIN


def failed(job: BatchJob, submits: bool) -> str:
    """Tell of a job that failed."""
    then = anew(submits)
    if job.counts.succeeded:
        keeps = "The next attempt keeps those that it can read, and asks for the others."
        then = (
            f"The service counts {job.counts.succeeded} answered requests, which are paid for. "
            f"{keeps if submits else LOOKS_AGAIN}"
        )
    return f"Job {job.name} failed: {reason(job)}. It has ended; nothing more is billed. {then}"


def reason(job: BatchJob) -> str:
    """Tell the service's own reason for a job's end."""
    if job.problem is None:
        return "the service gave no reason"
    said = job.problem.message
    return f"code {job.problem.code}: {said.rstrip('.') or 'no message'}{hint_of(said)}"


def because(job: BatchJob) -> str:
    """Tell the reason in passing, if there is one."""
    return f" ({reason(job)})" if job.problem else ""


def lost(ending: Ending) -> str:
    """Tell of a job that cannot be looked at."""
    return (
        f"The state of a job can no longer be read: {ending.detail}. It was not cancelled and may still run and be "
        f"billed. The "
        "next attempt looks for it again; if the connection lost its permissions, restore them first."
    )


def timed_out(ending: Ending, names: Sequence[str]) -> str:
    """Tell of jobs that had not ended in time."""
    states = ", ".join(f"{name} ({ending.states.get(name, 'never seen')})" for name in names)
    if ending.cancelled:
        became = (
            "Cancellation was requested: rows answered before it are billed and kept by the service, the rest are not. "
            "The next attempt waits for its end, takes its rows, and asks for those that are missing."
        )
    elif ending.asked:
        became = (
            "Cancellation of the others was requested: rows answered before it are billed. Those that could not be "
            "cancelled are left running and are billed as they go. The next attempt takes all of them up again."
        )
    else:
        became = "It was left running and is billed as it goes. The next attempt takes it up again."
    unanswered = (
        f" The last status request got no answer: {ending.unanswered.rstrip('.')}."
        if ending.unanswered
        else ""
    )
    if unanswered and any(name.startswith("batches/") for name in names):
        unanswered += f" {LARGE_INLINE}"
    return f"The deadline passed ({ending.detail}) before {states} ended.{unanswered} {became}"
