"""Room for a job within a connection's limit of enqueued tokens; the service has such a limit per model but hides it.

The service's own list is the record of enqueued jobs: each job of this package states its tokens in its display name.
Two tasks that look at the same moment may both find room; then the service refuses one of them, which waits.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable
from dataclasses import dataclass
from typing import Any

from airflow_provider_genai_batch.exceptions import CallError, NotFound
from airflow_provider_genai_batch.flows.queue import short
from airflow_provider_genai_batch.flows.retry import LONGEST_OF_HOURS
from airflow_provider_genai_batch.flows.steps import ListLive, Look
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.jobs.identity import Identity, tokens_of

_MOST_LOOKS = 10
"""How many jobs are read by name, and found running, before a job waits: the oldest have most likely ended."""

_EACH_LEVEL = LONGEST_OF_HOURS + 30.0
"""Seconds: more than the pause between two looks of a waiting task."""
_LEVELS = 10


@dataclass(frozen=True)
class Room:
    """Enqueued tokens that a job needs, and their limit.

    Attributes:
        model: the job's model.
        tokens: estimated tokens of the job.
        limit: most tokens of all unfinished jobs of the model together.
        priority: the job's priority. Below 0 the job gives way to waiting jobs with a higher one.
    """

    model: str
    tokens: int
    limit: int
    priority: int = 0

    @property
    def hold_off(self) -> float:
        """Seconds for which room must exist before a job that had to wait uses it.

        Waiting tasks do not know of each other, so a lower priority holds off longer: meanwhile each task with a higher
        priority has looked, held off itself, and used the room if it needs it.
        """
        return _EACH_LEVEL * min(_LEVELS, max(0, -self.priority))


def lacking(room: Room, identity: Identity) -> Generator[ListLive | Look, Any, str]:
    """Return why a job has to wait; empty if it need not, or if that cannot be found out.

    A list may show an ended job as running for any length of time, so jobs are read by name before a job waits.

    Args:
        room: the tokens that the job needs, and the limit.
        identity: the job's identity; a listed job with this identity is the job itself.
    """
    listed: list[BatchJob] | None = yield ListLive()
    live = others_of(listed or [], room.model, identity)
    live.sort(key=lambda job: job.create_time.timestamp() if job.create_time else 0.0)
    asked = {job.name: tokens_of(job.display_name) for job in live}
    looks = 0
    for job in live:
        if looks == _MOST_LOOKS or _fits(room, asked):
            break
        try:
            found: BatchJob = yield Look(job.name)
        except NotFound:
            del asked[job.name]
        except CallError:
            break  # the list has to be trusted
        else:
            if found.state.final:
                del asked[job.name]
            else:
                looks += 1
    return "" if _fits(room, asked) else _why(room, asked)


def others_of(jobs: Iterable[BatchJob], model: str, identity: Identity) -> list[BatchJob]:
    """Return unfinished jobs of a model, as listed, except those of an identity."""
    return [
        job
        for job in jobs
        if not job.state.final and short(job.model) == short(model) and not identity.owns(job)
    ]


def why_refused(others: Collection[BatchJob], model: str) -> str:
    """Say what may have caused a refusal that names no limit.

    Args:
        others: unfinished jobs of the model.
        model: model of the refused job.
    """
    if others:
        return f"{len(others)} other jobs of {model} have not ended, according to the connection's list"
    return (
        f"no other job of {model} is unfinished at this connection, so the job may exceed the project's limit of "
        "enqueued tokens by itself, and then it is never accepted. Make smaller jobs with max_requests_per_job, or "
        "write the limit, which AI Studio shows, into the connection as max_enqueued_tokens, so that the input is split"
    )


def _sum(asked: dict[str, int | None]) -> int:
    return sum(tokens or 0 for tokens in asked.values())


def _fits(room: Room, asked: dict[str, int | None]) -> bool:
    """Whether there is room; a job that exceeds the limit by itself has room when no other job runs."""
    return _sum(asked) == 0 or _sum(asked) + room.tokens <= room.limit


def _why(room: Room, asked: dict[str, int | None]) -> str:
    known = [name for name, tokens in asked.items() if tokens]
    silent = len(asked) - len(known)
    others = f", and {silent} that do not state their tokens" if silent else ""
    return (
        f"it needs about {room.tokens:,} tokens, and unfinished jobs of {room.model} (known: {len(known)}{others}) "
        f"have {_sum(asked):,} of the {room.limit:,} that max_enqueued_tokens of the connection allows"
    )
