"""Room for a job among a connection's enqueued tokens: the service has a limit for each model, and tells nobody of it.

The service's own list is the record of what is enqueued: each job of this package says in its display name how many
tokens it asks for. Two tasks that look at one moment may both find room; then the service decides, by a refusal that is
waited out.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from airflow_provider_genai_batch.exceptions import CallError, NotFound
from airflow_provider_genai_batch.flows.steps import ListLive, Look
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.jobs.identity import Identity, tokens_of

_MOST_LOOKS = 10
"""Jobs that are read by name, and do go on, before a job waits: those created first have ended most likely."""


@dataclass(frozen=True)
class Room:
    """What a job needs, and what there may be.

    Attributes:
        model: of the job.
        tokens: that it asks for, as estimated.
        limit: of all jobs of the model that have not ended.
    """

    model: str
    tokens: int
    limit: int


def lacking(room: Room, identity: Identity) -> Generator[ListLive | Look, Any, str]:
    """Tell why a job has to wait; empty where it has not, or where nobody can tell.

    A list may show what has ended as going on, for as long as it likes, so jobs are read by name before one waits for
    them.

    Args:
        room: what it needs.
        identity: of the job; one that bears it is the job itself.
    """
    listed: list[BatchJob] | None = yield ListLive()
    live = [job for job in listed or [] if _counts(job, room.model) and not identity.owns(job)]
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
            break  # the list's word has to do
        else:
            if found.state.final:
                del asked[job.name]
            else:
                looks += 1
    return "" if _fits(room, asked) else _why(room, asked)


def _counts(job: BatchJob, model: str) -> bool:
    return not job.state.final and (job.model or "").rpartition("/")[2] == model.rpartition("/")[2]


def _sum(asked: dict[str, int | None]) -> int:
    return sum(tokens or 0 for tokens in asked.values())


def _fits(room: Room, asked: dict[str, int | None]) -> bool:
    """Whether there is room; a job that is too large by itself has it when no other goes on."""
    return _sum(asked) == 0 or _sum(asked) + room.tokens <= room.limit


def _why(room: Room, asked: dict[str, int | None]) -> str:
    known = [name for name, tokens in asked.items() if tokens]
    silent = len(asked) - len(known)
    others = f" ({silent} more do not say how many they ask for)" if silent else ""
    return (
        f"it asks for about {room.tokens:,} tokens, and {len(known)} jobs of {room.model} that have not ended ask for "
        f"{_sum(asked):,}{others}, where max_enqueued_tokens of the connection is {room.limit:,}"
    )
